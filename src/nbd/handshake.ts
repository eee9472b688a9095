import type { Reading } from './intake.ts';
import { NbdError, quoted } from './nbd-error.ts';
import {
  defaultMaxPayload,
  greetingMagic,
  handshakeFlags,
  infoTypes,
  maxStringBytes,
  optionMagic,
  optionReplies,
  optionReplyMagic,
  options,
} from './protocol.ts';

export interface HandshakeRequest {
  exportName: string;
  /** Meta contexts to ask for. The server may know none of them. */
  contexts: readonly string[];
}

/** What server and client agreed on. */
export interface Agreement {
  /** Bytes. */
  sizeBytes: number;
  /** Bits of `transmissionFlags`. */
  flags: number;
  /** Requests must be aligned to this. 1 where the server names none. */
  minimumBlock: number;
  preferredBlock: number;
  /** Largest read or write. */
  maximumBlock: number;
  structuredReplies: boolean;
  /** Name by id of the contexts that block status will tell. */
  contexts: ReadonlyMap<number, string>;
}

/** Replies to one option that are read before the server is held to be broken. */
const maxOptionReplies = 64;
/** Longest reply to an option; the protocol's longest has two strings. */
const maxOptionReplyBytes = 4 * maxStringBytes;

interface OptionReply {
  type: number;
  data: Buffer;
}

const broken = (what: string) => new NbdError('protocol', `the NBD server broke the handshake: ${what}`);

/**
 * The fixed-newstyle handshake up to the moment requests may be sent.
 * @throws NbdError `refused` or `protocol`
 */
export function* handshake(send: (bytes: Uint8Array) => void, request: HandshakeRequest): Reading<Agreement> {
  const greeting = Buffer.alloc(18);
  yield greeting;
  if (greeting.readBigUInt64BE(0) !== greetingMagic) {
    throw new NbdError('refused', 'what answered is not an NBD server');
  }
  const serverFlags = greeting.readUInt16BE(16);
  if (greeting.readBigUInt64BE(8) !== optionMagic || (serverFlags & handshakeFlags.fixedNewstyle) === 0) {
    throw new NbdError('refused', 'the NBD server speaks an old protocol without options');
  }
  const answer = Buffer.alloc(4);
  answer.writeUInt32BE(serverFlags & (handshakeFlags.fixedNewstyle | handshakeFlags.noZeroes));
  send(answer);

  send(encodeOption(options.structuredReply, Buffer.alloc(0)));
  const structuredReplies = isAck(yield* lastReply(options.structuredReply));

  const contexts = new Map<number, string>();
  if (structuredReplies && request.contexts.length > 0) {
    send(encodeOption(options.setMetaContext, encodeContextQuery(request)));
    const ack = yield* lastReply(options.setMetaContext, (reply) => {
      if (reply.type !== optionReplies.metaContext || reply.data.length < 5) {
        throw broken(`reply type ${reply.type} to the meta context option`);
      }
      const id = reply.data.readUInt32BE(0);
      const name = reply.data.toString('utf8', 4);
      if (contexts.has(id)) throw broken(`context id ${id} given twice`);
      if (!request.contexts.includes(name)) throw broken('a meta context that was not asked for');
      contexts.set(id, name);
    });
    if (!isAck(ack)) contexts.clear();
  }

  send(encodeOption(options.go, encodeGo(request.exportName)));
  const limits = { minimumBlock: 1, preferredBlock: 4096, maximumBlock: defaultMaxPayload };
  let size: { sizeBytes: number; flags: number } | undefined;
  const last = yield* lastReply(options.go, (reply) => {
    if (reply.type !== optionReplies.info || reply.data.length < 2) {
      throw broken(`reply type ${reply.type} to the go option`);
    }
    const type = reply.data.readUInt16BE(0);
    if (type === infoTypes.export) size = decodeExport(reply.data);
    else if (type === infoTypes.blockSize) Object.assign(limits, decodeBlockSize(reply.data));
  });
  if (!isAck(last)) {
    const said = quoted(last.data.toString('utf8'));
    throw new NbdError(
      'refused',
      `the NBD server refused the export '${request.exportName}'${said === '' ? '' : `: ${said}`}`,
    );
  }
  if (size === undefined) throw broken('no size for the export');
  return { ...size, ...limits, structuredReplies, contexts };
}

const isAck = (reply: OptionReply) => reply.type === optionReplies.ack;

/** Reads replies to `option` until the one that ends them: ack or an error. The others go to `onReply`. */
function* lastReply(option: number, onReply?: (reply: OptionReply) => void): Reading<OptionReply> {
  const head = Buffer.alloc(20);
  for (let count = 0; count < maxOptionReplies; count++) {
    yield head;
    if (head.readBigUInt64BE(0) !== optionReplyMagic) throw broken('an option reply without its magic');
    if (head.readUInt32BE(8) !== option) throw broken('a reply to an option that was not sent');
    const length = head.readUInt32BE(16);
    if (length > maxOptionReplyBytes) throw broken(`an option reply of ${length} bytes`);
    const reply = { type: head.readUInt32BE(12), data: Buffer.alloc(length) };
    yield reply.data;
    if (isAck(reply) || (reply.type & optionReplies.errorBit) !== 0) return reply;
    if (onReply === undefined) throw broken(`reply type ${reply.type} to option ${option}`);
    onReply(reply);
  }
  throw broken('too many replies to one option');
}

function decodeExport(data: Buffer): { sizeBytes: number; flags: number } {
  if (data.length !== 12) throw broken('export information of a wrong length');
  const size = data.readBigUInt64BE(2);
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw broken(`an export of ${size} bytes`);
  return { sizeBytes: Number(size), flags: data.readUInt16BE(10) };
}

function decodeBlockSize(data: Buffer): {
  minimumBlock: number;
  preferredBlock: number;
  maximumBlock: number;
} {
  if (data.length !== 14) throw broken('block size information of a wrong length');
  const [minimum, preferred, maximum] = [data.readUInt32BE(2), data.readUInt32BE(6), data.readUInt32BE(10)];
  const isPowerOfTwo = minimum > 0 && (minimum & (minimum - 1)) === 0;
  if (!isPowerOfTwo || minimum > 65536 || preferred < minimum || maximum < minimum) {
    throw broken(`block sizes ${minimum}, ${preferred}, ${maximum}`);
  }
  const maximumBlock = Math.min(maximum, defaultMaxPayload);
  return {
    minimumBlock: minimum,
    preferredBlock: preferred,
    maximumBlock: maximumBlock - (maximumBlock % minimum),
  };
}

function encodeOption(option: number, data: Uint8Array): Uint8Array {
  const head = Buffer.alloc(16);
  head.writeBigUInt64BE(optionMagic, 0);
  head.writeUInt32BE(option, 8);
  head.writeUInt32BE(data.length, 12);
  return Buffer.concat([head, data]);
}

function encodeString(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length > maxStringBytes)
    throw new RangeError(`a name of ${bytes.length} bytes is too long for NBD`);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function encodeContextQuery(request: HandshakeRequest): Buffer {
  const count = Buffer.alloc(4);
  count.writeUInt32BE(request.contexts.length);
  return Buffer.concat([encodeString(request.exportName), count, ...request.contexts.map(encodeString)]);
}

function encodeGo(exportName: string): Buffer {
  return Buffer.concat([encodeString(exportName), Buffer.from([0, 1, 0, infoTypes.blockSize])]);
}
