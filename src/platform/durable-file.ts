import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, unlink } from 'node:fs/promises';
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

/** Creates `directory` and its missing parents, durably: each new entry is synced in the directory that holds it. */
export async function makeDirectoryDurable(directory: string, mode = 0o700): Promise<void> {
  const path = resolve(directory);
  const first = await mkdir(path, { recursive: true, mode });
  if (first === undefined) return;
  for (let child = path; child.length >= first.length; child = dirname(child)) {
    await syncDirectory(dirname(child));
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
