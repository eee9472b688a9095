import type { AuditRow } from './access-schema.ts';
import type { Database } from './catalog.ts';

/** The newest line; undefined while there is none. */
export async function lastAuditRow(db: Database): Promise<AuditRow | undefined> {
  return db.selectFrom('audit').selectAll().orderBy('seq', 'desc').limit(1).executeTakeFirst();
}

/** Adds a line; false where another service has taken its number meanwhile. */
export async function insertAuditRow(db: Database, row: AuditRow): Promise<boolean> {
  const added = await db
    .insertInto('audit')
    .values(row)
    .onConflict((conflict) => conflict.column('seq').doNothing())
    .executeTakeFirst();
  return (added.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** Lines from the newest on, or from the one before a number. */
export async function listAudit(
  db: Database,
  { before, limit, since }: { before?: number | undefined; limit: number; since?: string },
): Promise<AuditRow[]> {
  return db
    .selectFrom('audit')
    .selectAll()
    .$if(since !== undefined, (query) => query.where('at', '>=', since ?? ''))
    .$if(before !== undefined, (query) => query.where('seq', '<', before ?? 0))
    .orderBy('seq', 'desc')
    .limit(limit)
    .execute();
}

/** Lines after a number, in the order they were written. */
export async function auditAfter(db: Database, seq: number, limit: number): Promise<AuditRow[]> {
  return db.selectFrom('audit').selectAll().where('seq', '>', seq).orderBy('seq').limit(limit).execute();
}
