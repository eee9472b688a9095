import { PostgresAdapter, type SelectQueryBuilder } from 'kysely';
import type { Database } from './catalog.ts';
import type { Schema } from './schema.ts';

/**
 * Keeps the rows a query finds from being taken or deleted by others until the transaction ends; whoever changes nothing
 * of their keys is not held up. SQLite has one writer at a time, which is as good.
 */
export function lockKept<Table extends keyof Schema, Row>(
  tx: Database,
  query: SelectQueryBuilder<Schema, Table, Row>,
): SelectQueryBuilder<Schema, Table, Row> {
  return tx.getExecutor().adapter instanceof PostgresAdapter ? query.forKeyShare() : query;
}

/** Keeps the rows a query finds as they are until the transaction ends; whoever changes them waits for that. */
export function lockUnchanged<Table extends keyof Schema, Row>(
  tx: Database,
  query: SelectQueryBuilder<Schema, Table, Row>,
): SelectQueryBuilder<Schema, Table, Row> {
  return tx.getExecutor().adapter instanceof PostgresAdapter ? query.forShare() : query;
}

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
