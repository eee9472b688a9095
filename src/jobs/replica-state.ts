import { type Database, listPlaces, type PointPlace, type ReplicaRow, transferOf } from '../catalog/index.ts';
import { pointsToCopy, type ReplicaPoint, type ReplicaRetention } from '../protection/index.ts';
import type { PointRecord } from '../store/index.ts';
import type { DiskTransfer } from './transfer.ts';

export const retentionOf = (replica: ReplicaRow) => JSON.parse(replica.retention_json) as ReplicaRetention;

/** What has not been replicated yet, by what the catalog knows. */
export interface ReplicaLag {
  points: number;
  /** Content that was new to the vault with them, in bytes: about what is to be sent. */
  bytes: number;
  /** When the oldest of them was taken. */
  since: string | undefined;
}

export async function replicaLag(
  db: Database,
  replica: ReplicaRow,
  now: Temporal.Instant,
): Promise<ReplicaLag> {
  const missing = await missingInReplica(db, replica, now);
  let bytes = 0;
  for (const { point_id: pointId } of missing) {
    const transfers = JSON.parse((await transferOf(db, pointId)) ?? '[]') as DiskTransfer[];
    for (const { newBytes } of transfers) bytes += newBytes;
  }
  return { points: missing.length, bytes, since: missing.map((place) => place.taken_at).toSorted()[0] };
}

/** Points that are in the vault's store, and are to be in the replica and are not. */
export async function missingInReplica(
  db: Database,
  replica: ReplicaRow,
  now: Temporal.Instant,
): Promise<PointPlace[]> {
  const asPoint = (place: PointPlace) => ({
    itemId: place.item_id,
    pointId: place.point_id,
    takenAt: Temporal.Instant.from(place.taken_at),
    place,
  });
  const places = await listPlaces(db, replica.vault_id);
  return pointsToCopy(
    places.filter((place) => place.in_vault === 1).map(asPoint),
    places.filter((place) => place.in_replica === 1).map(asPoint),
    retentionOf(replica),
    now,
  ).map(({ place }) => place);
}

/** A stored point as the rules see it. Its expiry is what the backup wrote down with it. */
export function ruleViewOf(record: PointRecord): ReplicaPoint & { record: PointRecord } {
  const { itemId, pointId, createdAt, metadata } = record;
  return {
    itemId,
    pointId,
    takenAt: Temporal.Instant.from(createdAt),
    expiresAt: momentOf(metadata.expiresAt),
    record,
  };
}

function momentOf(value: unknown): Temporal.Instant | undefined {
  if (typeof value !== 'string') return undefined;
  try {
    return Temporal.Instant.from(value);
  } catch {
    return undefined;
  }
}
