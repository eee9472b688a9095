/** Numbers of the NBD protocol; the README beside this file has the messages they stand in. */

export const greetingMagic = 0x4e42444d41474943n; // NBDMAGIC
export const optionMagic = 0x49484156454f5054n; // IHAVEOPT
export const optionReplyMagic = 0x0003e889045565a9n;
export const requestMagic = 0x25609513;
export const simpleReplyMagic = 0x67446698;
export const structuredReplyMagic = 0x668e33ef;

export const handshakeFlags = { fixedNewstyle: 1, noZeroes: 2 } as const;

export const options = {
  exportName: 1,
  abort: 2,
  list: 3,
  info: 6,
  go: 7,
  structuredReply: 8,
  listMetaContext: 9,
  setMetaContext: 10,
} as const;

export const optionReplies = {
  ack: 1,
  server: 2,
  info: 3,
  metaContext: 4,
  errorBit: 0x80000000,
  unsupported: 0x80000001,
  invalid: 0x80000003,
  unknown: 0x80000006,
} as const;

export const infoTypes = { export: 0, blockSize: 3 } as const;

export const transmissionFlags = {
  hasFlags: 1 << 0,
  readOnly: 1 << 1,
  flush: 1 << 2,
  forceUnitAccess: 1 << 3,
  trim: 1 << 5,
  writeZeroes: 1 << 6,
  dontFragment: 1 << 7,
  multipleConnections: 1 << 8,
} as const;

export const commands = {
  read: 0,
  write: 1,
  disconnect: 2,
  flush: 3,
  trim: 4,
  writeZeroes: 6,
  blockStatus: 7,
} as const;

export type Command = (typeof commands)[keyof typeof commands];

export const commandFlags = { forceUnitAccess: 1, noHole: 2, dontFragment: 4, requestOne: 8 } as const;

export const chunkTypes = {
  none: 0,
  data: 1,
  hole: 2,
  blockStatus: 5,
  errorBit: 0x8000,
  error: 0x8001,
  errorOffset: 0x8002,
} as const;

export const chunkFlagDone = 1;

/** Longest name or message the protocol allows in a string. */
export const maxStringBytes = 4096;

/** Largest payload of a read or write where the server names no limit of its own. */
export const defaultMaxPayload = 32 * 1024 * 1024;

/** Commands without payload may cover more than a payload; this keeps one of them from holding the server for long. */
export const maxRangeLength = 1024 * 1024 * 1024;

/** The meta context that says where an export holds data, and the bits it says that with. */
export const allocationContext = 'base:allocation';
export const allocationFlags = { hole: 1, zero: 2 } as const;

/** Error numbers as the protocol fixes them, whatever the server's system calls them. */
export const errorNames: Readonly<Record<number, string>> = {
  1: 'EPERM',
  5: 'EIO',
  12: 'ENOMEM',
  22: 'EINVAL',
  28: 'ENOSPC',
  75: 'EOVERFLOW',
  95: 'ENOTSUP',
  108: 'ESHUTDOWN',
};

export interface RequestHeader {
  command: Command;
  flags: number;
  cookie: number;
  offset: number;
  length: number;
}

export function encodeRequest(request: RequestHeader): Uint8Array {
  const bytes = new Uint8Array(28);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, requestMagic);
  view.setUint16(4, request.flags);
  view.setUint16(6, request.command);
  view.setBigUint64(8, BigInt(request.cookie));
  view.setBigUint64(16, BigInt(request.offset));
  view.setUint32(24, request.length);
  return bytes;
}

/** Reads what {@link encodeRequest} wrote. The cookie is the client's own and not looked at: eight bytes. */
export function decodeRequest(
  bytes: Buffer,
): { command: number; flags: number; cookie: Buffer; offset: bigint; length: number } | undefined {
  if (bytes.readUInt32BE(0) !== requestMagic) return undefined;
  return {
    flags: bytes.readUInt16BE(4),
    command: bytes.readUInt16BE(6),
    cookie: Buffer.from(bytes.subarray(8, 16)),
    offset: bytes.readBigUInt64BE(16),
    length: bytes.readUInt32BE(24),
  };
}
