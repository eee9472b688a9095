import { HoldfastError } from '../../errors/index.ts';
import type { Backend } from '../backend.ts';
import { Limiter } from '../limiter.ts';
import { isLabel, type KeyWrap, type KeyWrapInfo, labelLimit, unwrapKey } from './key-wrap.ts';
import type { StoreKeys } from './store-keys.ts';
import { checkNewSecret, type StoreSecret } from './store-secret.ts';
import { addWrap, deleteWrap, putWrap, readWraps, wrapLimit } from './stored-wraps.ts';

/** A secret that is to open a store, with the name people know it by. */
export interface NewSecret extends StoreSecret {
  /** 1 to 100 characters, none of them invisible. */
  label: string;
}

/**
 * Who can open a store that is open. The vault key itself stays as it is: whoever once had it can go on reading what they
 * have copied, and no data is written anew. Changes are made one after the other.
 */
export interface KeyRing {
  /** By age; `damaged`: why others cannot be read. */
  list(): Promise<{ keys: KeyWrapInfo[]; damaged: string[] }>;
  /** Which key a secret is, if it is any. @throws KeyNotUsable */
  whose(secret: StoreSecret): Promise<KeyWrapInfo | undefined>;
  /** Durable, and tried out, when it resolves. @throws KeyNotUsable @throws StoreFull @throws StoreUnavailable */
  add(secret: NewSecret): Promise<KeyWrapInfo>;
  /** Adds the new one, and then removes the old one: a crash leaves the old one, both, or the new one. */
  replace(wrapId: string, secret: NewSecret): Promise<KeyWrapInfo>;
  /** @throws StoreKeyNotFound */
  rename(wrapId: string, label: string): Promise<KeyWrapInfo>;
  /** One that is damaged, too, if another can be read. @throws StoreKeyNotFound @throws StoreKeyLast when no other key that can be read would be left */
  remove(wrapId: string): Promise<void>;
}

export interface KeyRingParts {
  now(): Temporal.Instant;
  /** Runs what changes the medium, before the store's lock is given up or not at all. */
  change<T>(work: () => Promise<T>): Promise<T>;
}

export function keyRingOf(
  backend: Backend,
  storeId: string,
  { vaultKey }: StoreKeys,
  { now, change }: KeyRingParts,
): KeyRing {
  const limiter = new Limiter(1);
  const oneChange = { run: <T>(work: () => Promise<T>) => change(() => limiter.run(work)) };
  const notFound = (wrapId: string) =>
    new HoldfastError('StoreKeyNotFound', `The store at ${backend.description} has no key ${wrapId}.`, {
      target: wrapId,
    });

  async function find(wrapId: string): Promise<{ wrap: KeyWrap; others: KeyWrap[] }> {
    const { wraps } = await readWraps(backend);
    const wrap = wraps.find((candidate) => candidate.wrapId === wrapId);
    if (wrap === undefined) throw notFound(wrapId);
    return { wrap, others: wraps.filter((candidate) => candidate !== wrap) };
  }

  async function add({ label, ...secret }: NewSecret, limit: number): Promise<KeyWrapInfo> {
    checkLabel(label);
    checkNewSecret(secret);
    if ((await readWraps(backend)).wraps.length >= limit)
      throw new HoldfastError('KeyNotUsable', `A store has at most ${wrapLimit} keys.`, {
        target: backend.description,
        action: 'Remove a key that nobody needs any more first.',
      });
    return infoOf(await addWrap(backend, vaultKey, secret, { storeId, label, createdAt: now().toString() }));
  }

  return {
    async list() {
      const { wraps, damaged } = await readWraps(backend);
      return { keys: wraps.map(infoOf), damaged };
    },
    async whose(secret) {
      for (const wrap of (await readWraps(backend)).wraps)
        if ((await unwrapKey(wrap, secret, storeId)) !== undefined) return infoOf(wrap);
      return undefined;
    },
    add: (secret) => oneChange.run(() => add(secret, wrapLimit)),
    replace: (wrapId, secret) =>
      oneChange.run(async () => {
        await find(wrapId);
        const added = await add(secret, wrapLimit + 1);
        await deleteWrap(backend, wrapId);
        return added;
      }),
    rename: (wrapId, label) =>
      oneChange.run(async () => {
        checkLabel(label);
        const { wrap } = await find(wrapId);
        await putWrap(backend, { ...wrap, label });
        return infoOf({ ...wrap, label });
      }),
    remove: (wrapId) =>
      oneChange.run(async () => {
        const { wraps, damagedIds } = await readWraps(backend);
        // What nobody can read opens nothing, and is for no use beside one that does.
        if (damagedIds.includes(wrapId) && wraps.length > 0) return await deleteWrap(backend, wrapId);
        const { wrap, others } = await find(wrapId);
        if (others.length === 0)
          throw new HoldfastError(
            'StoreKeyLast',
            `"${wrap.label}" is the only key of the store at ${backend.description}: without it nobody could ever read the store again.`,
            { target: wrapId },
          );
        await deleteWrap(backend, wrapId);
      }),
  };
}

/** @throws InvalidInput */
export function checkLabel(label: string): void {
  if (!isLabel(label))
    throw new HoldfastError(
      'InvalidInput',
      `The name of a key has 1 to ${labelLimit} characters, all of them visible.`,
    );
}

function infoOf({ wrapId, kind, label, createdAt }: KeyWrap): KeyWrapInfo {
  return { wrapId, kind, label, createdAt };
}
