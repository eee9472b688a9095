import { join } from 'node:path';
import { inject } from 'vitest';
import type {} from './postgres-lane.ts';

/** Whether the tests run in the lane `postgres`. */
export const onPostgres = (): boolean => inject('postgres') !== undefined;

/** Where a test may open a catalog of its own: a file in `directory`, in the lane `postgres` a new database. */
export interface ScratchPlace extends AsyncDisposable {
  place: string;
}

export async function scratchPlace(directory: string): Promise<ScratchPlace> {
  const server = inject('postgres');
  if (server === undefined)
    return { place: join(directory, 'catalog.db'), [Symbol.asyncDispose]: async () => {} };
  const { createDatabase, dropDatabase } = await import('./postgres.ts');
  const place = await createDatabase(server);
  return { place, [Symbol.asyncDispose]: () => dropDatabase(server, place) };
}
