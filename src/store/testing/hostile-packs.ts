import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { encodeDocument } from '../document.ts';
import { packName, pointName } from '../layout.ts';
import { encodeFooter, encodeTrailer, type PackEntry, packHeader, packIdOfTrailer } from '../pack-format.ts';
import type { DiskRoot } from '../types.ts';

/** A frame and what the trailer says of it, whether that is true or not. */
export interface HostileChunk {
  frame: Buffer;
  claims: Partial<PackEntry> & Pick<PackEntry, 'id'>;
}

export const idOf = (plain: Uint8Array) => hash('sha256', plain, 'buffer');

/** A pack whose name, footer and checksums are right, whatever its entries claim. */
export function packOf(chunks: readonly HostileChunk[]): { name: string; bytes: Buffer } {
  let used = packHeader().length;
  const entries = chunks.map(({ frame, claims }) => {
    const entry: PackEntry = {
      kind: 1,
      codec: 0,
      offset: used,
      storedLength: frame.length,
      plainLength: frame.length,
      crc: crc32(frame),
      ...claims,
    };
    used += frame.length;
    return entry;
  });
  const trailer = encodeTrailer(entries);
  const parts = [packHeader(), ...chunks.map(({ frame }) => frame), trailer, encodeFooter(used, trailer)];
  return { name: packName(packIdOfTrailer(trailer)), bytes: Buffer.concat(parts) };
}

/** The record of a point `vm/<pointId>` with one disk. */
export function recordOf(pointId: string, disk: DiskRoot): { name: string; bytes: Buffer } {
  const body = {
    pointId,
    itemId: 'vm',
    createdAt: '2026-11-21T06:00:00Z',
    disks: [{ name: 'sda', disk }],
    metadata: {},
  };
  return { name: pointName('vm', pointId), bytes: encodeDocument('point', body) };
}
