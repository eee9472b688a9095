import type { ChunkReader } from './chunk-reader.ts';
import { type DiskDamage, MapReader } from './disk-map.ts';
import { chunkGroups } from './disk-reader.ts';
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
      results: await chunks.readMany(ids, chunkSizeBytes, options.signal),
    }));
    for await (const { first, results } of checked) {
      options.signal?.throwIfAborted();
      results.forEach(({ damage }, number) => {
        const offset = (first + number) * chunkSizeBytes;
        if (damage !== undefined)
          report({ offset, length: Math.min(chunkSizeBytes, sizeBytes - offset), damage });
      });
      checkedBytes += results.length * chunkSizeBytes;
      options.onProgress?.(checkedBytes);
    }
  }
  return damages;
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
    ids.forEach((id, number) => {
      const damage = chunks.absence(id, disk.chunkSizeBytes);
      const offset = (first + number) * disk.chunkSizeBytes;
      if (damage !== undefined) missing.push({ offset, length: disk.chunkSizeBytes, damage });
    });
    if (missing.length > 0) break;
  }
  return missing[0];
}
