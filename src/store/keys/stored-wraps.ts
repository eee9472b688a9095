import type { KeyObject } from 'node:crypto';
import { HoldfastError, isHoldfastError } from '../../errors/index.ts';
import type { Backend } from '../backend.ts';
import { keyCopyName, keyCopyPrefix, keyName, keyPrefix, wrapIdOf } from '../layout.ts';
import { believableListing, fetchObject } from '../object-access.ts';
import { decodeWrap, encodeWrap, type KeyWrap, unwrapKey, wrapKey, wrapLimitBytes } from './key-wrap.ts';
import type { StoreSecret } from './store-secret.ts';

/** Of one store: more are for no use, and each passphrase among them takes its time to be tried. */
export const wrapLimit = 32;

export interface StoredWraps {
  wraps: KeyWrap[];
  /** Why others cannot be read, and their ids. */
  damaged: string[];
  damagedIds: string[];
  /** Objects of readable wraps that are not as their twins are, which say what to write there. */
  halves: { name: string; kind: 'missing' | 'corrupt'; message: string; bytes: Buffer }[];
}

/**
 * All wraps of a store, by age. Each is kept twice, in two places; where the two differ, the one under `keys/` counts
 * if it can be read.
 * @throws StoreUnavailable @throws StoreDamaged when there are too many to be honest
 */
export async function readWraps(backend: Backend): Promise<StoredWraps> {
  const ids = await listWraps(backend);
  if (ids.length > 2 * wrapLimit)
    throw new HoldfastError(
      'StoreDamaged',
      `The store at ${backend.description} has ${ids.length} keys; no program makes more than ${wrapLimit}.`,
      {
        target: backend.description,
        action:
          'Find out who put files into the directories "keys" and "key-copies" of the store, and remove those.',
      },
    );
  const found: StoredWraps = { wraps: [], damaged: [], damagedIds: [], halves: [] };
  for (const wrapId of ids) {
    const key = await readWrap(backend, keyName(wrapId));
    const copy = await readWrap(backend, keyCopyName(wrapId));
    const good = 'wrap' in key ? key : 'wrap' in copy ? copy : undefined;
    if (good === undefined) {
      const damage = 'damage' in key ? key.damage : 'damage' in copy ? copy.damage : undefined;
      if (damage === undefined) continue; // neither is there any more: it has just been removed
      found.damaged.push(damage);
      found.damagedIds.push(wrapId);
      continue;
    }
    found.wraps.push(good.wrap);
    for (const half of [key, copy]) {
      const { name } = half;
      const of = { name, bytes: good.bytes };
      if ('damage' in half) found.halves.push({ ...of, kind: 'corrupt', message: half.damage });
      else if (!('wrap' in half))
        found.halves.push({ ...of, kind: 'missing', message: `${name} is missing; its twin is there.` });
      else if (!half.bytes.equals(good.bytes))
        found.halves.push({ ...of, kind: 'corrupt', message: `${name} is not as its twin is.` });
    }
  }
  found.wraps.sort((a, b) => Temporal.Instant.compare(a.createdAt, b.createdAt));
  return found;
}

/** Ids of all wraps. An empty listing of the keys is believed only where their copies show that they have gone. */
async function listWraps(backend: Backend): Promise<string[]> {
  const copies = await Array.fromAsync(backend.list(keyCopyPrefix));
  const keys = copies.length === 0 ? believableListing(backend, keyPrefix) : backend.list(keyPrefix);
  const objects = [...copies, ...(await Array.fromAsync(keys))];
  return [...new Set(objects.flatMap(({ name }) => wrapIdOf(name) ?? []))].sort();
}

type StoredWrap = { name: string } & ({ wrap: KeyWrap; bytes: Buffer } | { damage: string } | object);

/** With neither wrap nor damage: it is not there. */
async function readWrap(backend: Backend, name: string): Promise<StoredWrap> {
  const object = await backend.stat(name);
  if (object === undefined) return { name };
  if (object.sizeBytes > wrapLimitBytes)
    return { name, damage: `${name} is damaged: it is too large for a key.` };
  const bytes = await fetchObject(backend, name);
  if (bytes === undefined) return { name };
  if (typeof bytes === 'string') return { name, damage: `${name} cannot be read: ${bytes}` };
  try {
    return { name, wrap: decodeWrap(name, bytes), bytes };
  } catch (error) {
    if (isHoldfastError(error, 'StoreDamaged', 'StoreVersionNotSupported'))
      return { name, damage: error.message };
    throw error;
  }
}

/** Writes both objects of a wrap. A crash leaves at least one of them as it was before, or as it is now. */
export async function putWrap(backend: Backend, wrap: KeyWrap): Promise<void> {
  const bytes = encodeWrap(wrap);
  for (const name of [keyName(wrap.wrapId), keyCopyName(wrap.wrapId)]) await backend.put(name, [bytes]);
}

/** Gone is a wrap only when both are: until then it is in force, and the next opening of the store brings it back whole. */
export async function deleteWrap(backend: Backend, wrapId: string): Promise<void> {
  for (const name of [keyCopyName(wrapId), keyName(wrapId)]) await backend.delete(name);
}

/** Makes the two objects of every readable wrap alike again. */
export async function mendWraps(backend: Backend): Promise<void> {
  for (const { name, bytes } of (await readWraps(backend)).halves) await backend.put(name, [bytes]);
}

/** Wraps the key for one more secret, durably, and proves that the secret opens what has been stored. */
export async function addWrap(
  backend: Backend,
  vaultKey: KeyObject,
  secret: StoreSecret,
  about: { storeId: string; label: string; createdAt: string },
): Promise<KeyWrap> {
  const wrap = await wrapKey(vaultKey, secret, about);
  try {
    await putWrap(backend, wrap);
    const stored = await readWrap(backend, keyName(wrap.wrapId));
    const copy = await readWrap(backend, keyCopyName(wrap.wrapId));
    const isWhole = 'wrap' in stored && 'wrap' in copy && stored.bytes.equals(copy.bytes);
    const opened = isWhole ? await unwrapKey(stored.wrap, secret, about.storeId) : undefined;
    if (!opened?.equals(vaultKey))
      throw new HoldfastError(
        'StoreUnavailable',
        `A new key was written to the store at ${backend.description} and did not come back as it was.`,
        { target: backend.description },
      );
    return wrap;
  } catch (error) {
    await deleteWrap(backend, wrap.wrapId).catch(() => {}); // the first failure is the one to report
    throw error;
  }
}

/**
 * The vault key, by whichever of the secrets opens any wrap; one that is no secret at all is no reason not to try the others.
 * @throws StoreKeyRequired @throws StoreKeyWrong @throws KeyNotUsable @throws StoreDamaged @throws StoreUnavailable
 */
export async function unlockVaultKey(
  backend: Backend,
  storeId: string,
  secrets: readonly StoreSecret[],
): Promise<KeyObject> {
  const { wraps, damaged, halves } = await readWraps(backend);
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
        action:
          'Put back a copy of the directory "keys" or "key-copies" of the store: without one nobody can read it.',
      },
    );
  if (secrets.length === 0)
    throw new HoldfastError(
      'StoreKeyRequired',
      `The store at ${backend.description} is encrypted. It can be opened with: ${known}.${unreadable}`,
      options,
    );
  let unusable: unknown;
  for (const secret of secrets)
    for (const wrap of wraps) {
      const vaultKey = await unwrapKey(wrap, secret, storeId).catch((error: unknown) => {
        if (!isHoldfastError(error, 'KeyNotUsable')) throw error;
        unusable ??= error;
      });
      if (vaultKey === undefined) continue;
      await mendIfPossible(backend, halves);
      return vaultKey;
    }
  if (unusable !== undefined) throw unusable;
  const given = [...new Set(secrets.map(({ kind }) => kind))].join(', ');
  throw new HoldfastError(
    'StoreKeyWrong',
    `The store at ${backend.description} does not open with what was given (${given}). It has: ${known}.${unreadable}`,
    options,
  );
}

/** One of two is enough to open the store; what cannot be mended now is found by a verification. */
async function mendIfPossible(backend: Backend, halves: StoredWraps['halves']): Promise<void> {
  try {
    for (const { name, bytes } of halves) await backend.put(name, [bytes]);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
  }
}
