import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose';
import { HoldfastError, messageOf } from '../errors/index.ts';
import { makeDirectoryDurable, writeFileDurable } from '../platform/index.ts';

/** A key signs for this long, and is known for a day more: no token lives longer. */
const signsForDays = 90;
const dayMs = 86_400_000;

interface StoredKey {
  kid: string;
  createdAt: string;
  privateJwk: JWK;
}

interface LoadedKey extends StoredKey {
  privateKey: CryptoKey;
  publicKey: CryptoKey;
}

/**
 * The RSA keys that sign our tokens, in one file that only the service's user can read. Made when the first is needed,
 * replaced every 90 days; a key that has been replaced still verifies until the last token it signed has expired.
 */
export class SigningKeys {
  readonly #path: string;
  readonly #now: () => number;
  #keys: LoadedKey[] | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  /** @param now milliseconds since 1970 */
  constructor(path: string, now: () => number) {
    this.#path = path;
    this.#now = now;
  }

  /** The key to sign with. @throws HomeNotUsable when the file can't be read or written */
  async current(): Promise<{ kid: string; privateKey: CryptoKey }> {
    const keys = await this.#usable();
    const newest = keys.at(-1);
    if (newest === undefined) throw new Error('there is no signing key after one was made');
    return newest;
  }

  /** The key with which to check a signature; undefined for one that is not, or no longer, ours. */
  async find(kid: string): Promise<CryptoKey | undefined> {
    return (await this.#usable()).find((key) => key.kid === kid)?.publicKey;
  }

  /** What clients may know: the public halves, as a JSON Web Key Set. */
  async publicSet(): Promise<{ keys: object[] }> {
    const keys = await this.#usable();
    return {
      keys: keys.map(({ kid, privateJwk: { kty, n, e } }) => ({ kty, n, e, kid, alg: 'RS256', use: 'sig' })),
    };
  }

  /** One at a time: two first tokens must not make two keys, of which the file keeps one. */
  #usable(): Promise<LoadedKey[]> {
    const next = this.#turn.then(() => this.#refresh());
    this.#turn = next.catch(() => {});
    return next;
  }

  async #refresh(): Promise<LoadedKey[]> {
    this.#keys ??= await this.#load();
    const age = (key: StoredKey) => this.#now() - Date.parse(key.createdAt);
    const newest = this.#keys.at(-1);
    if (newest !== undefined && age(newest) < signsForDays * dayMs) return this.#keys;
    const keys = this.#keys.filter((key) => age(key) < (signsForDays + 1) * dayMs);
    const stored: StoredKey = {
      kid: randomUUID(),
      createdAt: new Date(this.#now()).toISOString(),
      privateJwk: await exportJWK((await generateKeyPair('RS256', { extractable: true })).privateKey),
    };
    const next = [...keys, await imported(stored)];
    await makeDirectoryDurable(dirname(this.#path));
    const text = JSON.stringify(
      next.map(({ kid, createdAt, privateJwk }) => ({ kid, createdAt, privateJwk })),
    );
    await writeFileDurable(this.#path, `${text}\n`, { mode: 0o600 });
    this.#keys = next;
    return next;
  }

  async #load(): Promise<LoadedKey[]> {
    try {
      const stored = JSON.parse(await readFile(this.#path, 'utf8')) as StoredKey[];
      return await Promise.all(stored.map(imported));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw new HoldfastError(
        'HomeNotUsable',
        `The signing keys in ${this.#path} can't be used: ${messageOf(error)}.`,
        {
          cause: error,
          target: this.#path,
          action: 'Put the file back, or remove it: new keys are made then, and everybody signs in again.',
        },
      );
    }
  }
}

async function imported(stored: StoredKey): Promise<LoadedKey> {
  const { kty, n, e } = stored.privateJwk;
  if (kty !== 'RSA' || n === undefined || e === undefined) throw new Error('it holds a key that is not RSA');
  const [privateKey, publicKey] = await Promise.all([
    importJWK(stored.privateJwk, 'RS256'),
    importJWK({ kty, n, e }, 'RS256'),
  ]);
  if (privateKey instanceof Uint8Array || publicKey instanceof Uint8Array)
    throw new Error('it holds a key that is not RSA');
  return { ...stored, privateKey, publicKey };
}
