import type { Stretch } from './exports.ts';
import {
  allocationFlags,
  chunkFlagDone,
  chunkTypes,
  commandFlags,
  commands,
  decodeRequest,
  defaultMaxPayload,
  maxRangeLength,
  simpleReplyMagic,
  structuredReplyMagic,
} from './protocol.ts';
import type { Session } from './server-handshake.ts';
import type { SocketReader } from './socket-reader.ts';

/** Requests of one client that are worked on at once, and the bytes they may read together; more wait in the socket. */
const maxInFlight = 16;
const maxBytesInFlight = defaultMaxPayload;
/** More extents than this are not told at once: the client asks again from where they end. */
const maxStatusExtents = 4096;

const errors = { EPERM: 1, EIO: 5, EINVAL: 22, ENOTSUP: 95 } as const;

type Request = NonNullable<ReturnType<typeof decodeRequest>>;

export interface Wire {
  reader: SocketReader;
  /** Resolves when there is room for more. */
  send(...parts: readonly Uint8Array[]): Promise<void>;
  /** Aborted when the client is gone or the server ends. */
  signal: AbortSignal;
  onError(error: unknown): void;
}

/** Answers requests until the client leaves or breaks the protocol, and those under way to their end. */
export async function serveRequests(session: Session, wire: Wire): Promise<void> {
  const underWay = new Set<Promise<void>>();
  let bytesUnderWay = 0;
  const room = (bytes: number) =>
    underWay.size === 0 || (underWay.size < maxInFlight && bytesUnderWay + bytes <= maxBytesInFlight);
  for (;;) {
    const head = await wire.reader.take(28);
    const request = head === undefined ? undefined : decodeRequest(head);
    if (request === undefined || request.command === commands.disconnect) break;
    if (request.command === commands.write) {
      if (request.length > defaultMaxPayload || !(await wire.reader.skip(request.length))) break;
    }
    const bytes = request.command === commands.read ? Math.min(request.length, defaultMaxPayload) : 0;
    while (!room(bytes)) await Promise.race(underWay);
    bytesUnderWay += bytes;
    const work = answer(session, wire, request).finally(() => {
      underWay.delete(work);
      bytesUnderWay -= bytes;
    });
    underWay.add(work);
  }
  await Promise.all(underWay);
}

/** Never rejects: what goes wrong is the client's to hear, or it is gone. */
async function answer(session: Session, wire: Wire, request: Request): Promise<void> {
  try {
    const refusal = refusalOf(session, request);
    if (refusal !== undefined) await sendError(session, wire, request, refusal);
    else if (request.command === commands.read) await answerRead(session, wire, request);
    else if (request.command === commands.blockStatus) await answerStatus(session, wire, request);
    else await sendDone(session, wire, request);
  } catch (error) {
    if (wire.signal.aborted) return;
    wire.onError(error);
    await sendError(session, wire, request, errors.EIO).catch(() => {});
  }
}

function refusalOf(session: Session, { command, offset, length }: Request): number | undefined {
  const { sizeBytes } = session.export;
  switch (command) {
    case commands.flush:
      return undefined;
    case commands.write:
    case commands.trim:
    case commands.writeZeroes:
      return errors.EPERM;
    case commands.read:
      if (length === 0 || length > defaultMaxPayload) return errors.EINVAL;
      break;
    case commands.blockStatus:
      if (session.allocation === undefined || length === 0) return errors.EINVAL;
      break;
    default:
      return errors.ENOTSUP;
  }
  return offset + BigInt(length) > BigInt(sizeBytes) ? errors.EINVAL : undefined;
}

async function answerRead(session: Session, wire: Wire, request: Request): Promise<void> {
  const offset = Number(request.offset);
  const data = await session.export.read(offset, request.length, wire.signal);
  if (data.length !== request.length)
    throw new Error(`an export gave ${data.length} bytes for ${request.length} at ${offset}`);
  if (!session.structuredReplies) return wire.send(simpleReply(request, 0), data);
  const at = Buffer.alloc(8);
  at.writeBigUInt64BE(request.offset);
  await wire.send(chunkHead(request, chunkTypes.data, 8 + data.length), at, data);
}

async function answerStatus(session: Session, wire: Wire, request: Request): Promise<void> {
  const offset = Number(request.offset);
  const length = Math.min(request.length, maxRangeLength);
  const stretches = (await session.export.allocated?.(offset, length, wire.signal)) ?? [{ offset, length }];
  const extents = extentsOf(stretches, offset, length);
  const told = extents.slice(0, (request.flags & commandFlags.requestOne) !== 0 ? 1 : maxStatusExtents);
  const payload = Buffer.alloc(4 + 8 * told.length);
  payload.writeUInt32BE(session.allocation ?? 0, 0);
  told.forEach((extent, index) => {
    payload.writeUInt32BE(extent.length, 4 + 8 * index);
    payload.writeUInt32BE(extent.flags, 8 + 8 * index);
  });
  await wire.send(chunkHead(request, chunkTypes.blockStatus, payload.length), payload);
}

/** Data and the holes between, from `offset` on, `length` bytes in all. */
function extentsOf(stretches: readonly Stretch[], offset: number, length: number) {
  const extents: { length: number; flags: number }[] = [];
  let at = offset;
  for (const stretch of stretches) {
    if (stretch.offset > at)
      extents.push({ length: stretch.offset - at, flags: allocationFlags.hole | allocationFlags.zero });
    extents.push({ length: stretch.length, flags: 0 });
    at = stretch.offset + stretch.length;
  }
  if (at < offset + length)
    extents.push({ length: offset + length - at, flags: allocationFlags.hole | allocationFlags.zero });
  return extents;
}

function sendDone(session: Session, wire: Wire, request: Request): Promise<void> {
  return wire.send(
    session.structuredReplies ? chunkHead(request, chunkTypes.none, 0) : simpleReply(request, 0),
  );
}

function sendError(session: Session, wire: Wire, request: Request, error: number): Promise<void> {
  if (!session.structuredReplies) return wire.send(simpleReply(request, error));
  const payload = Buffer.alloc(6);
  payload.writeUInt32BE(error, 0);
  return wire.send(chunkHead(request, chunkTypes.error, payload.length), payload);
}

function simpleReply({ cookie }: Request, error: number): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32BE(simpleReplyMagic, 0);
  head.writeUInt32BE(error, 4);
  cookie.copy(head, 8);
  return head;
}

/** Every answer of ours is one chunk. */
function chunkHead({ cookie }: Request, type: number, length: number): Buffer {
  const head = Buffer.alloc(20);
  head.writeUInt32BE(structuredReplyMagic, 0);
  head.writeUInt16BE(chunkFlagDone, 4);
  head.writeUInt16BE(type, 6);
  cookie.copy(head, 8);
  head.writeUInt32BE(length, 16);
  return head;
}
