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

/** Which lines are wanted; what is left out does not matter. */
export interface AuditFilter {
  /** ISO 8601, in UTC. */
  since?: string | undefined;
  principalName?: string | undefined;
  status?: AuditRow['status'] | undefined;
  requestId?: string | undefined;
}

/** Lines from the newest on, or from the one before a number. */
export async function listAudit(
  db: Database,
  { before, limit, ...filter }: { before?: number | undefined; limit: number } & AuditFilter,
): Promise<AuditRow[]> {
  return db
    .selectFrom('audit')
    .selectAll()
    .$if(filter.since !== undefined, (query) => query.where('at', '>=', filter.since ?? ''))
    .$if(filter.principalName !== undefined, (query) =>
      query.where('principal_name', '=', filter.principalName ?? ''),
    )
    .$if(filter.status !== undefined, (query) =>
      query.where('status', '=', filter.status as AuditRow['status']),
    )
    .$if(filter.requestId !== undefined, (query) => query.where('request_id', '=', filter.requestId ?? ''))
    .$if(before !== undefined, (query) => query.where('seq', '<', before ?? 0))
    .orderBy('seq', 'desc')
    .limit(limit)
    .execute();
}

/** Lines after a number, in the order they were written. */
export async function auditAfter(db: Database, seq: number, limit: number): Promise<AuditRow[]> {
  return db.selectFrom('audit').selectAll().where('seq', '>', seq).orderBy('seq').limit(limit).execute();
}
