import { HoldfastError, messageOf } from '../errors/index.ts';

/** SQLite's primary result code for "no room". */
const sqliteFull = 13;

/**
 * Names the one failure of our own bookkeeping that the user can end: no room on the file system of the home. Stores
 * and images have codes of their own; what reaches here bare comes from the catalog or a journal. Other errors are
 * given back as they are.
 */
export function nameFullHome(error: unknown): unknown {
  if (error instanceof HoldfastError || !(error instanceof Error)) return error;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  const isFull =
    code === 'ENOSPC' ||
    code === 'EDQUOT' ||
    (typeof errcode === 'number' && (errcode & 0xff) === sqliteFull);
  if (!isFull) return error;
  return new HoldfastError('HomeFull', `There is no room for the service's own notes: ${messageOf(error)}.`, {
    cause: error,
  });
}
