import { chmod, open, stat } from 'node:fs/promises';
import { makeDirectoryDurable } from './durable-file.ts';

/**
 * Makes `directory` if it is missing, and closes it to other users if it is open to them.
 * @throws {Error} with a reason for a person when it is no directory, belongs to somebody else, or can't be made
 */
export async function ensurePrivateDirectory(directory: string): Promise<void> {
  try {
    await makeDirectoryDurable(directory, 0o700);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'EEXIST' || code === 'ENOTDIR') throw new Error('it is no directory', { cause });
    throw cause;
  }
  const found = await stat(directory);
  const user = process.getuid?.();
  // Its owner could open it to others again at any time.
  if (user !== undefined && found.uid !== user)
    throw new Error(`it belongs to the user with id ${found.uid}, and this runs as ${user}`);
  if ((found.mode & 0o777) !== 0o700) await chmod(directory, 0o700);
}

/** Makes `path` an empty file if it is missing, readable and writable by its owner alone either way. */
export async function ensurePrivateFile(path: string): Promise<void> {
  const file = await open(path, 'a', 0o600);
  try {
    if (((await file.stat()).mode & 0o777) !== 0o600) await file.chmod(0o600);
  } finally {
    await file.close();
  }
}
