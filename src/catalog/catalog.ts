import { type Dialect, Kysely, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { HoldfastError, messageOf } from '../errors/index.ts';
import { migrations } from './migrations.ts';
import { isPostgresAddress, postgresDialect, shownAddress } from './postgres-dialect.ts';
import { readMemory } from './read-memory.ts';
import type { Schema } from './schema.ts';
import { sqliteDialect } from './sqlite-dialect.ts';

export type Database = Kysely<Schema>;

/** An open catalog: what Holdfast knows. It is not needed to restore; a store alone is enough for that. */
export interface Catalog extends AsyncDisposable {
  readonly db: Database;
}

/**
 * Opens the catalog, creating and migrating its tables as needed.
 * @param place path of an SQLite file, which is made if missing, or address of a PostgreSQL database
 *   (`postgres://…`), which has to be there
 * @param onLost told of a connection to PostgreSQL that broke; the next statement connects anew
 * @throws CatalogVersionNotSupported when a newer Holdfast has changed its tables, CatalogNotReachable,
 *   CatalogLocaleNotSupported
 */
export async function openCatalog(
  place: string,
  onLost: (error: Error) => void = () => {},
): Promise<Catalog> {
  const isPostgres = isPostgresAddress(place);
  const shown = isPostgres ? shownAddress(place) : place;
  const dialect: Dialect = isPostgres ? await postgresDialect(place, onLost) : sqliteDialect(place);
  const db: Database = new Kysely<Schema>({ dialect, plugins: [readMemory()] });
  try {
    if (isPostgres) await checkLocale(db, shown);
    const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
    const { error } = await migrator.migrateToLatest();
    if (error !== undefined) {
      if (error instanceof Error && /previously executed migration .* is missing/.test(error.message)) {
        throw new HoldfastError(
          'CatalogVersionNotSupported',
          `The catalog ${shown} was written by a newer version of Holdfast.`,
          { cause: error, target: shown },
        );
      }
      throw error;
    }
  } catch (error) {
    await db.destroy();
    throw error;
  }
  return { db, [Symbol.asyncDispose]: () => db.destroy() };
}

/** Names have to sort, and to be the same without case, as they do with SQLite: that is what the locale C does. */
async function checkLocale(db: Database, shown: string): Promise<void> {
  const { rows } = await sql<{ fits: boolean }>`
    select 'a' > 'B' and lower('É') = 'É' and current_setting('server_encoding') = 'UTF8' as fits`
    .execute(db)
    .catch((cause: unknown) => {
      throw new HoldfastError(
        'CatalogNotReachable',
        `The catalog's database ${shown} does not answer: ${messageOf(cause)}`,
        { cause, target: shown },
      );
    });
  if (rows[0]?.fits === true) return;
  throw new HoldfastError(
    'CatalogLocaleNotSupported',
    `The database ${shown} has another locale or encoding than C and UTF8.`,
    { target: shown },
  );
}
