import { CompiledQuery, PostgresDialect } from 'kysely';
import { preparingClient } from './prepared-statements.ts';

/** Whether a catalog is named by the address of a PostgreSQL database rather than by a file. */
export const isPostgresAddress = (place: string): boolean => /^postgres(ql)?:\/\//i.test(place);

/** The address without its password, for messages. */
export function shownAddress(address: string): string {
  try {
    const url = new URL(address);
    if (url.password !== '') url.password = '***';
    return url.href;
  } catch {
    return 'postgres://…';
  }
}

/** How long a server may take to accept a connection; waiting for statements of our own before is part of it. */
const connectTimeoutMs = 60_000;
/** No statement of ours takes nearly as long; beyond it the server ends it, and then we stop waiting. */
const statementTimeoutMs = 60_000;
const answerTimeoutMs = 70_000;

/** PostgreSQL's number for its type of 64 bits, which the client gives as text unless told otherwise. */
const int8 = 20;

/**
 * Connects Kysely to PostgreSQL. One connection, as SQLite has one: transactions of this process follow each other, and
 * what holds there holds here. Several processes are kept apart by row locks. A connection that breaks is made anew for
 * the next statement.
 * @param onLost told of a connection that broke while nothing used it
 */
export async function postgresDialect(
  address: string,
  onLost: (error: Error) => void,
): Promise<PostgresDialect> {
  // Only here: whoever is content with SQLite need not load it.
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({
    connectionString: address,
    max: 1,
    Client: preparingClient(pg.Client),
    application_name: 'holdfast',
    keepAlive: true,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: statementTimeoutMs,
    query_timeout: answerTimeoutMs,
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary') =>
        oid === int8 ? Number : pg.types.getTypeParser(oid, format as 'text'),
    } as typeof pg.types,
  });
  pool.on('error', onLost);
  return new PostgresDialect({
    pool,
    // A commit that returned survives a power cut, whatever the server's default.
    onCreateConnection: async (connection) => {
      await connection.executeQuery(CompiledQuery.raw('set synchronous_commit = on'));
    },
  });
}
