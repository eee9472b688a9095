import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** A lock on a file; the kernel drops it when the process ends, however it ends. */
export interface FileLock extends Disposable {
  readonly path: string;
  /** Whether `path` is still the file that is locked: once somebody has removed it, another process can lock a new one. */
  isThere(): boolean;
}

/**
 * Takes an exclusive lock on `path`, creating the file if need be. Returns undefined when another process (or
 * another lock in this one) holds it.
 *
 * Node has no call for kernel file locks; SQLite does, so the lock file is an empty SQLite database held open in
 * exclusive mode. Unlike a pid file it cannot go stale.
 */
export function tryLockFile(path: string): FileLock | undefined {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    // A journal file would be created with the lock, and on a full disk that fails: nobody could free space any more.
    database.exec('PRAGMA journal_mode = MEMORY');
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (error instanceof Error && /locked|busy/i.test(error.message)) return undefined;
    throw error;
  }
  const own = idOf(path);
  let held = true;
  return {
    path,
    isThere: () => own !== undefined && idOf(path) === own,
    [Symbol.dispose]() {
      if (!held) return;
      held = false;
      database.close();
    },
  };
}

function idOf(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found && `${found.dev} ${found.ino}`;
}
