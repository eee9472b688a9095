import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, messageOf } from '../errors/index.ts';
import { ensurePrivateDirectory, syncDirectory, unlinkDurable, writeFileDurable } from '../platform/index.ts';
import {
  type Backend,
  isStoreUrl,
  openBackend,
  parseStoreCredentials,
  parseStoreLocation,
} from '../store/index.ts';

const suffix = '.json';

/**
 * Where stores are, and what opens the places that need credentials. Those are in files of their own in the service's
 * home, readable by its user alone, one per place; never in the catalog, in a listing or in a message.
 */
export class StorePlaces {
  readonly #directory: string;
  /** By this process: whoever is second must not put its credentials in the place of the first's. */
  readonly #added = new Set<string>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The backend for a path or an address. Nothing is asked of it yet. @throws InvalidInput @throws StoreAccessDenied */
  async backend(place: string): Promise<Backend> {
    if (!isStoreUrl(place)) return await openBackend(place);
    return await openWith(place, await this.#read(place));
  }

  /**
   * Keeps the credentials of a place for a store that is to be made or taken over there, durably; without any, the client
   * of the place finds some by itself. `isKnown`: whether the catalog knows a store there.
   * @throws InvalidInput @throws StoreExists when it does, or another is being made there
   */
  async add(place: string, credentials: unknown, isKnown: boolean): Promise<void> {
    await openWith(place, credentials); // checks both
    if (!isStoreUrl(place)) return;
    if (isKnown || this.#added.has(place))
      throw new HoldfastError('StoreExists', `Another vault keeps its store at ${place}.`, { target: place });
    this.#added.add(place);
    await this.#write(place, credentials);
  }

  /**
   * Puts other credentials in the place of those there are, once they have been found to open the store. They are used
   * from when it is opened the next time.
   * @throws InvalidInput @throws StoreAccessDenied @throws StoreNotFound when no store can be seen with them
   */
  async replace(place: string, credentials: unknown): Promise<void> {
    const backend = await openWith(place, credentials);
    if ((await backend.stat('holdfast-store')) === undefined)
      throw new HoldfastError('StoreNotFound', `There is no store at ${backend.description}.`, {
        target: place,
      });
    await this.#write(place, credentials);
  }

  /** Makes the place of a store that nobody has come to know free again; nothing may be in the store. */
  async abandon(place: string): Promise<void> {
    const backend = await this.backend(place);
    await using lock = await backend.lock({ create: false });
    // Its description is what makes it a store.
    if (lock !== undefined) await backend.delete('holdfast-store');
  }

  async forget(place: string): Promise<void> {
    this.#added.delete(place);
    if (isStoreUrl(place) && (await this.#isThere(place))) await unlinkDurable(this.#fileOf(place));
  }

  #fileOf(place: string): string {
    const digits = createHash('sha256').update(place).digest('hex').slice(0, 32);
    return join(this.#directory, `${digits}${suffix}`);
  }

  async #isThere(place: string): Promise<boolean> {
    try {
      await stat(this.#fileOf(place));
      return true;
    } catch (error) {
      if (isAbsence(error)) return false;
      throw error;
    }
  }

  async #write(place: string, credentials: unknown): Promise<void> {
    await ensurePrivateDirectory(this.#directory);
    const text = `${JSON.stringify({ place, ...(credentials === undefined ? {} : { credentials }) })}\n`;
    await writeFileDurable(this.#fileOf(place), text, { mode: 0o600 });
    // What is in a directory that was made just now survives only with the directory.
    await syncDirectory(join(this.#directory, '..'));
  }

  async #read(place: string): Promise<unknown> {
    const path = this.#fileOf(place);
    try {
      return (JSON.parse(await readFile(path, 'utf8')) as { credentials?: unknown }).credentials;
    } catch (error) {
      // Not the parser's own message, which quotes what it could not read.
      const why = error instanceof SyntaxError ? 'it is not the JSON that Holdfast wrote' : messageOf(error);
      throw new HoldfastError(
        'StoreAccessDenied',
        `The credentials of the store at ${place} cannot be read: ${why}.`,
        {
          target: place,
          action: `Put the file ${path} back, or give the credentials again: holdfast vault create, with the same name and store.`,
        },
      );
    }
  }
}

async function openWith(place: string, credentials: unknown): Promise<Backend> {
  if (credentials === undefined) return await openBackend(place);
  return await openBackend(place, {
    credentials: parseStoreCredentials(parseStoreLocation(place).kind, credentials),
  });
}

function isAbsence(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
