import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../errors/index.ts';
import { type MemoryBackend, memoryBackend } from './backends/memory.ts';
import { createStore, openStore, type Store } from './index.ts';
import { IndexTables } from './index-tables.ts';
import { tablePrefix } from './layout.ts';
import { loadIndex } from './load-index.ts';
import { backUp, bytesFrom, restore, testChunkBytes } from './testing/model-disk.ts';
import { MovableClock } from './testing/movable-clock.ts';
import { randomFrom } from './testing/scheduler.ts';
import { Quarantine } from './verify/quarantine.ts';

const clock = new MovableClock();
const options = {
  clock,
  chunkSizeBytes: testChunkBytes,
  packTargetBytes: 5 * testChunkBytes,
  chunksBeforeTable: 1,
  indexCacheBytes: 0,
};
const first = bytesFrom(1, 20 * testChunkBytes);
const second = Buffer.concat([bytesFrom(3, 7 * testChunkBytes), first.subarray(7 * testChunkBytes)]);

function tablesOf(backend: MemoryBackend): string[] {
  return [...backend.objects.keys()].filter((name) => name.startsWith(tablePrefix));
}

function copyOf(backend: MemoryBackend): MemoryBackend {
  return memoryBackend(new Map([...backend.objects].map(([name, bytes]) => [name, Buffer.from(bytes)])));
}

async function storeWithTable(): Promise<MemoryBackend> {
  const backend = memoryBackend();
  await using store = await createStore(backend, options);
  await backUp(store, 'first', first);
  await backUp(store, 'second', second);
  return backend;
}

async function expectWhole(store: Store): Promise<void> {
  expect((await restore(store, 'first')).equals(first)).toBe(true);
  expect((await restore(store, 'second')).equals(second)).toBe(true);
  expect((await backUp(store, 'again', second)).newBytes).toBe(0);
  await store.deletePoint('vm', 'again');
}

/** Names of what is read while the store is opened. */
async function readsAtOpening(backend: MemoryBackend): Promise<string[]> {
  const reads: string[] = [];
  const { get } = backend;
  backend.get = async (name, range) => {
    reads.push(name);
    return await get(name, range);
  };
  await using _ = await openStore(backend, options);
  backend.get = get;
  return reads;
}

describe('the stored table of the index', () => {
  test('and the segments are damaged by any change of their headers', async () => {
    const whole = await storeWithTable();
    const names = [...whole.objects.keys()].filter((name) => /^(table|index)\//.test(name));
    expect(names.length).toBeGreaterThan(1);
    await using store = await openStore(whole, options);
    expect((await store.verify()).damagedObjects).toEqual([]);
    for (const name of names)
      for (let at = 0; at < 16; at++) {
        const bytes = whole.objects.get(name) ?? Buffer.alloc(0);
        bytes[at] = (bytes[at] ?? 0) ^ 1;
        const { damagedObjects } = await store.verify();
        bytes[at] = (bytes[at] ?? 0) ^ 1;
        expect(
          damagedObjects.map((each) => each.name),
          `byte ${at}`,
        ).toContain(name);
      }
  });

  test('opens a store without a look at segments or packs', async () => {
    const backend = await storeWithTable();
    expect(tablesOf(backend)).toHaveLength(1);
    const reads = await readsAtOpening(backend);
    expect(reads.filter((name) => name.startsWith(tablePrefix)).length).toBeGreaterThan(0);
    expect(reads.filter((name) => /^(packs|index)\//.test(name))).toEqual([]);
    await using store = await openStore(backend, options);
    await expectWhole(store);
    const without = copyOf(backend);
    for (const name of tablesOf(without)) without.objects.delete(name);
    await using other = await openStore(without, options);
    expect(await other.stats()).toEqual(await store.stats());
  });

  test('is written when the store has grown by a quarter, not each time', async () => {
    const backend = await storeWithTable();
    const [before] = tablesOf(backend);
    {
      await using store = await openStore(backend, options);
      await backUp(store, 'little', bytesFrom(9, 2 * testChunkBytes));
    }
    expect(tablesOf(backend)).toEqual([before]);
    const reads = await readsAtOpening(backend);
    expect(reads.filter((name) => name.startsWith('index/'))).toHaveLength(1); // only what is new
    {
      await using store = await openStore(backend, options);
      expect((await restore(store, 'little')).equals(bytesFrom(9, 2 * testChunkBytes))).toBe(true);
      await backUp(store, 'more', bytesFrom(11, 20 * testChunkBytes));
    }
    expect(tablesOf(backend)).toHaveLength(1);
    expect(tablesOf(backend)).not.toEqual([before]);
    expect((await readsAtOpening(backend)).filter((name) => name.startsWith('index/'))).toEqual([]);
  });

  test('is of no consequence when it is damaged anywhere, cut short or lost', async () => {
    const backend = await storeWithTable();
    const [name = ''] = tablesOf(backend);
    const whole = backend.objects.get(name) ?? Buffer.alloc(0);
    let stats: unknown;
    {
      await using store = await openStore(backend, options);
      stats = await store.stats();
    }
    const random = randomFrom(3);
    const flipped = [8, 16, 20, whole.length - 1, whole.length - 60, whole.length - 30, whole.length - 80];
    for (let round = 0; round < 40; round++) flipped.push(random(whole.length));
    const versions: (Buffer | undefined)[] = flipped.map((at) => {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
      return bytes;
    });
    for (const length of [0, 10, 63, 64, 100, whole.length >> 1, whole.length - 1])
      versions.push(whole.subarray(0, length));
    versions.push(Buffer.concat([whole, Buffer.alloc(8)]), Buffer.concat([whole, whole]), undefined);
    for (const bytes of versions) {
      const damaged = copyOf(backend);
      if (bytes === undefined) damaged.objects.delete(name);
      else damaged.objects.set(name, bytes);
      await using store = await openStore(damaged, options);
      expect(await store.stats()).toEqual(stats);
      await expectWhole(store);
      expect(tablesOf(damaged)).toHaveLength(1); // a new one is in its place
    }
  });

  test('is checked by a verification and made anew by a repair', async () => {
    const backend = await storeWithTable();
    await using store = await openStore(backend, options);
    const [name = ''] = tablesOf(backend);
    expect((await store.verify()).damagedObjects).toEqual([]);
    const bytes = backend.objects.get(name) ?? Buffer.alloc(0);
    bytes[40] = (bytes[40] ?? 0) ^ 1;
    expect((await store.verify()).damagedObjects).toEqual([
      expect.objectContaining({ name, kind: 'corrupt', harm: 'none' }),
    ]);
    await store.repair({ dryRun: false });
    expect((await store.verify()).damagedObjects).toEqual([]);
    expect(tablesOf(backend)).toHaveLength(1);
    expect(tablesOf(backend)).not.toEqual([name]);
    await expectWhole(store);
  });

  test('is left alone by a medium that cannot read it', async () => {
    const backend = await storeWithTable();
    const { get } = backend;
    backend.get = async (name, range) => {
      if (name.startsWith(tablePrefix)) throw new HoldfastError('StoreUnavailable', 'EIO: i/o error');
      return await get(name, range);
    };
    await using store = await openStore(backend, options);
    await expectWhole(store);
  });

  test('may be there twice, or be of another store', async () => {
    const backend = await storeWithTable();
    const [name = ''] = tablesOf(backend);
    const old = Buffer.from(backend.objects.get(name) ?? []);
    {
      await using store = await openStore(backend, options);
      await backUp(store, 'more', bytesFrom(11, 30 * testChunkBytes));
    }
    backend.objects.set(`${tablePrefix}old.table`, old); // the process died before it was deleted
    const other = memoryBackend();
    {
      await using store = await createStore(other, options);
      await backUp(store, 'p', bytesFrom(21, 50 * testChunkBytes));
    }
    {
      await using store = await openStore(backend, options);
      await expectWhole(store);
      await backUp(store, 'much', bytesFrom(41, 90 * testChunkBytes));
    }
    expect(tablesOf(backend)).toHaveLength(1);
    const [foreign = ''] = tablesOf(other);
    backend.objects.set(foreign, other.objects.get(foreign) ?? Buffer.alloc(0));
    for (const table of tablesOf(backend)) if (table !== foreign) backend.objects.delete(table);
    await using store = await openStore(backend, options);
    await expectWhole(store);
  });

  test('knows which chunks were in a pack that is lost, and so does not mistake it for nothing', async () => {
    const backend = await storeWithTable();
    const [pack = ''] = [...backend.objects.keys()].filter((name) => name.endsWith('.pack'));
    backend.objects.delete(pack);
    await using store = await openStore(backend, options);
    const damage = await store.verifyPoint('vm', 'first', {});
    expect(damage.length).toBeGreaterThan(0);
    expect(damage[0]).toMatchObject({
      kind: 'missing',
      pack: pack.slice('packs/xx/'.length, -'.pack'.length),
    });
    await backUp(store, 'healing', first);
    expect((await restore(store, 'first')).equals(first)).toBe(true);
  });

  test('forgets packs that were collected, and numbers the others anew', async () => {
    const backend = await storeWithTable();
    {
      await using store = await openStore(backend, options);
      await store.deletePoint('vm', 'first');
      for (let round = 0; round < 3; round++) {
        clock.move(25);
        await store.collect({ force: true, wasteThreshold: 0 });
      }
    }
    const generation = [...backend.objects].find(([name]) => name.startsWith('generations/'))?.[1];
    expect(generation?.toString()).toContain('"removed":[]');
    expect((await readsAtOpening(backend)).filter((name) => name.startsWith('index/'))).toEqual([]);
    await using store = await openStore(backend, options);
    expect((await restore(store, 'second')).equals(second)).toBe(true);
    expect(await store.verifyPoint('vm', 'second', {})).toEqual([]);
    const { damagedPacks, damagedPoints } = await store.verify();
    expect(damagedPacks).toEqual([]);
    expect(damagedPoints).toEqual([]);
    expect((await backUp(store, 'again', second)).newBytes).toBe(0);
  });

  test('that was written before a collection died does not make collected packs look lost', async () => {
    const backend = await storeWithTable();
    const [name = ''] = tablesOf(backend);
    const before = Buffer.from(backend.objects.get(name) ?? []);
    await using store = await openStore(backend, options);
    await store.deletePoint('vm', 'first');
    const { delete: remove } = backend;
    let left = 1;
    backend.delete = async (object) => {
      if (object.endsWith('.pack') && left-- <= 0) throw new HoldfastError('StoreUnavailable', 'gone');
      await remove(object);
    };
    for (let round = 0; round < 2; round++) {
      clock.move(25);
      await store.collect({ force: true }).catch(() => {});
    }
    const died = copyOf(backend);
    died.objects.set(name, before);
    await using after = await openStore(died, options);
    expect((await after.verify()).damagedPacks).toEqual([]);
    expect((await restore(after, 'second')).equals(second)).toBe(true);
  });

  test('gives way where the store is full', async () => {
    const backend = await storeWithTable();
    const { put } = backend;
    backend.put = async (name, parts) => {
      if (!name.startsWith(tablePrefix)) return await put(name, parts);
      for await (const _ of parts); // the space ends at the end
      throw new HoldfastError('StoreFull', 'no space');
    };
    const before = tablesOf(backend);
    {
      await using store = await openStore(backend, options);
      await backUp(store, 'more', bytesFrom(11, 30 * testChunkBytes));
    }
    expect(tablesOf(backend)).toEqual(before);
    await using store = await openStore(backend, options);
    await expectWhole(store);
    await store.deletePoint('vm', 'first');
    for (let round = 0; round < 2; round++) {
      clock.move(25);
      await store.collect({ force: true });
    }
    expect(tablesOf(backend)).toEqual([]); // it would mention what has gone
  });

  test('is not left behind when a pack in it went while it was written: it would claim too much', async () => {
    const backend = await storeWithTable();
    for (const name of tablesOf(backend)) backend.objects.delete(name);
    const { index, tables, entered } = await loadIndex(backend, new Quarantine(backend));
    const written = new IndexTables(backend, index, tables);
    await written.save(entered, () => false);
    const before = tablesOf(backend);
    expect(before).toHaveLength(1);
    const { put } = backend;
    backend.put = async (name, parts) => {
      async function* slow() {
        for await (const part of parts) {
          yield part;
          index.removePack(0);
        }
      }
      await put(name, slow());
    };
    await written.save(entered, () => false);
    expect(tablesOf(backend)).toEqual(before);
    backend.put = put;
    await written.save(entered, () => false);
    expect(tablesOf(backend)).toHaveLength(1);
    expect(tablesOf(backend)).not.toEqual(before);
    expect(written.mentions((packId) => packId === index.packs.id(0))).toBe(false);
  });
});
