import { changedExtents } from './changed-extents.ts';
import type { ChunkReader } from './chunk-reader.ts';
import { type DiskDamage, damagedDiskError, MapReader } from './disk-map.ts';
import { chunkGroups, groupsWithin } from './disk-reader.ts';
import { mapOrdered } from './map-ordered.ts';
import type { Damage, DiskRoot, PointRecord } from './types.ts';

const groupsInFlight = 8;

/** Everything that is wrong with the disks of a point. `onProgress` gets the running total of content bytes checked. */
export async function verifyDisks(
  record: PointRecord,
  chunks: ChunkReader,
  options: { onProgress?: (bytes: number) => void; signal?: AbortSignal },
): Promise<Damage[]> {
  const damages: Damage[] = [];
  let checkedBytes = 0;
  for (const { name, disk } of record.disks) {
    const report = ({ offset, length, damage }: DiskDamage) => {
      damages.push({
        kind: damage.kind,
        disk: name,
        offset,
        length,
        chunkId: damage.chunkId,
        message: `disk ${name}, bytes ${offset} to ${offset + length - 1}: ${damage.message}`,
        ...(damage.pack === undefined ? {} : { pack: damage.pack }),
      });
    };
    const map = new MapReader(disk, chunks);
    const { chunkSizeBytes, sizeBytes } = disk;
    const groups = chunkGroups(map, { signal: options.signal, onDamage: report });
    const checked = mapOrdered(groups, groupsInFlight, async ({ first, ids }) => ({
      first,
      count: ids.length,
      damaged: await chunks.check(ids, chunkSizeBytes, options.signal),
    }));
    for await (const { first, count, damaged } of checked) {
      options.signal?.throwIfAborted();
      for (const { number, damage } of damaged) {
        const offset = (first + number) * chunkSizeBytes;
        report({ offset, length: Math.min(chunkSizeBytes, sizeBytes - offset), damage });
      }
      checkedBytes += count * chunkSizeBytes;
      options.onProgress?.(checkedBytes);
    }
  }
  return damages;
}

/**
 * Reads what a disk has and `base` does not, down to the content, and throws at the first thing that is not what it must
 * be. Without `base` that is all of the disk. @throws StoreDamaged
 */
export async function checkDisk(
  { disk, base }: { disk: DiskRoot; base: DiskRoot | undefined },
  chunks: ChunkReader,
  options: { onProgress?: ((bytes: number) => void) | undefined; signal: AbortSignal },
): Promise<void> {
  const { onProgress, signal } = options;
  const { chunkSizeBytes } = disk;
  const map = new MapReader(disk, chunks);
  const groups = async function* () {
    for await (const extent of changedExtents(base && new MapReader(base, chunks), map, signal))
      if (!extent.zero) yield* groupsWithin(map, extent);
  };
  const checked = mapOrdered(groups(), groupsInFlight, async ({ first, ids }) => ({
    first,
    count: ids.length,
    damaged: await chunks.check(ids, chunkSizeBytes, signal),
  }));
  for await (const { first, count, damaged } of checked) {
    signal.throwIfAborted();
    for (const { number, damage } of damaged) {
      const offset = (first + number) * chunkSizeBytes;
      const length = Math.min(chunkSizeBytes, disk.sizeBytes - offset);
      throw damagedDiskError({ offset, length, damage });
    }
    onProgress?.(count * chunkSizeBytes);
  }
}

/**
 * The first thing a disk refers to that is not in the store, judged by the index; its pages are read, its data is not.
 */
export async function findMissing(
  disk: DiskRoot,
  chunks: ChunkReader,
  signal: AbortSignal,
): Promise<DiskDamage | undefined> {
  const missing: DiskDamage[] = [];
  const map = new MapReader(disk, chunks);
  for await (const { first, ids } of chunkGroups(map, {
    signal,
    onDamage: (damage) => missing.push(damage),
  })) {
    const absences = await chunks.absences(ids, disk.chunkSizeBytes);
    absences.forEach((damage, number) => {
      const offset = (first + number) * disk.chunkSizeBytes;
      if (damage !== undefined) missing.push({ offset, length: disk.chunkSizeBytes, damage });
    });
    if (missing.length > 0) break;
  }
  return missing[0];
}
