import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** Byte layout of packs; the tables are in `docs/store-format.md`. All numbers are little-endian. */
export const packVersion = 1;
export const packHeaderBytes = 16;
export const packEntryBytes = 64;
export const packFooterBytes = 64;

const headerMagic = Buffer.from('HFPACK\r\n', 'latin1');
const footerMagic = Buffer.from('HFPKEND\n', 'latin1');

/** What a chunk is: part of a disk, or a page of a disk's map. */
export const chunkKinds = { data: 1, map: 2 } as const;
export type ChunkKind = (typeof chunkKinds)[keyof typeof chunkKinds];

/** How a frame holds its chunk. In an encrypted store every frame is sealed, in any other none. */
export const codecs = { plain: 0, zstd: 1, sealedPlain: 2, sealedZstd: 3 } as const;
export type Codec = (typeof codecs)[keyof typeof codecs];

export function isSealed(codec: Codec): boolean {
  return codec === codecs.sealedPlain || codec === codecs.sealedZstd;
}

/** Of the key that a frame is sealed with. There is one key so far. */
const keyNumber = 1;
const noKey = 0;

export interface PackEntry {
  /** 32 bytes. */
  id: Uint8Array;
  kind: ChunkKind;
  codec: Codec;
  /** From the start of the pack. */
  offset: number;
  storedLength: number;
  plainLength: number;
  /** Of the stored bytes. */
  crc: number;
}

export function packHeader(): Buffer {
  const header = Buffer.alloc(packHeaderBytes);
  headerMagic.copy(header);
  header.writeUInt16LE(packVersion, 8);
  return header;
}

export function encodeTrailer(entries: readonly PackEntry[]): Buffer {
  const trailer = Buffer.alloc(entries.length * packEntryBytes);
  entries.forEach((entry, number) => {
    const at = number * packEntryBytes;
    trailer.set(entry.id, at);
    trailer.writeUInt8(entry.kind, at + 32);
    trailer.writeUInt8(entry.codec, at + 33);
    trailer.writeUInt32LE(entry.crc, at + 36);
    trailer.writeBigUInt64LE(BigInt(entry.offset), at + 40);
    trailer.writeUInt32LE(entry.storedLength, at + 48);
    trailer.writeUInt32LE(entry.plainLength, at + 52);
    trailer.writeUInt32LE(isSealed(entry.codec) ? keyNumber : noKey, at + 56);
  });
  return trailer;
}

/** The pack's name: it covers every entry, and through their ids and checksums every byte that matters. */
export function packIdOfTrailer(trailer: Uint8Array): string {
  return hash('sha256', trailer);
}

export function encodeFooter(trailerOffset: number, trailer: Buffer): Buffer {
  const footer = Buffer.alloc(packFooterBytes);
  footer.writeBigUInt64LE(BigInt(trailerOffset), 0);
  footer.writeUInt32LE(trailer.length, 8);
  footer.writeUInt32LE(trailer.length / packEntryBytes, 12);
  hash('sha256', trailer, 'buffer').copy(footer, 16);
  footer.writeUInt16LE(packVersion, 48);
  footer.writeUInt32LE(crc32(footer.subarray(0, 52)), 52);
  footerMagic.copy(footer, 56);
  return footer;
}

/** Where the trailer of a pack is, or why its last bytes are not a footer. */
export function decodeFooter(
  footer: Buffer,
  packBytes: number,
): { offset: number; length: number } | { wrong: string } {
  if (footer.length !== packFooterBytes || !footer.subarray(56).equals(footerMagic))
    return { wrong: 'it does not end as a pack does' };
  if (footer.readUInt16LE(48) !== packVersion)
    return {
      wrong: `its version is ${footer.readUInt16LE(48)}, this program reads version ${packVersion}`,
    };
  if (crc32(footer.subarray(0, 52)) !== footer.readUInt32LE(52)) return { wrong: 'its footer is damaged' };
  const offset = Number(footer.readBigUInt64LE(0));
  const length = footer.readUInt32LE(8);
  if (packBytes > 0xffff_ffff) return { wrong: 'it is larger than 4 GiB' };
  if (offset + length + packFooterBytes !== packBytes || length % packEntryBytes !== 0)
    return { wrong: 'its footer does not fit its size' };
  return { offset, length };
}

/** An entry with its place in the trailer. */
export interface TrailerEntry extends PackEntry {
  number: number;
}

/** The entries of a trailer whose checksum has been checked. An entry of an unknown kind, codec or key is left out. */
export function* trailerEntries(trailer: Buffer): Generator<TrailerEntry> {
  for (let number = 0; (number + 1) * packEntryBytes <= trailer.length; number++) {
    const entry = trailerEntry(trailer, number);
    if (entry !== undefined) yield entry;
  }
}

/** One entry of a trailer, as {@link trailerEntries} yields it; `id` is a view of the trailer. */
export function trailerEntry(trailer: Buffer, number: number): TrailerEntry | undefined {
  const plainLength = plainLengthIn(trailer, number);
  if (plainLength === undefined) return undefined;
  const at = number * packEntryBytes;
  return {
    number,
    id: trailer.subarray(at, at + 32),
    kind: trailer.readUInt8(at + 32) as ChunkKind,
    codec: trailer.readUInt8(at + 33) as Codec,
    crc: trailer.readUInt32LE(at + 36),
    offset: Number(trailer.readBigUInt64LE(at + 40)),
    storedLength: trailer.readUInt32LE(at + 48),
    plainLength,
  };
}

/** As {@link trailerEntry} for a walk over all there are: makes no object. */
export function plainLengthIn(trailer: Buffer, number: number): number | undefined {
  const at = number * packEntryBytes;
  const kind = trailer[at + 32] ?? 0;
  const codec = trailer[at + 33] ?? 0;
  if (kind !== chunkKinds.data && kind !== chunkKinds.map) return undefined;
  if (!isCodec(codec) || trailer[at + 34] !== 0 || trailer[at + 35] !== 0) return undefined;
  const key = isSealed(codec) ? keyNumber : noKey;
  if (trailer.readUInt32LE(at + 56) !== key || trailer.readUInt32LE(at + 60) !== 0) return undefined;
  return trailer.readUInt32LE(at + 52);
}

function isCodec(value: number): value is Codec {
  return value <= codecs.sealedZstd;
}
