import { Coverage } from './coverage.ts';
import type { Agreement } from './handshake.ts';
import type { Reading } from './intake.ts';
import { NbdError, quoted } from './nbd-error.ts';
import { chunkFlagDone, chunkTypes, errorNames, simpleReplyMagic, structuredReplyMagic } from './protocol.ts';

/** A stretch of block status: `length` bytes that share the context's `flags`. */
export interface StatusExtent {
  length: number;
  flags: number;
}

/** A request whose reply is awaited, with what has arrived of it. */
export type Pending = PendingRead | PendingStatus | PendingPlain;

export interface PendingRead {
  kind: 'read';
  offset: number;
  /** Filled in place. Holds whatever was there before until the coverage is complete. */
  target: Uint8Array;
  coverage: Coverage;
  error: NbdError | undefined;
}

export interface PendingStatus {
  kind: 'status';
  length: number;
  /** By context id. */
  found: Map<number, StatusExtent[]>;
  error: NbdError | undefined;
}

/** A request that is answered by success or an error and nothing else. */
export interface PendingPlain {
  kind: 'plain';
  error: NbdError | undefined;
}

export function pendingRead(offset: number, target: Uint8Array): PendingRead {
  return { kind: 'read', offset, target, coverage: new Coverage(target.length), error: undefined };
}

/** More extents in one answer than QEMU (128 Ki) or nbdkit (1 Mi) send are not read. */
const maxStatusExtents = 1024 * 1024;
/** An error's message and offset; the protocol allows 4096 bytes of text. */
const maxErrorPayload = 8192;

const broken = (what: string) => new NbdError('protocol', `the NBD server broke the protocol: ${what}`);

/**
 * Reads replies for ever. `onDone` is called once per request, when its last message has been read and found whole;
 * `inFlight`
 * must not know the cookie afterwards.
 * @throws NbdError `protocol`
 */
export function* readReplies(
  agreement: Pick<Agreement, 'structuredReplies' | 'contexts'>,
  inFlight: (cookie: number) => Pending | undefined,
  onDone: (cookie: number) => void,
): Reading<never> {
  const head = Buffer.alloc(20);
  const simpleHead = head.subarray(0, 16);
  const restOfHead = head.subarray(16);
  for (;;) {
    yield simpleHead;
    const magic = head.readUInt32BE(0);
    const isSimple = magic === simpleReplyMagic;
    if (!isSimple && !(magic === structuredReplyMagic && agreement.structuredReplies)) {
      throw broken('a reply without its magic');
    }
    const cookie = head.readBigUInt64BE(8);
    const pending = cookie <= BigInt(Number.MAX_SAFE_INTEGER) ? inFlight(Number(cookie)) : undefined;
    if (pending === undefined) throw broken('a reply to no request of ours');
    if (isSimple) {
      yield* readSimple(pending, head.readUInt32BE(4), agreement.structuredReplies);
      onDone(Number(cookie));
      continue;
    }
    yield restOfHead;
    const done = (head.readUInt16BE(4) & chunkFlagDone) !== 0;
    const type = head.readUInt16BE(6);
    if (type === chunkTypes.none && !done) throw broken('an empty chunk that is not the last');
    yield* readChunk(pending, type, head.readUInt32BE(16), agreement.contexts);
    if (!done) continue;
    if (pending.error === undefined) requireWhole(pending, agreement.contexts);
    onDone(Number(cookie));
  }
}

function* readSimple(pending: Pending, error: number, structured: boolean): Reading<void> {
  if (structured && pending.kind !== 'plain')
    throw broken('a simple reply where a structured one was agreed on');
  if (error !== 0) {
    pending.error = serverError(error, '');
  } else if (pending.kind === 'read') {
    yield pending.target;
    pending.coverage.add(0, pending.target.length);
  }
}

function* readChunk(
  pending: Pending,
  type: number,
  length: number,
  contexts: ReadonlyMap<number, string>,
): Reading<void> {
  if ((type & chunkTypes.errorBit) !== 0) {
    const error = yield* readError(type, length);
    pending.error ??= error;
  } else if (type === chunkTypes.none) {
    if (length !== 0) throw broken('an empty chunk with content');
  } else if (type === chunkTypes.data && pending.kind === 'read') {
    yield* readData(pending, length);
  } else if (type === chunkTypes.hole && pending.kind === 'read') {
    yield* readHole(pending, length);
  } else if (type === chunkTypes.blockStatus && pending.kind === 'status') {
    yield* readStatus(pending, length, contexts);
  } else {
    throw broken(`a chunk of type ${type} to a request of another kind`);
  }
}

function* readData(pending: PendingRead, length: number): Reading<void> {
  if (length < 9) throw broken('a data chunk without data');
  const head = Buffer.alloc(8);
  yield head;
  yield claim(pending, head.readBigUInt64BE(0), length - 8);
}

function* readHole(pending: PendingRead, length: number): Reading<void> {
  if (length !== 12) throw broken('a hole chunk of a wrong length');
  const payload = Buffer.alloc(12);
  yield payload;
  claim(pending, payload.readBigUInt64BE(0), payload.readUInt32BE(8)).fill(0);
}

/** The part of the read's target that a chunk speaks of, which no chunk before may have done. */
function claim(pending: PendingRead, offset: bigint, length: number): Uint8Array {
  const start = offset - BigInt(pending.offset);
  if (start < 0n || start > BigInt(pending.target.length) || !pending.coverage.add(Number(start), length)) {
    throw broken('a chunk outside its request or over another chunk');
  }
  return pending.target.subarray(Number(start), Number(start) + length);
}

function* readStatus(
  pending: PendingStatus,
  length: number,
  contexts: ReadonlyMap<number, string>,
): Reading<void> {
  const count = (length - 4) / 8;
  if (!Number.isInteger(count) || count < 1 || count > maxStatusExtents) {
    throw broken(`block status of ${length} bytes`);
  }
  const head = Buffer.alloc(4);
  yield head;
  const id = head.readUInt32BE(0);
  if (!contexts.has(id)) throw broken(`block status of context ${id}, which was not agreed on`);
  if (pending.found.has(id)) throw broken(`block status of context ${id} twice`);
  const payload = Buffer.alloc(length - 4);
  yield payload;
  const extents: StatusExtent[] = [];
  let covered = 0;
  for (let at = 0; at < payload.length; at += 8) {
    const extent = { length: payload.readUInt32BE(at), flags: payload.readUInt32BE(at + 4) };
    if (extent.length === 0) throw broken('block status of no length');
    if (covered >= pending.length) throw broken('block status beyond its request');
    extent.length = Math.min(extent.length, pending.length - covered);
    covered += extent.length;
    extents.push(extent);
  }
  pending.found.set(id, extents);
}

function* readError(type: number, length: number): Reading<NbdError> {
  if (length > maxErrorPayload) throw broken(`an error chunk of ${length} bytes`);
  const payload = Buffer.alloc(length);
  yield payload;
  if (type !== chunkTypes.error && type !== chunkTypes.errorOffset) {
    return serverError(5, `an error of unknown type ${type}`);
  }
  const textLength = length < 6 ? 0 : payload.readUInt16BE(4);
  const rest = length - 6 - textLength;
  if (length < 6 || rest !== (type === chunkTypes.errorOffset ? 8 : 0) || payload.readUInt32BE(0) === 0) {
    throw broken('an error chunk that makes no sense');
  }
  return serverError(payload.readUInt32BE(0), quoted(payload.toString('utf8', 6, 6 + textLength)));
}

function serverError(number: number, text: string): NbdError {
  const errorName = errorNames[number] ?? 'EINVAL'; // the protocol says to take unknown numbers for EINVAL
  return new NbdError('server', `the NBD server reported ${errorName}${text === '' ? '' : `: ${text}`}`, {
    errorName,
  });
}

function requireWhole(pending: Pending, contexts: ReadonlyMap<number, string>): void {
  if (pending.kind === 'read' && !pending.coverage.complete) throw broken('a read answered in part');
  if (pending.kind === 'status' && pending.found.size !== contexts.size) {
    throw broken('block status without all the contexts agreed on');
  }
}
