import { HoldfastError, isHoldfastError, messageOf } from '../errors/index.ts';
import type { Backend } from './backend.ts';
import { checkDiskRoot } from './disk-map.ts';
import type { Documents } from './document.ts';
import { pointName, pointOf, pointPrefix } from './layout.ts';
import { mapOrdered } from './map-ordered.ts';
import { believableListing, fetchObject } from './object-access.ts';
import type { Damage, PointRecord } from './types.ts';

const metadataLimitBytes = 16 * 1024 * 1024;
const recordsInFlight = 8;

/** Where the records are, and how they are to be read. */
export interface PointsPlace {
  backend: Backend;
  documents: Documents;
}

/** Throws a plain error for a record that could not be read back as it is. */
export function encodePoint(record: PointRecord, documents: Documents): Buffer {
  Temporal.Instant.from(record.createdAt);
  for (const { disk } of record.disks) checkDiskRoot(disk);
  if (new Set(record.disks.map(({ name }) => name)).size < record.disks.length)
    throw new Error(`two disks of ${record.pointId} have the same name`);
  const bytes = documents.encode('point', pointName(record.itemId, record.pointId), record);
  if (bytes.length > metadataLimitBytes + 1024 * 1024)
    throw new RangeError(`the metadata of ${record.pointId} is larger than ${metadataLimitBytes} bytes`);
  return bytes;
}

/** @throws StoreDamaged @throws StoreVersionNotSupported */
export function decodePoint(name: string, bytes: Buffer, documents: Documents): PointRecord {
  const body = documents.decode('point', name, bytes);
  const expected = pointOf(name);
  try {
    const record = body as PointRecord;
    if (record.pointId !== expected?.pointId || record.itemId !== expected.itemId)
      throw new Error(`it is the record of ${record.itemId}/${record.pointId}`);
    Temporal.Instant.from(record.createdAt);
    const disks = record.disks.map(({ name, disk }) => {
      const root = disk.root ?? undefined;
      checkDiskRoot({ ...disk, root });
      return { name, disk: { root, sizeBytes: disk.sizeBytes, chunkSizeBytes: disk.chunkSizeBytes } };
    });
    const { pointId, itemId, createdAt, metadata } = record;
    return { pointId, itemId, createdAt, disks, metadata };
  } catch (error) {
    throw new HoldfastError('StoreDamaged', `${name} is damaged: ${messageOf(error)}.`, {
      cause: error,
      target: name,
    });
  }
}

/** @throws RecoveryPointNotInStore @throws StoreDamaged @throws StoreVersionNotSupported */
export async function readPoint(
  { backend, documents }: PointsPlace,
  itemId: string,
  pointId: string,
): Promise<PointRecord> {
  const name = pointName(itemId, pointId);
  const bytes = await fetchObject(backend, name);
  if (bytes === undefined)
    throw new HoldfastError(
      'RecoveryPointNotInStore',
      `The store has no recovery point ${pointId} of ${itemId}.`,
      {
        target: pointId,
      },
    );
  if (typeof bytes === 'string')
    throw new HoldfastError('StoreDamaged', `${name} cannot be read: ${bytes}`, { target: name });
  return decodePoint(name, bytes, documents);
}

/** Names of the points there are. */
export async function listPointNames(backend: Backend): Promise<{ itemId: string; pointId: string }[]> {
  const found: { itemId: string; pointId: string }[] = [];
  for await (const { name } of believableListing(backend, pointPrefix)) {
    const point = pointOf(name);
    if (point !== undefined) found.push(point);
  }
  return found;
}

export async function listPoints(place: PointsPlace): Promise<{ points: PointRecord[]; damaged: Damage[] }> {
  const points: PointRecord[] = [];
  const damaged: Damage[] = [];
  async function* names() {
    yield* await listPointNames(place.backend);
  }
  const read = async ({ itemId, pointId }: { itemId: string; pointId: string }) => {
    try {
      points.push(await readPoint(place, itemId, pointId));
    } catch (error) {
      if (isHoldfastError(error, 'RecoveryPointNotInStore')) return; // deleted since it was listed
      if (!isHoldfastError(error, 'StoreDamaged', 'StoreVersionNotSupported')) throw error;
      damaged.push({ kind: 'corrupt', message: error.message });
    }
  };
  for await (const _ of mapOrdered(names(), recordsInFlight, read));
  points.sort(
    (a, b) =>
      compare(a.itemId, b.itemId) ||
      Temporal.Instant.compare(a.createdAt, b.createdAt) ||
      compare(a.pointId, b.pointId),
  );
  damaged.sort((a, b) => compare(a.message, b.message));
  return { points, damaged };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
