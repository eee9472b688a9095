import type { Updateable } from 'kysely';
import type { Database } from './catalog.ts';
import { deleteGonePoints, updatePoint } from './points.ts';
import { inVault, type PointRow, type ReplicaRow } from './schema.ts';

export async function listReplicas(db: Database): Promise<ReplicaRow[]> {
  return db.selectFrom('replicas').selectAll().orderBy('vault_id').execute();
}

export async function findReplica(db: Database, vaultId: string): Promise<ReplicaRow | undefined> {
  return db.selectFrom('replicas').selectAll().where('vault_id', '=', vaultId).executeTakeFirst();
}

export async function insertReplica(db: Database, replica: ReplicaRow): Promise<void> {
  await db.insertInto('replicas').values(replica).execute();
}

export async function updateReplica(
  db: Database,
  vaultId: string,
  change: Updateable<ReplicaRow>,
): Promise<void> {
  await db.updateTable('replicas').set(change).where('vault_id', '=', vaultId).execute();
}

/** Where a point is, without all that is known of it: for a whole vault at once, and often. */
export type PointPlace = Pick<PointRow, 'item_id' | 'point_id' | 'taken_at' | 'in_vault' | 'in_replica'>;

export async function listPlaces(db: Database, vaultId: string): Promise<PointPlace[]> {
  return db
    .selectFrom('points')
    .innerJoin('items', 'items.item_id', 'points.item_id')
    .select(['points.item_id', 'points.point_id', 'points.taken_at', 'points.in_vault', 'points.in_replica'])
    .where('items.vault_id', '=', vaultId)
    .execute();
}

/** Per-disk figures of a point's transfer to the vault, as JSON text. */
export async function transferOf(db: Database, pointId: string): Promise<string | null> {
  const row = await db
    .selectFrom('points')
    .select('transfer_json')
    .where('point_id', '=', pointId)
    .executeTakeFirst();
  return row?.transfer_json ?? null;
}

/** How many points of a vault are nowhere but in its replica, and would not have expired. */
export async function countOnlyInReplica(db: Database, vaultId: string, now: string): Promise<number> {
  const { count } = await db
    .selectFrom('points')
    .innerJoin('items', 'items.item_id', 'points.item_id')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('items.vault_id', '=', vaultId)
    .where('points.in_replica', '=', 1)
    .where('points.in_vault', '!=', inVault.yes)
    .where('points.expires_at', '>', now)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Forgets the replica of a vault, and the points that were only there. */
export async function deleteReplica(db: Database, vaultId: string): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx.deleteFrom('replicas').where('vault_id', '=', vaultId).execute();
    await noteInReplica(tx, vaultId, new Set());
  });
}

/** Notes which points of a vault its replica has, all others not. What is nowhere any more is forgotten. */
export async function noteInReplica(
  db: Database,
  vaultId: string,
  pointIds: ReadonlySet<string>,
): Promise<void> {
  const changed = new Set<string>();
  for (const { item_id: itemId, point_id: pointId, in_replica: was } of await listPlaces(db, vaultId)) {
    const isThere = pointIds.has(pointId) ? 1 : 0;
    if (was === isThere) continue;
    await updatePoint(db, pointId, { in_replica: isThere });
    changed.add(itemId);
  }
  for (const itemId of changed) await deleteGonePoints(db, itemId);
}
