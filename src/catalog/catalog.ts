import { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { HoldfastError } from '../errors/index.ts';
import { migrations } from './migrations.ts';
import type { Schema } from './schema.ts';
import { sqliteDialect } from './sqlite-dialect.ts';

export type Database = Kysely<Schema>;

/** An open catalog: what Holdfast knows. It is not needed to restore; a store alone is enough for that. */
export interface Catalog extends AsyncDisposable {
  readonly db: Database;
}

/**
 * Opens the catalog file, creating and migrating it as needed.
 * @throws CatalogVersionNotSupported when a newer Holdfast has changed its tables
 */
export async function openCatalog(path: string): Promise<Catalog> {
  const db: Database = new Kysely<Schema>({ dialect: sqliteDialect(path) });
  try {
    const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
    const { error } = await migrator.migrateToLatest();
    if (error !== undefined) {
      if (error instanceof Error && /previously executed migration .* is missing/.test(error.message)) {
        throw new HoldfastError(
          'CatalogVersionNotSupported',
          `The catalog ${path} was written by a newer version of Holdfast.`,
          { cause: error, target: path },
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
