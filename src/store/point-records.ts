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
  checkRecord(record);
  const bytes = documents.encode('point', pointName(record.itemId, record.pointId), record);
  if (bytes.length > metadataLimitBytes + 1024 * 1024)
    throw new RangeError(`the metadata of ${record.pointId} is larger than ${metadataLimitBytes} bytes`);
  return bytes;
}

/** Throws a plain error for what no store has written, or should write. */
function checkRecord({ pointId, createdAt, disks, metadata, copyOf }: PointRecord): void {
  Temporal.Instant.from(createdAt);
  checkDisks(pointId, disks);
  if (copyOf !== undefined) checkDisks(pointId, copyOf.disks);
  if (copyOf !== undefined && typeof copyOf.storeId !== 'string')
    throw new Error(`${pointId} is a copy from no store`);
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata))
    throw new Error(`the metadata of ${pointId} is not an object`);
}

function checkDisks(pointId: string, disks: PointRecord['disks']): void {
  for (const { name, disk } of disks) {
    if (typeof name !== 'string') throw new Error(`a disk of ${pointId} has no name`);
    checkDiskRoot(disk);
  }
  if (new Set(disks.map(({ name }) => name)).size < disks.length)
    throw new Error(`two disks of ${pointId} have the same name`);
}

/** @throws StoreDamaged @throws StoreVersionNotSupported */
export function decodePoint(name: string, bytes: Buffer, documents: Documents): PointRecord {
  const body = documents.decode('point', name, bytes);
  const expected = pointOf(name);
  try {
    const record = body as PointRecord;
    if (record.pointId !== expected?.pointId || record.itemId !== expected.itemId)
      throw new Error(`it is the record of ${record.itemId}/${record.pointId}`);
    const { pointId, itemId, createdAt, metadata, copyOf } = record;
    const point = {
      pointId,
      itemId,
      createdAt,
      disks: record.disks.map(decodeDisk),
      metadata,
      ...(copyOf === undefined
        ? {}
        : { copyOf: { storeId: copyOf.storeId, disks: copyOf.disks.map(decodeDisk) } }),
    };
    checkRecord(point);
    return point;
  } catch (error) {
    throw new HoldfastError('StoreDamaged', `${name} is damaged: ${messageOf(error)}.`, {
      cause: error,
      target: name,
    });
  }
}

function decodeDisk({ name, disk }: PointRecord['disks'][number]): PointRecord['disks'][number] {
  const { root, sizeBytes, chunkSizeBytes } = disk;
  return { name, disk: { root: root ?? undefined, sizeBytes, chunkSizeBytes } };
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
