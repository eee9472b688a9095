import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Catalog, isPostgresAddress, openCatalog, shownAddress } from './catalog/index.ts';
import { HoldfastError, messageOf } from './errors/index.ts';
import type { Logger } from './jobs/index.ts';
import { ensurePrivateFile, writeFileDurable } from './platform/index.ts';

/** The catalog of a home. */
export interface HomeCatalog extends Catalog {
  /** It is on a server, where other services could reach it, too. */
  isShared: boolean;
}

/** What SQLite answers for a file that is damaged, or that is no database at all. */
const damagedCatalog = new Set([11, 26]);

/**
 * Opens the catalog of a home: the file `catalog.db`, or the PostgreSQL database that the file `database` names.
 * @param database address of the database, when the service was started with one; the home remembers it, because a home
 *   that looked somewhere else one day would find nothing there
 * @throws InvalidInput, CatalogElsewhere, CatalogDamaged, and what opening throws
 */
export async function openHomeCatalog(
  home: string,
  database: string | undefined,
  log: Logger,
): Promise<HomeCatalog> {
  const path = join(home, 'catalog.db');
  const noteFile = join(home, 'database');
  const noted = existsSync(noteFile) ? (await readFile(noteFile, 'utf8')).trim() : undefined;
  if (database !== undefined) refuseElsewhere(database, noted, existsSync(path) ? path : undefined);
  const address = noted ?? database;
  if (address === undefined) return { ...(await openFile(path)), isShared: false };
  const catalog = await openCatalog(address, (error) =>
    log.warn({ err: error }, 'the connection to the catalog broke'),
  );
  try {
    if (noted === undefined) await writeFileDurable(noteFile, `${address}\n`, { mode: 0o600 });
  } catch (error) {
    await catalog[Symbol.asyncDispose]();
    throw error;
  }
  return { ...catalog, isShared: true };
}

function refuseElsewhere(database: string, noted: string | undefined, file: string | undefined): void {
  if (!isPostgresAddress(database)) {
    throw new HoldfastError('InvalidInput', 'The database has no address of PostgreSQL.', {
      action: 'Write it as postgres://USER@HOST/NAME.',
    });
  }
  const other = noted === undefined ? file : shownAddress(noted);
  if (other === undefined || noted === database) return;
  throw new HoldfastError('CatalogElsewhere', `The catalog of this home is in ${other}.`, { target: other });
}

async function openFile(path: string): Promise<Catalog> {
  await ensurePrivateFile(path);
  try {
    return await openCatalog(path);
  } catch (error) {
    const number = (error as { errcode?: unknown }).errcode;
    if (typeof number !== 'number' || !damagedCatalog.has(number & 0xff)) throw error;
    throw new HoldfastError('CatalogDamaged', `The catalog ${path} is damaged: ${messageOf(error)}.`, {
      cause: error,
      target: path,
    });
  }
}
