import { sql, type Updateable } from 'kysely';
import type { Database } from './catalog.ts';
import type { ItemCursor } from './items.ts';
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

/** Which points of an item; all that is given must hold. */
export interface PointFilter {
  takenFrom?: string | undefined;
  takenUntil?: string | undefined;
  /** Soft-deleted ones, too. */
  withDeleted?: boolean;
}

/** Where a list of points goes on: after this one. */
export type PointCursor = readonly [takenAt: string, pointId: string];

/** The points of an item that can be restored from somewhere, newest first. Costs what it returns. */
export async function listOfferedPoints(
  db: Database,
  itemId: string,
  filter: PointFilter,
  page: { limit: number; after?: PointCursor | undefined },
): Promise<PointRow[]> {
  const { takenFrom, takenUntil, withDeleted = false } = filter;
  let query = db
    .selectFrom('points')
    .selectAll()
    .where('item_id', '=', itemId)
    .where(({ or, eb }) =>
      or([eb('in_snapshot', '=', 1), eb('in_vault', '=', inVault.yes), eb('in_replica', '=', 1)]),
    );
  if (takenFrom !== undefined) query = query.where('taken_at', '>=', takenFrom);
  if (takenUntil !== undefined) query = query.where('taken_at', '<=', takenUntil);
  if (!withDeleted) query = query.where('soft_deleted_until', 'is', null);
  if (page.after !== undefined)
    query = query.where(sql<boolean>`(taken_at, point_id) < (${page.after[0]}, ${page.after[1]})`);
  return query.orderBy('taken_at', 'desc').orderBy('point_id', 'desc').limit(page.limit).execute();
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

/** Items that have at least one point whose snapshot is on the host, by the names of their VMs; of one name, or all. */
export async function listItemsWithSnapshots(
  db: Database,
  { vmName, after, limit }: { vmName?: string; after?: ItemCursor | undefined; limit: number },
): Promise<ItemRow[]> {
  const name = sql<string>`lower(vm_name)`;
  let query = db
    .selectFrom('items')
    .selectAll()
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom('points')
          .select('point_id')
          .whereRef('points.item_id', '=', 'items.item_id')
          // Literally: the index of snapshots is asked for by it.
          .where(sql<boolean>`points.in_snapshot = 1`),
      ),
    );
  if (vmName !== undefined) query = query.where(name, '=', sql<string>`lower(${vmName})`);
  if (after !== undefined)
    query = query.where(sql<boolean>`(lower(vm_name), item_id) > (lower(${after[0]}), ${after[1]})`);
  return query.orderBy(name).orderBy('item_id').limit(limit).execute();
}

/** Number of points of each of some items; items without any are absent. */
export async function countPoints(db: Database, itemIds: readonly string[]): Promise<Map<string, number>> {
  if (itemIds.length === 0) return new Map();
  const rows = await db
    .selectFrom('points')
    .select(({ fn }) => ['item_id', fn.countAll<number>().as('count')])
    .where('item_id', 'in', itemIds)
    .groupBy('item_id')
    .execute();
  return new Map(rows.map((row) => [row.item_id, Number(row.count)]));
}

/** Number of points of an item, and when the newest was taken. */
export async function lastPointOf(
  db: Database,
  itemId: string,
): Promise<{ count: number; takenAt: string | null }> {
  const row = await db
    .selectFrom('points')
    .select(({ fn }) => [fn.countAll<number>().as('count'), fn.max('taken_at').as('taken_at')])
    .where('item_id', '=', itemId)
    .executeTakeFirstOrThrow();
  return { count: Number(row.count), takenAt: row.taken_at };
}

/** When the newest point of each of some items was taken; items without any are absent. */
export async function newestPoints(
  db: Database,
  itemIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (itemIds.length === 0) return new Map();
  const rows = await db
    .selectFrom('points')
    .select(({ fn }) => ['item_id', fn.max('taken_at').as('taken_at')])
    .where('item_id', 'in', itemIds)
    .groupBy('item_id')
    .execute();
  return new Map(rows.map((row) => [row.item_id, row.taken_at]));
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
