import { sql, type Updateable } from 'kysely';
import type { Database } from './catalog.ts';
import type { AlertRow } from './schema.ts';

/** Where a list of alerts goes on: after this one. */
export type AlertCursor = readonly [firedAt: string, alertId: string];

/** Newest first; those that are over, or dismissed, only on request. */
export async function listAlerts(
  db: Database,
  {
    withResolved,
    withDismissed,
    limit,
    after,
  }: { withResolved: boolean; withDismissed: boolean; limit: number; after?: AlertCursor | undefined },
): Promise<AlertRow[]> {
  let query = db.selectFrom('alerts').selectAll();
  if (!withResolved) query = query.where('resolved_at', 'is', null);
  if (!withDismissed) query = query.where('dismissed_at', 'is', null);
  if (after !== undefined)
    query = query.where(sql<boolean>`(fired_at, alert_id) < (${after[0]}, ${after[1]})`);
  return query.orderBy('fired_at', 'desc').orderBy('alert_id', 'desc').limit(limit).execute();
}

export async function findAlert(db: Database, alertId: string): Promise<AlertRow | undefined> {
  return db.selectFrom('alerts').selectAll().where('alert_id', '=', alertId).executeTakeFirst();
}

/** Adds an alert, unless one about the same is open. @returns whether it was added */
export async function insertAlert(db: Database, row: AlertRow): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('alerts')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirstOrThrow();
  return (numInsertedOrUpdatedRows ?? 0n) > 0n;
}

export async function updateAlert(
  db: Database,
  alertId: string,
  change: Updateable<AlertRow>,
): Promise<void> {
  await db.updateTable('alerts').set(change).where('alert_id', '=', alertId).execute();
}

/** Ends the open alert about something, if there is one. */
export async function resolveAlert(db: Database, subject: string, at: string): Promise<void> {
  await db
    .updateTable('alerts')
    .set({ resolved_at: at })
    .where('subject', '=', subject)
    .where('resolved_at', 'is', null)
    .execute();
}

/** Forgets alerts that were over before a moment. */
export async function purgeAlerts(db: Database, resolvedBefore: string): Promise<void> {
  await db.deleteFrom('alerts').where('resolved_at', '<', resolvedBefore).execute();
}

/** Items under a policy whose last backup failed. */
export async function listFailedItems(db: Database) {
  return db
    .selectFrom('items')
    .select(['item_id', 'vault_id', 'vm_name', 'last_error_json'])
    .where(sql<boolean>`last_backup_status = 'Failed'`)
    .where('policy_name', 'is not', null)
    .orderBy('item_id')
    .execute();
}

/** Jobs other than backups that have failed since a moment. */
export async function listFailedJobs(db: Database, since: string, limit: number) {
  return db
    .selectFrom('jobs')
    .select(['job_id', 'vault_id', 'operation', 'entity_name', 'error_json'])
    .where(sql<boolean>`status = 'Failed'`)
    .where('ended_at', '>=', since)
    .where('operation', '!=', 'Backup')
    .orderBy('ended_at')
    .limit(limit)
    .execute();
}

/** Number of damaged recovery points in the store of each vault; vaults without any are absent. */
export async function countDamaged(db: Database): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('points')
    .innerJoin('items', 'items.item_id', 'points.item_id')
    .select(({ fn }) => ['items.vault_id', fn.countAll<number>().as('count')])
    .where(sql<boolean>`points.damaged = 1`)
    .groupBy('items.vault_id')
    .execute();
  return new Map(rows.map((row) => [row.vault_id, Number(row.count)]));
}
