import { randomUUID } from 'node:crypto';
import { HoldfastError } from '../errors/index.ts';
import type { Backend, StoreLock } from './backend.ts';
import { changedExtents } from './changed-extents.ts';
import { collect } from './collect/collect.ts';
import { reserveBytes } from './collect/generations.ts';
import { firstContent, mendDescription, readDescription } from './description.ts';
import { MapReader } from './disk-map.ts';
import { openDisk } from './disk-reader.ts';
import { documentsWith, encodeDocument } from './document.ts';
import { loadGeneration } from './generation-record.ts';
import { checkLabel, keyRingOf, type NewSecret } from './keys/key-ring.ts';
import { newVaultKey, type StoreKeys, storeKeysOf } from './keys/store-keys.ts';
import { checkNewSecret, type StoreSecret } from './keys/store-secret.ts';
import { addWrap, unlockVaultKey } from './keys/stored-wraps.ts';
import {
  checkIdentifier,
  configCopyName,
  configName,
  keyCopyPrefix,
  keyMarkerName,
  keyPrefix,
  markerNames,
  pointName,
} from './layout.ts';
import { Limiter } from './limiter.ts';
import { loadIndex } from './load-index.ts';
import { packTargetBytes } from './pack-writer.ts';
import { listPointNames, listPoints, readPoint } from './point-records.ts';
import { StorePointWriter } from './point-writer.ts';
import type { Store } from './store.ts';
import {
  encodeConfig,
  encryptionFeature,
  isChunkSize,
  isEncrypted,
  type StoreConfig,
} from './store-config.ts';
import { StoreState } from './store-state.ts';
import { healDisk } from './verify/heal.ts';
import { Quarantine } from './verify/quarantine.ts';
import { loadQuarantine } from './verify/quarantine-record.ts';
import { repairStore } from './verify/repair.ts';
import { verifyStore } from './verify/verify-store.ts';
import { verifyDisks } from './verify-point.ts';

/** See `docs/store-format.md`: smaller pieces make small changes cheap, and 64 KiB still compresses well. */
export const defaultChunkSizeBytes = 64 * 1024;

/** See `docs/store-format.md`, "Why so". */
export const defaultCompressionLevel = 1;

export interface Clock {
  now(): Temporal.Instant;
}

/** What a store is opened with, whether it is new or not. */
interface CommonOptions {
  clock: Clock;
  /** Packs are closed before this size. Default and most: 32 MiB. */
  packTargetBytes?: number;
  /** Of zstd, 1 to 19, for what is written from now on. Default {@link defaultCompressionLevel}. */
  compressionLevel?: number;
  /**
   * Whether every frame is opened again and compared with its content before it is written. Default true: what a
   * compressor or a faulty memory has spoilt would be found by a restore. False is for measuring what that costs.
   */
  tryOut?: boolean;
  /**
   * Threads that hash and compress, started when there is enough to do. Default: one per core, at
   * most eight. 0: the calling thread does all.
   */
  threads?: number;
  /** What a collection sets aside, for the marks of one that finds the store full. Default 4 MiB. */
  reserveBytes?: number;
  /** Memory for the packs' tables of contents, to look chunks up in. Default 32 MiB. */
  indexCacheBytes?: number;
  /** Chunks that the stored table of the index may lack at least before it is written anew. Default 262144. */
  chunksBeforeTable?: number;
}

export interface OpenOptions extends CommonOptions {
  /** Secrets of an encrypted store: any one of them opens it. To be left out for a store that is not encrypted. */
  unlock?: readonly StoreSecret[];
}

export interface CreateOptions extends CommonOptions {
  /** A power of two from 16 KiB to 4 MiB. Default {@link defaultChunkSizeBytes}. */
  chunkSizeBytes?: number;
  /** The secrets that are to open it, at least one. Default: none, and whoever sees the store can read it. */
  encryption?: { secrets: readonly NewSecret[] } | 'none';
}

/** Makes a store where there is none, and opens it. @throws StoreExists @throws StoreInUse @throws KeyNotUsable */
export async function createStore(backend: Backend, options: CreateOptions): Promise<Store> {
  const chunkSizeBytes = options.chunkSizeBytes ?? defaultChunkSizeBytes;
  if (!isChunkSize(chunkSizeBytes)) throw new RangeError(`not a chunk size: ${chunkSizeBytes}`);
  const { encryption = 'none' } = options;
  if (encryption !== 'none') checkSecrets(encryption.secrets);
  return await withLock(backend, { create: true }, async (lock) => {
    await refuseExisting(backend);
    const config: StoreConfig = {
      storeId: randomUUID(),
      createdAt: options.clock.now().toString(),
      chunkSizeBytes,
      features: { read: encryption === 'none' ? [] : [encryptionFeature], write: [] },
    };
    const keys = encryption === 'none' ? undefined : await makeKeys(backend, config, encryption.secrets);
    for (const name of markerNames) await backend.put(name, [encodeDocument('marker', {})]);
    // Last, for it is what makes a store: a crash before it leaves a place that is still free.
    for (const name of [configCopyName, configName]) await backend.put(name, [encodeConfig(config)]);
    return await openLocked(backend, options, { config, keys }, lock);
  });
}

function checkSecrets(secrets: readonly NewSecret[]): void {
  if (secrets.length === 0) throw new Error('an encrypted store needs a secret that opens it');
  for (const secret of secrets) {
    checkLabel(secret.label);
    checkNewSecret(secret);
  }
}

/** A new vault key, wrapped for each of the secrets. Nothing is encrypted yet, so keys that are there open nothing. */
async function makeKeys(
  backend: Backend,
  { storeId, createdAt }: StoreConfig,
  secrets: readonly NewSecret[],
): Promise<StoreKeys> {
  for (const prefix of [keyPrefix, keyCopyPrefix])
    for (const { name } of await Array.fromAsync(backend.list(prefix))) await backend.delete(name);
  await backend.put(keyMarkerName, [encodeDocument('marker', {})]);
  const vaultKey = newVaultKey();
  for (const { label, ...secret } of secrets)
    await addWrap(backend, vaultKey, secret, { storeId, label, createdAt });
  return storeKeysOf(vaultKey, storeId);
}

/**
 * @throws StoreNotFound @throws StoreInUse @throws StoreVersionNotSupported @throws StoreDamaged @throws StoreUnavailable
 * @throws StoreKeyRequired @throws StoreKeyWrong @throws KeyNotUsable @throws StoreNotEncrypted
 */
export async function openStore(backend: Backend, options: OpenOptions): Promise<Store> {
  if (!(await mayBeStore(backend))) throw notFound(backend);
  return await withLock(backend, { create: false }, async (lock) => {
    const description = await readDescription(backend);
    if (description === undefined) throw notFound(backend);
    const { config } = description;
    const keys = await unlock(backend, config, options.unlock ?? []);
    await mendDescription(backend, description);
    return await openLocked(backend, options, { config, keys }, lock);
  });
}

async function mayBeStore(backend: Backend): Promise<boolean> {
  if (!(await backend.exists())) return false;
  for (const name of [configName, configCopyName]) if ((await backend.stat(name)) !== undefined) return true;
  return false;
}

async function unlock(
  backend: Backend,
  config: StoreConfig,
  secrets: readonly StoreSecret[],
): Promise<StoreKeys | undefined> {
  if (isEncrypted(config))
    return storeKeysOf(await unlockVaultKey(backend, config.storeId, secrets), config.storeId);
  // Whoever has a key believes the store to be encrypted. If somebody has put another description there, what is
  // written from now on could be read by them.
  if (secrets.length > 0)
    throw new HoldfastError(
      'StoreNotEncrypted',
      `The store at ${backend.description} is not encrypted, but a key was given for it.`,
      { target: backend.description },
    );
  return undefined;
}

function notFound({ description }: Backend): HoldfastError {
  return new HoldfastError('StoreNotFound', `There is no store at ${description}.`, { target: description });
}

/** The lock is kept when `action` succeeds, and given back when it fails. */
async function withLock(
  backend: Backend,
  options: { create: boolean },
  action: (lock: StoreLock) => Promise<Store>,
): Promise<Store> {
  const lock = await backend.lock(options);
  if (lock === undefined)
    throw new HoldfastError('StoreInUse', `The store at ${backend.description} is open in another process.`, {
      target: backend.description,
    });
  try {
    return await action(lock);
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
}

/** Packs or points without a description are the remains of a store, and not to be mixed with a new one. */
async function refuseExisting(backend: Backend): Promise<void> {
  const refuse = (what: string) =>
    new HoldfastError('StoreExists', `${backend.description} already holds ${what}.`, {
      target: backend.description,
    });
  if ((await backend.stat(configName)) !== undefined) throw refuse('a store');
  const content = await firstContent(backend);
  if (content !== undefined) throw refuse(`parts of a store (${content})`);
}

async function openLocked(
  backend: Backend,
  options: CommonOptions,
  { config, keys }: { config: StoreConfig; keys: StoreKeys | undefined },
  lock: StoreLock,
): Promise<Store> {
  const compressionLevel = options.compressionLevel ?? defaultCompressionLevel;
  // zstd would take the nearest it has, and say nothing.
  if (!Number.isInteger(compressionLevel) || compressionLevel < 1 || compressionLevel > 19)
    throw new RangeError(`not a compression level: ${compressionLevel}`);
  // Points before packs: what a point listed here refers to was written before it.
  const points = await listPointNames(backend);
  const generation = await loadGeneration(backend, documentsWith(keys));
  const quarantine = new Quarantine(backend, (await loadQuarantine(backend)).records);
  lock.lost.addEventListener('abort', () => quarantine.stop(), { once: true });
  if (lock.lost.aborted) quarantine.stop();
  const { chunksBeforeTable, indexCacheBytes } = options;
  const removed = new Set(generation.record?.removed);
  const index = await loadIndex(backend, quarantine, removed, { cacheBytes: indexCacheBytes });
  for (const { pack } of [...quarantine.records()])
    if (index.packs.sizeOf(pack) === undefined) quarantine.forget(pack); // it went before its note did
  const state = new StoreState(backend, config, keys, index, generation, quarantine, {
    packTargetBytes: options.packTargetBytes ?? packTargetBytes,
    compressionLevel,
    tryOut: options.tryOut ?? true,
    threads: options.threads,
    reserveBytes: options.reserveBytes ?? reserveBytes,
    lost: lock.lost,
    chunksBeforeTable,
  });
  for (const { itemId, pointId } of points) {
    state.points.set(pointId, itemId);
    state.known.add(itemId, pointId);
  }
  await state.saveTableIfDue();
  return storeOf(state, lock, options.clock);
}

function storeOf(state: StoreState, lock: StoreLock, clock: Clock): Store {
  const { backend, reader, index, sink } = state;
  const writers = new Set<StorePointWriter>();
  /** What may still change the medium: the lock is kept until it is over. */
  const changes = new Set<Promise<unknown>>();
  const oneVerification = new Limiter(1);
  const oneRepair = new Limiter(1);
  const closed = new AbortController();
  let closing: Promise<void> | undefined;

  async function change<T>(action: () => Promise<T>): Promise<T> {
    state.throwIfClosed();
    const changed = action();
    changes.add(changed);
    try {
      return await changed;
    } finally {
      changes.delete(changed);
    }
  }

  async function close(): Promise<void> {
    state.close();
    closed.abort(new Error('the store has been closed'));
    try {
      await Promise.allSettled(changes);
      for (const writer of [...writers]) await writer[Symbol.asyncDispose]();
      // The index is a cache: whoever has the lock now reads the packs that no segment has.
      if (!lock.lost.aborted) await state.saveIndexIfRoom();
      if (!lock.lost.aborted) await state.saveTableIfDue();
    } finally {
      await state.quarantine.saved();
      await state.workers[Symbol.asyncDispose]();
      await lock[Symbol.asyncDispose]();
    }
  }

  /** Closing the store ends it; a second one of the same limiter waits for the first. */
  async function runUntilClosed<T>(
    limiter: Limiter | undefined,
    own: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    state.throwIfClosed();
    const signal = AbortSignal.any([closed.signal, lock.lost, ...(own === undefined ? [] : [own])]);
    const begin = async () => {
      signal.throwIfAborted();
      return await work(signal);
    };
    return await change(() => (limiter === undefined ? begin() : limiter.run(begin)));
  }

  return {
    storeId: state.config.storeId,
    keys:
      state.keys && keyRingOf(backend, state.config.storeId, state.keys, { now: () => clock.now(), change }),
    chunkSizeBytes: state.config.chunkSizeBytes,
    lost: lock.lost,
    async beginPoint({ itemId, pointId, signal }) {
      state.throwIfClosed();
      signal?.throwIfAborted();
      checkIdentifier('item', itemId);
      checkIdentifier('point', pointId);
      await state.settleDoubt(pointId);
      state.reserve(itemId, pointId);
      const writer = new StorePointWriter(state, { itemId, pointId, signal }, () => writers.delete(writer));
      writers.add(writer);
      return writer;
    },
    async listPoints() {
      state.throwIfClosed();
      const listed = await listPoints(state);
      for (const record of listed.points) state.known.note(record);
      return listed;
    },
    async readPoint(itemId, pointId) {
      state.throwIfClosed();
      checkIdentifier('item', itemId);
      checkIdentifier('point', pointId);
      const record = await readPoint(state, itemId, pointId);
      state.known.note(record);
      return record;
    },
    openDisk(disk) {
      state.throwIfClosed();
      return openDisk(disk, reader, state.uses.hold(disk));
    },
    async *changedExtents(base, disk, { signal } = {}) {
      state.throwIfClosed();
      const holds = [disk, ...(base === undefined ? [] : [base])].map((each) => state.uses.hold(each));
      try {
        yield* changedExtents(base && new MapReader(base, reader), new MapReader(disk, reader), signal);
      } finally {
        for (const hold of holds) hold.release();
      }
    },
    async deletePoint(itemId, pointId) {
      state.throwIfClosed();
      checkIdentifier('item', itemId);
      checkIdentifier('point', pointId);
      await change(async () => {
        const name = pointName(itemId, pointId);
        if ((await backend.stat(name)) === undefined)
          throw new HoldfastError(
            'RecoveryPointNotInStore',
            `The store has no recovery point ${pointId} of ${itemId}.`,
            { target: pointId },
          );
        state.known.forget(itemId, pointId);
        await backend.delete(name);
        state.points.delete(pointId);
        state.doubtful.delete(pointId);
      });
    },
    async verifyPoint(itemId, pointId, verifyOptions) {
      const record = await this.readPoint(itemId, pointId);
      const holds = record.disks.map(({ disk }) => state.uses.hold(disk));
      try {
        return await verifyDisks(record, reader, verifyOptions);
      } finally {
        for (const hold of holds) hold.release();
      }
    },
    async verify(verifyOptions = {}) {
      return await runUntilClosed(oneVerification, verifyOptions.signal, (signal) =>
        verifyStore(state, { ...verifyOptions, signal }, clock.now()),
      );
    },
    async repair(repairOptions = {}) {
      return await runUntilClosed(oneRepair, repairOptions.signal, (signal) =>
        repairStore(state, { ...repairOptions, signal }, clock.now()),
      );
    },
    async heal(disk, source, healOptions = {}) {
      return await runUntilClosed(undefined, healOptions.signal, (signal) =>
        healDisk(state, disk, source, { ...healOptions, signal }),
      );
    },
    async stats() {
      state.throwIfClosed();
      return {
        packs: sink.packs.present.size,
        chunks: index.chunks,
        storedBytes: sink.packs.storedBytes,
        uniqueBytes: index.plainBytes,
        points: (await listPointNames(backend)).length,
        condemnedPacks: state.condemned.sentences.size,
        condemnedBytes: state.condemned.sizeBytes,
        quarantinedPacks: state.quarantine.packs,
      };
    },
    async collect(collectOptions = {}) {
      return await runUntilClosed(state.oneCollection, collectOptions.signal, (signal) =>
        collect(state, { ...collectOptions, signal }, clock.now()),
      );
    },
    async [Symbol.asyncDispose]() {
      closing ??= close();
      await closing;
    },
  };
}
