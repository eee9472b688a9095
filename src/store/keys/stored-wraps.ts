import type { KeyObject } from 'node:crypto';
import { HoldfastError, isHoldfastError } from '../../errors/index.ts';
import type { Backend } from '../backend.ts';
import { keyPrefix, wrapIdOf } from '../layout.ts';
import { believableListing, fetchObject } from '../object-access.ts';
import { decodeWrap, encodeWrap, type KeyWrap, unwrapKey, wrapKey, wrapLimitBytes } from './key-wrap.ts';
import type { StoreSecret } from './store-secret.ts';

/** Of one store: more are for no use, and each passphrase among them takes its time to be tried. */
export const wrapLimit = 32;

export interface StoredWraps {
  wraps: KeyWrap[];
  /** Why others cannot be read. */
  damaged: string[];
}

/** All wraps of a store, by age. @throws StoreUnavailable @throws StoreDamaged when there are too many to be honest */
export async function readWraps(backend: Backend): Promise<StoredWraps> {
  const names: string[] = [];
  const found: StoredWraps = { wraps: [], damaged: [] };
  for await (const { name, sizeBytes } of believableListing(backend, keyPrefix)) {
    if (wrapIdOf(name) === undefined) continue;
    if (sizeBytes > wrapLimitBytes) found.damaged.push(`${name} is damaged: it is too large for a key.`);
    else names.push(name);
  }
  if (names.length > 2 * wrapLimit)
    throw new HoldfastError(
      'StoreDamaged',
      `The store at ${backend.description} has ${names.length} keys; no program makes more than ${wrapLimit}.`,
      {
        target: backend.description,
        action: 'Find out who put files into the directory "keys" of the store, and remove those.',
      },
    );
  for (const name of names.sort()) {
    const wrap = await readWrap(backend, name);
    if (typeof wrap === 'string') found.damaged.push(wrap);
    else if (wrap !== undefined) found.wraps.push(wrap);
  }
  found.wraps.sort((a, b) => Temporal.Instant.compare(a.createdAt, b.createdAt));
  return found;
}

/** Undefined when it is not there; a string when it cannot be read: why. */
async function readWrap(backend: Backend, name: string): Promise<KeyWrap | undefined | string> {
  const bytes = await fetchObject(backend, name);
  if (bytes === undefined) return undefined;
  if (typeof bytes === 'string') return `${name} cannot be read: ${bytes}`;
  try {
    return decodeWrap(name, bytes);
  } catch (error) {
    if (isHoldfastError(error, 'StoreDamaged', 'StoreVersionNotSupported')) return error.message;
    throw error;
  }
}

/** Wraps the key for one more secret, durably, and proves that the secret opens what has been stored. */
export async function addWrap(
  backend: Backend,
  vaultKey: KeyObject,
  secret: StoreSecret,
  about: { storeId: string; label: string; createdAt: string },
): Promise<KeyWrap> {
  const wrap = await wrapKey(vaultKey, secret, about);
  const { name, bytes } = encodeWrap(wrap);
  await backend.put(name, [bytes]);
  const stored = await readWrap(backend, name);
  const opened = typeof stored === 'object' ? await unwrapKey(stored, secret, about.storeId) : undefined;
  if (opened?.equals(vaultKey)) return wrap;
  await backend.delete(name);
  throw new HoldfastError(
    'StoreUnavailable',
    `A new key was written to the store at ${backend.description} and did not come back as it was.`,
    { target: backend.description },
  );
}

/**
 * The vault key, by whichever of the secrets opens any wrap.
 * @throws StoreKeyRequired @throws StoreKeyWrong @throws KeyNotUsable @throws StoreDamaged @throws StoreUnavailable
 */
export async function unlockVaultKey(
  backend: Backend,
  storeId: string,
  secrets: readonly StoreSecret[],
): Promise<KeyObject> {
  const { wraps, damaged } = await readWraps(backend);
  const known = wraps.map(({ kind, label }) => `${kind} "${label}"`).join(', ');
  const options = { target: backend.description };
  const unreadable =
    damaged.length === 0 ? '' : ` ${damaged.length} of its keys cannot be read (${damaged.join(' ')})`;
  if (wraps.length === 0)
    throw new HoldfastError(
      'StoreDamaged',
      `The store at ${backend.description} is encrypted, and none of its keys is left.${unreadable}`,
      {
        ...options,
        action: 'Put back a copy of the directory "keys" of the store: without it nobody can read the store.',
      },
    );
  if (secrets.length === 0)
    throw new HoldfastError(
      'StoreKeyRequired',
      `The store at ${backend.description} is encrypted. It can be opened with: ${known}.${unreadable}`,
      options,
    );
  for (const secret of secrets)
    for (const wrap of wraps) {
      const vaultKey = await unwrapKey(wrap, secret, storeId);
      if (vaultKey !== undefined) return vaultKey;
    }
  const given = [...new Set(secrets.map(({ kind }) => kind))].join(', ');
  throw new HoldfastError(
    'StoreKeyWrong',
    `The store at ${backend.description} does not open with what was given (${given}). It has: ${known}.${unreadable}`,
    options,
  );
}
