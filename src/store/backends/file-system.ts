import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { HoldfastError, messageOf } from '../../errors/index.ts';
import { type Backend, checkObjectName, checkPrefix, type ObjectInfo } from '../backend.ts';
import { configCopyName, configName, storePrefixes } from '../layout.ts';
import { type Files, nodeFiles } from './files.ts';

/** Files being written live here, and only the holder of the lock writes: at lock time all of it is left over. */
const temporaryDirectory = 'tmp';
const lockFile = 'lock';

/** What may be in a directory where a store is made: remains of an attempt, and what a file system itself puts there. */
const ownNames = new Set([
  configName,
  configCopyName,
  ...storePrefixes.map((prefix) => prefix.slice(0, -1)),
  temporaryDirectory,
  lockFile,
  'lost+found',
]);

/** A store in a directory. `files` is for tests. */
export function fileSystemBackend(directory: string, files: Files = nodeFiles): Backend {
  /** Directories known to exist durably, so that a put into a known one costs no call. */
  const known = new Set<string>();

  const lost = new AbortController();
  let held: ReturnType<Files['lock']>;

  /**
   * Before every change. A lock file that somebody removed ("unlocked") lets another process in, and then there are two:
   * this one stops. A directory that has gone with its lock is not mounted; that is another failure.
   */
  async function throwIfLost(): Promise<void> {
    if (held !== undefined && !held.isThere()) {
      await files.stat(directory);
      lost.abort(
        new HoldfastError(
          'StoreLockLost',
          `The lock of the store at ${directory} has been removed while it was held; nothing more is written there.`,
          { target: directory },
        ),
      );
    }
    lost.signal.throwIfAborted();
  }

  async function guarded<T>(what: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw toStoreError(error, directory, what);
    }
  }

  /** Absence of `path` is an answer only while the root is there: an unmounted store must not look like an empty one. */
  async function presentOr<T>(action: () => Promise<T>): Promise<T | undefined> {
    try {
      return await action();
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
      await files.stat(directory);
      return undefined;
    }
  }

  async function makeKnown(path: string): Promise<void> {
    if (known.has(path)) return;
    // Never the root: when it is gone, the file system under the store is not mounted, and nothing may be written.
    await files.stat(directory);
    await files.makeDirectory(path);
    known.add(path);
  }

  /** A store is made in a directory of its own: what else is in there would be taken for its own, or lost with it. */
  async function refuseStrangers(): Promise<void> {
    const entries = await files.readDirectory(directory);
    const stranger = entries.find(({ name }) => !ownNames.has(name));
    if (stranger === undefined) return;
    throw new HoldfastError(
      'StorePlaceNotEmpty',
      `There is something else in ${directory}: "${stranger.name}"${entries.length > 1 ? ', and more' : ''}.`,
      { target: directory },
    );
  }

  async function removeLeftovers(): Promise<void> {
    const path = join(directory, temporaryDirectory);
    const entries = (await presentOr(() => files.readDirectory(path))) ?? [];
    for (const entry of entries) await files.unlink(join(path, entry.name));
  }

  async function put(name: string, parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    const path = join(directory, name);
    const temporary = join(directory, temporaryDirectory, randomUUID());
    await makeKnown(dirname(temporary));
    await makeKnown(dirname(path));
    try {
      const file = await files.create(temporary);
      try {
        for await (const part of parts) await file.write(part);
        await file.sync();
      } finally {
        await file.close();
      }
      await files.rename(temporary, path);
    } catch (error) {
      await presentOr(() => files.unlink(temporary)).catch(() => {}); // the first failure is the one to report
      throw error;
    }
    await files.syncDirectory(dirname(path));
  }

  async function* list(prefix: string): AsyncGenerator<ObjectInfo> {
    const entries = await presentOr(() => files.readDirectory(join(directory, prefix)));
    for (const entry of entries ?? []) {
      const name = `${prefix}${entry.name}`;
      if (entry.directory) {
        yield* list(`${name}/`);
        continue;
      }
      const found = await presentOr(() => files.stat(join(directory, name)));
      if (found !== undefined) yield { name, sizeBytes: found.sizeBytes };
    }
  }

  return {
    description: directory,
    async capabilities() {
      // By construction: a rename replaces; nothing leaves this machine's memory on the way to its file system.
      return { atomicReplace: true, conditionalPut: false, objectLock: false, contentCheck: false };
    },
    async exists() {
      try {
        return (await files.stat(directory)).directory;
      } catch (error) {
        if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
        throw toStoreError(error, directory, 'looked at');
      }
    },
    lock({ create }) {
      return guarded('locked', async () => {
        if (create) {
          await files.makeDirectory(directory);
          await refuseStrangers();
        }
        lost.signal.throwIfAborted();
        const lock = files.lock(join(directory, lockFile));
        if (lock === undefined) return undefined;
        held = lock;
        try {
          await removeLeftovers();
        } catch (error) {
          held = undefined;
          lock[Symbol.dispose]();
          throw error;
        }
        return {
          lost: lost.signal,
          async [Symbol.asyncDispose]() {
            held = undefined;
            lock[Symbol.dispose]();
          },
        };
      });
    },
    put(name, parts) {
      checkObjectName(name);
      return guarded(`written to (${name})`, async () => {
        await throwIfLost();
        await put(name, parts);
      });
    },
    get(name, range) {
      checkObjectName(name);
      range?.signal?.throwIfAborted();
      lost.signal.throwIfAborted();
      return guarded(`read (${name})`, () => presentOr(() => files.read(join(directory, name), range)));
    },
    stat(name) {
      checkObjectName(name);
      return guarded(`read (${name})`, async () => {
        const found = await presentOr(() => files.stat(join(directory, name)));
        return found && { name, sizeBytes: found.sizeBytes };
      });
    },
    async *list(prefix) {
      checkPrefix(prefix);
      try {
        yield* list(prefix);
      } catch (error) {
        throw toStoreError(error, directory, `listed (${prefix})`);
      }
    },
    delete(name) {
      checkObjectName(name);
      return guarded(`deleted from (${name})`, async () => {
        await throwIfLost();
        const path = join(directory, name);
        await presentOr(() => files.unlink(path));
        await presentOr(() => files.syncDirectory(dirname(path)));
      });
    },
  };
}

function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** Errors of the operating system become codes of the catalogue; whatever else is thrown is a bug and stays one. */
function toStoreError(error: unknown, directory: string, what: string): unknown {
  if (error instanceof HoldfastError || !(error instanceof Error) || !('code' in error)) return error;
  if (error.name === 'AbortError') return error;
  const options = { cause: error, target: directory };
  if (hasCode(error, 'ENOSPC', 'EDQUOT'))
    return new HoldfastError('StoreFull', `The store at ${directory} is full: ${messageOf(error)}`, options);
  return new HoldfastError(
    'StoreUnavailable',
    `The store at ${directory} could not be ${what}: ${messageOf(error)}`,
    options,
  );
}
