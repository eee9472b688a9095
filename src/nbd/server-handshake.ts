import type { NbdExport } from './exports.ts';
import {
  allocationContext,
  defaultMaxPayload,
  greetingMagic,
  handshakeFlags,
  infoTypes,
  maxStringBytes,
  optionMagic,
  optionReplies,
  optionReplyMagic,
  options,
  transmissionFlags,
} from './protocol.ts';
import type { SocketReader } from './socket-reader.ts';

/** What the client has chosen, and how it wants to be answered. */
export interface Session {
  export: NbdExport;
  structuredReplies: boolean;
  /** Id of the allocation context, if the client asked for it. */
  allocation: number | undefined;
}

/** The one context there is. */
const allocationId = 1;
/** Options of one client before it is given up; a real one sends a handful. */
const maxOptions = 64;
/** The longest option has a name and a few queries. */
const maxOptionBytes = 8 * maxStringBytes;

const defaultPreferredBlock = 64 * 1024;

const exportFlags =
  transmissionFlags.hasFlags |
  transmissionFlags.readOnly |
  transmissionFlags.flush |
  transmissionFlags.dontFragment |
  transmissionFlags.multipleConnections;

/**
 * The server's side of the fixed-newstyle handshake.
 * @returns undefined when the client left, or broke the protocol: it is to be hung up on
 */
export async function welcome(
  reader: SocketReader,
  send: (bytes: Uint8Array) => void,
  exports: ReadonlyMap<string, NbdExport>,
): Promise<Session | undefined> {
  const greeting = Buffer.alloc(18);
  greeting.writeBigUInt64BE(greetingMagic, 0);
  greeting.writeBigUInt64BE(optionMagic, 8);
  greeting.writeUInt16BE(handshakeFlags.fixedNewstyle | handshakeFlags.noZeroes, 16);
  send(greeting);
  const flags = (await reader.take(4))?.readUInt32BE(0);
  if (flags === undefined || (flags & handshakeFlags.fixedNewstyle) === 0) return undefined;

  const agreed: Omit<Session, 'export'> = { structuredReplies: false, allocation: undefined };
  let contextsOf: string | undefined;
  for (let count = 0; count < maxOptions; count++) {
    const head = await reader.take(16);
    if (head === undefined || head.readBigUInt64BE(0) !== optionMagic) return undefined;
    const option = head.readUInt32BE(8);
    const length = head.readUInt32BE(12);
    if (length > maxOptionBytes) return undefined;
    const data = await reader.take(length);
    if (data === undefined) return undefined;
    const reply = (type: number, content: Uint8Array = Buffer.alloc(0)) =>
      send(encodeReply(option, type, content));

    switch (option) {
      case options.exportName: {
        const chosen = exports.get(data.toString('utf8'));
        if (chosen === undefined) return undefined; // this option has no way to say no
        const zeroes = (flags & handshakeFlags.noZeroes) === 0 ? 124 : 0;
        send(Buffer.concat([encodeSize(chosen), Buffer.alloc(zeroes)]));
        return { ...agreed, allocation: undefined, export: chosen };
      }
      case options.abort:
        reply(optionReplies.ack);
        return undefined;
      case options.list:
        for (const name of exports.keys()) reply(optionReplies.server, encodeString(name));
        reply(optionReplies.ack);
        break;
      case options.structuredReply:
        agreed.structuredReplies = true;
        reply(optionReplies.ack);
        break;
      case options.listMetaContext:
      case options.setMetaContext: {
        const asked = decodeContextQuery(data);
        if (asked === undefined || !agreed.structuredReplies) reply(optionReplies.invalid);
        else if (!exports.has(asked.exportName)) reply(optionReplies.unknown);
        else {
          const isListing = option === options.listMetaContext;
          const wanted =
            asked.queries.includes(allocationContext) ||
            (isListing && (asked.queries.length === 0 || asked.queries.includes('base:')));
          if (!isListing) {
            agreed.allocation = wanted ? allocationId : undefined;
            contextsOf = asked.exportName;
          }
          if (wanted) reply(optionReplies.metaContext, encodeContext(isListing ? 0 : allocationId));
          reply(optionReplies.ack);
        }
        break;
      }
      case options.info:
      case options.go: {
        const name = decodeGo(data);
        const chosen = name === undefined ? undefined : exports.get(name);
        if (chosen === undefined) {
          reply(name === undefined ? optionReplies.invalid : optionReplies.unknown);
          break;
        }
        reply(optionReplies.info, Buffer.concat([u16(infoTypes.export), encodeSize(chosen)]));
        reply(optionReplies.info, encodeBlockSizes(chosen));
        reply(optionReplies.ack);
        if (option === options.info) break;
        // Contexts hold for the export they were asked about.
        return { ...agreed, ...(contextsOf === name ? {} : { allocation: undefined }), export: chosen };
      }
      default:
        reply(optionReplies.unsupported);
    }
  }
  return undefined;
}

function encodeReply(option: number, type: number, data: Uint8Array): Uint8Array {
  const head = Buffer.alloc(20);
  head.writeBigUInt64BE(optionReplyMagic, 0);
  head.writeUInt32BE(option, 8);
  head.writeUInt32BE(type, 12);
  head.writeUInt32BE(data.length, 16);
  return Buffer.concat([head, data]);
}

function encodeSize({ sizeBytes }: NbdExport): Buffer {
  const bytes = Buffer.alloc(10);
  bytes.writeBigUInt64BE(BigInt(sizeBytes), 0);
  bytes.writeUInt16BE(exportFlags, 8);
  return bytes;
}

function encodeBlockSizes({ preferredBlock = defaultPreferredBlock }: NbdExport): Buffer {
  const bytes = Buffer.alloc(14);
  bytes.writeUInt16BE(infoTypes.blockSize, 0);
  bytes.writeUInt32BE(1, 2);
  bytes.writeUInt32BE(preferredBlock, 6);
  bytes.writeUInt32BE(defaultMaxPayload, 10);
  return bytes;
}

function encodeContext(id: number): Buffer {
  return Buffer.concat([u32(id), Buffer.from(allocationContext)]);
}

const encodeString = (text: string) => Buffer.concat([u32(Buffer.byteLength(text)), Buffer.from(text)]);

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A string of the protocol and where it ends; undefined when the data is too short for it. */
function stringAt(data: Buffer, at: number): { text: string; end: number } | undefined {
  if (at + 4 > data.length) return undefined;
  const end = at + 4 + data.readUInt32BE(at);
  return end > data.length ? undefined : { text: data.toString('utf8', at + 4, end), end };
}

function decodeGo(data: Buffer): string | undefined {
  const name = stringAt(data, 0);
  if (name === undefined || name.end + 2 > data.length) return undefined;
  const requests = data.readUInt16BE(name.end);
  return name.end + 2 + 2 * requests === data.length ? name.text : undefined;
}

function decodeContextQuery(data: Buffer): { exportName: string; queries: string[] } | undefined {
  const name = stringAt(data, 0);
  if (name === undefined || name.end + 4 > data.length) return undefined;
  const count = data.readUInt32BE(name.end);
  const queries: string[] = [];
  let at = name.end + 4;
  // Each takes four bytes at least, so a count that lies ends the loop by itself.
  for (let number = 0; number < count; number++) {
    const query = stringAt(data, at);
    if (query === undefined) return undefined;
    queries.push(query.text);
    at = query.end;
  }
  return at === data.length ? { exportName: name.text, queries } : undefined;
}
