import { sql, type Updateable } from 'kysely';
import type { Database } from './catalog.ts';
import { type ItemRow, inVault, type PointRow } from './schema.ts';

/** Oldest first. */
export async function listPoints(db: Database, itemId: string): Promise<PointRow[]> {
  return db
    .selectFrom('points')
    .selectAll()
    .where('item_id', '=', itemId)
    .orderBy('taken_at')
    .orderBy('point_id')
    .execute();
}

export async function findPoint(
  db: Database,
  itemId: string,
  pointId: string,
): Promise<PointRow | undefined> {
  return db
    .selectFrom('points')
    .selectAll()
    .where('item_id', '=', itemId)
    .where('point_id', '=', pointId)
    .executeTakeFirst();
}

/** Adds a point together with the definition that its VM had. To be called in a transaction. */
export async function insertPoint(tx: Database, point: PointRow, definitionJson: string): Promise<void> {
  await tx.insertInto('points').values(point).execute();
  await tx
    .insertInto('point_definitions')
    .values({ point_id: point.point_id, definition_json: definitionJson })
    .execute();
}

/** The definition, as JSON text, that the VM of a point had. */
export async function getDefinition(db: Database, pointId: string): Promise<string> {
  const row = await db
    .selectFrom('point_definitions')
    .select('definition_json')
    .where('point_id', '=', pointId)
    .executeTakeFirstOrThrow();
  return row.definition_json;
}

export async function updatePoint(
  db: Database,
  pointId: string,
  change: Updateable<PointRow>,
): Promise<void> {
  await db.updateTable('points').set(change).where('point_id', '=', pointId).execute();
}

/** Notes which points of a vault are damaged, all others not. */
export async function noteDamaged(
  db: Database,
  vaultId: string,
  pointIds: ReadonlySet<string>,
): Promise<void> {
  const known = await db
    .selectFrom('points')
    .innerJoin('items', 'items.item_id', 'points.item_id')
    .select(['points.point_id', 'points.damaged'])
    .where('items.vault_id', '=', vaultId)
    .execute();
  for (const { point_id: pointId, damaged } of known) {
    const is = pointIds.has(pointId) ? 1 : 0;
    if (is !== damaged) await updatePoint(db, pointId, { damaged: is });
  }
}

/** Forgets points that are nowhere any more, and their definitions. */
export async function deleteGonePoints(db: Database, itemId: string): Promise<void> {
  await db
    .deleteFrom('points')
    .where('item_id', '=', itemId)
    .where('in_snapshot', '=', 0)
    .where('in_vault', '=', 0)
    .where('in_replica', '=', 0)
    .execute();
}

/** Items that have at least one point whose snapshot is on the host. */
export async function listItemsWithSnapshots(db: Database): Promise<ItemRow[]> {
  return db
    .selectFrom('items')
    .selectAll()
    .where('item_id', 'in', (points) =>
      points.selectFrom('points').select('item_id').where('in_snapshot', '=', 1),
    )
    .orderBy('vm_name')
    .orderBy('item_id')
    .execute();
}

/** Number of points per item; items without any are absent. */
export async function countPoints(db: Database): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('points')
    .select(({ fn }) => ['item_id', fn.countAll<number>().as('count')])
    .groupBy('item_id')
    .execute();
  return new Map(rows.map((row) => [row.item_id, Number(row.count)]));
}

/** What the points of an item come to. */
export interface PointSum {
  /** Points in any tier. */
  all: number;
  inVault: number;
  /** When the last of those in the vault expires. */
  lastExpiry: string | null;
}

export async function sumPoints(db: Database, itemId: string): Promise<PointSum> {
  const row = await db
    .selectFrom('points')
    .select(({ fn }) => [
      fn.countAll<number>().as('all'),
      sql<number>`sum(case when in_vault = ${inVault.yes} then 1 else 0 end)`.as('in_vault'),
      sql<string | null>`max(case when in_vault = ${inVault.yes} then expires_at end)`.as('last_expiry'),
    ])
    .where('item_id', '=', itemId)
    .where(({ or, eb }) =>
      or([eb('in_snapshot', '=', 1), eb('in_vault', '!=', inVault.no), eb('in_replica', '=', 1)]),
    )
    .executeTakeFirstOrThrow();
  return { all: Number(row.all), inVault: Number(row.in_vault), lastExpiry: row.last_expiry };
}

/** Points of a VM that are snapshots on its host, of whichever item. */
export async function listSnapshots(db: Database, hostName: string, vmUuid: string): Promise<string[]> {
  const rows = await db
    .selectFrom('points')
    .innerJoin('items', 'items.item_id', 'points.item_id')
    .select('points.point_id')
    .where('items.host_name', '=', hostName)
    .where('items.vm_uuid', '=', vmUuid)
    .where('points.in_snapshot', '=', 1)
    .execute();
  return rows.map((row) => row.point_id);
}
