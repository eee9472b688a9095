import { isHoldfastError } from '../errors/index.ts';
import type { Store } from './store.ts';
import type { UpkeepOptions } from './verify/types.ts';

export interface HealedPoint {
  /** Chunks stored anew. */
  healedChunks: number;
  /** Bytes of the point's disks that still cannot be read. */
  lostBytes: number;
}

/**
 * Stores anew what cannot be read of a point, from the same point in another store: its copy, or what it is a copy of.
 * Only damaged stretches are read there, and content proves itself by its id. Undefined when the other store has no such
 * point, or none that can be read.
 * @throws RecoveryPointNotInStore @throws StoreDamaged when the point's own record cannot be read @throws StoreFull
 */
export async function healPoint(
  store: Store,
  other: Store,
  point: { itemId: string; pointId: string },
  options: UpkeepOptions = {},
): Promise<HealedPoint | undefined> {
  const { disks } = await store.readPoint(point.itemId, point.pointId);
  const there = await readThere(other, point);
  if (there === undefined) return undefined;
  const healed: HealedPoint = { healedChunks: 0, lostBytes: 0 };
  for (const { name, disk } of disks) {
    const twin = there.disks.find((each) => each.name === name && each.disk.sizeBytes === disk.sizeBytes);
    if (twin === undefined) return undefined;
    using reader = other.openDisk(twin.disk);
    const source = {
      read: (offset: number, length: number, signal?: AbortSignal) => reader.read(offset, length, signal),
    };
    const { healedChunks, lost } = await store.heal(disk, source, options);
    healed.healedChunks += healedChunks;
    for (const { length } of lost) healed.lostBytes += length;
  }
  return healed;
}

async function readThere(other: Store, { itemId, pointId }: { itemId: string; pointId: string }) {
  try {
    return await other.readPoint(itemId, pointId);
  } catch (error) {
    if (isHoldfastError(error, 'RecoveryPointNotInStore', 'StoreDamaged')) return undefined;
    throw error;
  }
}
