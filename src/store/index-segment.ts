import { crc32 } from 'node:zlib';
import { packIdOfTrailer } from './pack-format.ts';

/** Byte layout of index segments; the table is in `docs/store-format.md`. */
const segmentVersion = 1;
const segmentMagic = Buffer.from('HFINDEX\n', 'latin1');
const segmentHeaderBytes = 16;
const sectionHeaderBytes = 48;

function segmentHeader(): Buffer {
  const header = Buffer.alloc(segmentHeaderBytes);
  segmentMagic.copy(header);
  header.writeUInt16LE(segmentVersion, 8);
  return header;
}

/** What the index keeps of one pack: its trailer, word for word, so that the pack's name checks it. */
export interface IndexSection {
  packId: string;
  packBytes: number;
  trailer: Buffer;
}

export function* encodeSegment(sections: Iterable<IndexSection>): Generator<Buffer> {
  yield segmentHeader();
  for (const section of sections) {
    const head = Buffer.alloc(sectionHeaderBytes);
    head.write(section.packId, 0, 'hex');
    head.writeBigUInt64LE(BigInt(section.packBytes), 32);
    head.writeUInt32LE(section.trailer.length, 40);
    head.writeUInt32LE(crc32(head.subarray(0, 44)), 44);
    yield head;
    yield section.trailer;
  }
}

/**
 * The sections of a segment up to the first that is not whole. The index is a cache: what is missing here is read from
 * the packs, so damage needs no error, and another version is as good as no segment.
 */
export function* segmentSections(segment: Buffer): Generator<IndexSection> {
  if (!hasHeader(segment)) return;
  let at = segmentHeaderBytes;
  while (at + sectionHeaderBytes <= segment.length) {
    const head = segment.subarray(at, at + sectionHeaderBytes);
    if (crc32(head.subarray(0, 44)) !== head.readUInt32LE(44)) return;
    const packId = head.toString('hex', 0, 32);
    const trailer = segment.subarray(
      at + sectionHeaderBytes,
      at + sectionHeaderBytes + head.readUInt32LE(40),
    );
    if (packIdOfTrailer(trailer) !== packId) return;
    yield { packId, packBytes: Number(head.readBigUInt64LE(32)), trailer };
    at += sectionHeaderBytes + trailer.length;
  }
}

function hasHeader(segment: Buffer): boolean {
  return segment.subarray(0, segmentHeaderBytes).equals(segmentHeader());
}

/** Where the last section that is whole ends: at the end of the segment, unless it is damaged or cut short. */
export function segmentEnd(segment: Buffer): number {
  if (!hasHeader(segment)) return -1;
  let end = segmentHeaderBytes;
  for (const { trailer } of segmentSections(segment)) end += sectionHeaderBytes + trailer.length;
  return end;
}
