import { constants } from 'node:fs';
import { type FileHandle, lstat, open, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from '../../platform/index.ts';
import { toImageFailure } from './failures.ts';
import { requireAbsolute } from './image-spec.ts';
import type { FileOwner } from './image-types.ts';

/**
 * A file that did not exist before, empty, with mode 0600 and its owner from the start. Disposing deletes it unless
 * {@link NewFile.keep} has succeeded.
 */
export class NewFile implements AsyncDisposable {
  readonly path: string;
  readonly handle: FileHandle;
  #state: 'new' | 'kept' | 'gone' = 'new';

  constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.handle = handle;
  }

  /**
   * A name of this very file for programs we start. By its own name they might meet what someone else put in its
   * place meanwhile.
   */
  get nameForPrograms(): string {
    return `/proc/${process.pid}/fd/${this.handle.fd}`;
  }

  /** Makes the file and its name durable, and closes it. */
  async keep(): Promise<void> {
    await this.handle.sync();
    await syncDirectory(dirname(this.path));
    this.#state = 'kept';
    await this.handle.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state !== 'new') return;
    this.#state = 'gone';
    try {
      const [ours, there] = await Promise.all([this.handle.stat(), lstat(this.path).catch(ignoreMissing)]);
      if (there?.ino === ours.ino && there.dev === ours.dev) await unlink(this.path);
    } finally {
      await this.handle.close();
    }
    await syncDirectory(dirname(this.path));
  }
}

/**
 * @param owner default: the owner of the directory, where we may give files away
 * @throws DiskImageExists, DiskImageNotFound (the directory), UserErrorHostStorageFull, DiskImageUnavailable
 */
export async function createNewFile(path: string, owner: FileOwner | undefined): Promise<NewFile> {
  requireAbsolute(path);
  try {
    const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const handle = await open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    const file = new NewFile(path, handle);
    try {
      await handle.chmod(0o600); // the umask may have taken bits away
      const wanted = owner ?? (process.geteuid?.() === 0 ? await stat(dirname(path)) : undefined);
      if (wanted !== undefined) await handle.chown(wanted.uid, wanted.gid);
    } catch (error) {
      await file[Symbol.asyncDispose]();
      throw error;
    }
    return file;
  } catch (error) {
    throw toImageFailure('create', path, error);
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
