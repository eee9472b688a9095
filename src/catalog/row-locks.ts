import { PostgresAdapter, type SelectQueryBuilder } from 'kysely';
import type { Database } from './catalog.ts';
import type { Schema } from './schema.ts';

/**
 * Locks the rows a query finds until the transaction ends, and leaves out those that another transaction has locked: so
 * several workers share a queue without waiting for each other. SQLite has one writer at a time, which is as good.
 */
export function lockFree<Table extends keyof Schema, Row>(
  tx: Database,
  query: SelectQueryBuilder<Schema, Table, Row>,
): SelectQueryBuilder<Schema, Table, Row> {
  return tx.getExecutor().adapter instanceof PostgresAdapter ? query.forUpdate().skipLocked() : query;
}
