import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

/** Suffix of a file that is being written; whoever owns the directory may delete leftovers with it at start. */
export const temporarySuffix = '.tmp';

/** Makes the entries of `directory` (creations, renames, deletions) durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Creates `directory` and its missing parents, durably: each new entry is synced in the directory that holds it. Not with
 * `recursive` of Node, which never ends where the parent is there and still nothing can be made in it (in `/proc`).
 */
export async function makeDirectoryDurable(directory: string, mode = 0o700): Promise<void> {
  const path = resolve(directory);
  const parent = dirname(path);
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (hasCode(error, 'EEXIST') && (await isDirectory(path))) return;
    if (!hasCode(error, 'ENOENT') || parent === path) throw error;
    await makeDirectoryDurable(parent, mode);
    await mkdir(path, { mode }).catch(async (again: unknown) => {
      // Somebody else may have been quicker.
      if (!hasCode(again, 'EEXIST') || !(await isDirectory(path))) throw again;
    });
  }
  await syncDirectory(parent);
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** False also where there is nothing. */
async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

/**
 * Replaces `path` by `data` so that after a crash at any instant the file holds the old or the new content, whole,
 * and so that the new content is on stable storage when the promise resolves: write aside, fsync, rename, fsync of
 * the directory.
 */
export async function writeFileDurable(
  path: string,
  data: string | Uint8Array,
  options: { mode?: number } = {},
): Promise<void> {
  const directory = dirname(path);
  const temporary = join(directory, `.${basename(path)}.${randomBytes(6).toString('hex')}${temporarySuffix}`);
  let handle: FileHandle | undefined;
  try {
    handle = await open(temporary, 'wx', options.mode ?? 0o600);
    await handle.writeFile(data);
    await handle.sync();
    await handle.close();
    handle = undefined;
    await rename(temporary, path);
  } catch (error) {
    await handle?.close().catch(() => {});
    await unlink(temporary).catch(() => {});
    throw error;
  }
  await syncDirectory(directory);
}

/** Deletes `path` durably; a file that is not there is no error. */
export async function unlinkDurable(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  await syncDirectory(dirname(path));
}
