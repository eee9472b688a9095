import { constants } from 'node:fs';
import { link, lstat, mkdir, open, readdir, rename, rm, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { HoldfastError, messageOf } from '../errors/index.ts';
import { syncDirectory } from '../platform/index.ts';
import { pathExists } from './restore-plan.ts';

/** A file that a restore has put in place, told apart from any other by its inode. */
export interface PlacedFile {
  path: string;
  device: string;
  inode: string;
}

/** What a restore notes down so that it can be undone after a crash. */
export interface PlacingNotes {
  placed: PlacedFile[];
  /** A name that is about to be taken where the file system has no hard links. */
  claiming?: string;
}

/** Errors of `link` that mean "this file system has no hard links". */
const noHardLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/**
 * Puts the files of one job in place. They are made under a name that only the job uses and get their own when they
 * are whole, in a way that cannot replace a file; so clean-up, even after a crash, removes nothing that others made.
 */
export class Placing {
  readonly #directory: string;
  readonly #jobId: string;
  readonly #save: (notes: PlacingNotes) => Promise<void>;
  readonly #link: typeof link;
  #notes: PlacingNotes;

  /** @param options.link the system call, where the file system has it */
  constructor(
    directory: string,
    jobId: string,
    notes: PlacingNotes,
    save: (notes: PlacingNotes) => Promise<void>,
    options: { link?: typeof link } = {},
  ) {
    this.#directory = directory;
    this.#jobId = jobId;
    this.#notes = notes;
    this.#save = save;
    this.#link = options.link ?? link;
  }

  get placed(): readonly PlacedFile[] {
    return this.#notes.placed;
  }

  /** The name to make the file of `path` under. */
  partialPath(path: string): string {
    return join(dirname(path), `.${basename(path)}${this.#suffix}`);
  }

  get #suffix(): string {
    return `.${this.#jobId}.partial`;
  }

  /** Gives a finished file its name. @throws UserErrorTargetPathExists when the name is taken */
  async publish(path: string): Promise<void> {
    const partial = this.partialPath(path);
    const { dev, ino } = await lstat(partial, { bigint: true });
    const file = { path, device: String(dev), inode: String(ino) };
    try {
      await this.#link(partial, path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') throw pathExists(path, error);
      if (!noHardLinks.has(code ?? '')) throw error;
      await this.#publishWithoutLink(partial, file);
      return;
    }
    // Noted after the fact: dying in between leaves two names on one inode, and so the leftover is recognised.
    await this.#note({ placed: [...this.#notes.placed, file] });
    await unlink(partial);
    await syncDirectory(dirname(path));
  }

  /** Takes the name with an empty file first, which only succeeds when nothing has it, and then replaces that. */
  async #publishWithoutLink(partial: string, file: PlacedFile): Promise<void> {
    await this.#note({ ...this.#notes, claiming: file.path });
    try {
      await (await open(file.path, 'wx', 0o600)).close();
    } catch (error) {
      await this.#note({ placed: this.#notes.placed });
      throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? pathExists(file.path, error) : error;
    }
    await rename(partial, file.path);
    await this.#note({ placed: [...this.#notes.placed, file] });
    await syncDirectory(dirname(file.path));
  }

  async #note(notes: PlacingNotes): Promise<void> {
    await this.#save(notes);
    this.#notes = notes;
  }

  /** Removes what this job has made, and nothing else. */
  async removeAll(): Promise<void> {
    for (const { path, device, inode } of this.#notes.placed) {
      const there = await lstat(path, { bigint: true }).catch(() => undefined);
      if (there !== undefined && String(there.dev) === device && String(there.ino) === inode) await rm(path);
    }
    const { claiming } = this.#notes;
    if (claiming !== undefined) {
      const there = await lstat(claiming).catch(() => undefined);
      if (there?.isFile() === true && there.size === 0) await rm(claiming);
    }
    for (const name of await readdir(this.#directory).catch(() => [])) {
      if (!name.startsWith('.') || !name.endsWith(this.#suffix)) continue;
      const partial = join(this.#directory, name);
      const path = join(this.#directory, name.slice(1, -this.#suffix.length));
      const [made, named] = await Promise.all(
        [partial, path].map((each) => lstat(each, { bigint: true }).catch(() => undefined)),
      );
      if (made !== undefined && made.dev === named?.dev && made.ino === named.ino) await rm(path);
      await rm(partial, { force: true });
    }
  }
}

/**
 * Makes a directory and its missing parents. What is newly made is given to `owner`, through its own handle: were it
 * done by path, whoever may write to the parent could put a link there in between and be given any file.
 */
export async function makeDirectoryFor(
  directory: string,
  owner: { uid: number; gid: number } | undefined,
): Promise<void> {
  const missing: string[] = [];
  for (let path = resolve(directory); !(await exists(path)); path = dirname(path)) missing.unshift(path);
  for (const path of missing) {
    await mkdir(path, { mode: 0o755 }).catch((error: unknown) => {
      throw new HoldfastError('InvalidInput', `${path} can't be made: ${messageOf(error)}`, {
        cause: error,
        target: path,
        action: 'Name a directory that the service may make, or make it yourself.',
      });
    });
    const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
    const handle = await open(path, flags);
    try {
      const { uid } = await handle.stat();
      if (uid !== process.geteuid?.()) {
        throw new HoldfastError('InvalidInput', `${path} was replaced while it was being made.`, {
          target: path,
        });
      }
      if (owner !== undefined && owner.uid !== uid) await handle.chown(owner.uid, owner.gid);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await syncDirectory(dirname(path));
  }
}

const exists = (path: string) =>
  lstat(path).then(
    () => true,
    () => false,
  );
