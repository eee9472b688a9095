import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { createStore, memoryBackend, openStore } from '../index.ts';
import { backUp, bytesFrom, restore, testChunkBytes, writeContent } from '../testing/model-disk.ts';
import { MovableClock } from '../testing/movable-clock.ts';

const noise = (seed: number, chunks: number) => bytesFrom(2 * seed + 1, chunks * testChunkBytes);
const createdAt = '2026-11-21T06:00:00Z';

async function emptyStore() {
  const backend = memoryBackend();
  const clock = new MovableClock();
  const options = {
    clock,
    chunkSizeBytes: testChunkBytes,
    packTargetBytes: 3 * testChunkBytes,
    reserveBytes: 64,
  };
  const store = await createStore(backend, options);
  /** As often as it takes for everything that may go to be gone. */
  const collectAll = async () => {
    for (let round = 0; round < 3; round++) {
      clock.move(25);
      await store.collect({ wasteThreshold: 0, force: true });
    }
  };
  return { backend, clock, options, store, collectAll };
}

/** The backend's `call` of an object stops at `reached` until `goOn`. */
function gate<Key extends 'get' | 'put' | 'delete'>(
  backend: Awaited<ReturnType<typeof emptyStore>>['backend'],
  call: Key,
  isMeant: (name: string) => boolean,
) {
  const reached = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const inner: (...args: never[]) => Promise<unknown> = backend[call];
  let isOpen = false;
  const gated = async (...args: never[]) => {
    if (!isOpen && isMeant(String(args[0]))) {
      isOpen = true;
      reached.resolve();
      await goOn.promise;
    }
    return await inner(...args);
  };
  Object.assign(backend, { [call]: gated });
  return { reached: reached.promise, goOn: goOn.resolve };
}

describe('mistakes that others made', () => {
  test('PSA-2025-00019-1: a point comes and its base goes while the roots are read', async () => {
    for (const where of ['points/vm/s0.point', 'points/vm/other.point']) {
      const { backend, clock, store, collectAll } = await emptyStore();
      const content = noise(1, 8);
      await backUp(store, 'other', noise(2, 4));
      const { disk } = await backUp(store, 's0', content);
      await backUp(store, 'gone', noise(3, 4));
      await store.deletePoint('vm', 'gone');
      await store.collect();
      clock.move(25);
      const listing = gate(backend, 'get', (name) => name === where);
      let listings = 0;
      const { list } = backend;
      backend.list = (prefix) => {
        if (prefix === 'points/') listings++;
        return list(prefix);
      };
      const collected = store.collect();
      await listing.reached;
      const changed = Buffer.from(content);
      noise(9, 1).copy(changed);
      const extents = [{ offset: 0, length: testChunkBytes, zero: false }];
      await backUp(store, 's1', changed, { base: disk, extents });
      await store.deletePoint('vm', 's0');
      listing.goOn();
      expect((await collected).removedPacks).toBeGreaterThan(0);
      expect(listings).toBeGreaterThan(1); // the roots were listed again once they had been marked
      expect((await restore(store, 's1')).equals(changed)).toBe(true);
      await collectAll();
      expect((await restore(store, 's1')).equals(changed)).toBe(true);
      await store[Symbol.asyncDispose]();
    }
  });

  test('restic #3126: a writer sleeps until long after its claim would have run out, and goes on', async () => {
    const { store, clock, collectAll } = await emptyStore();
    const content = noise(1, 8);
    await backUp(store, 'other', noise(2, 4));
    await backUp(store, 'old', content);
    await store.deletePoint('vm', 'old');
    await using writer = await store.beginPoint({ itemId: 'vm', pointId: 'new' });
    const { disk, newBytes } = await writeContent(writer, content);
    expect(newBytes).toBe(0);
    clock.move(10_000);
    await collectAll();
    await writer.commit({ createdAt, disks: [{ name: 'sda', disk }], metadata: {} });
    await collectAll();
    expect((await restore(store, 'new')).equals(content)).toBe(true);
    await store[Symbol.asyncDispose]();
  });

  test('kopia #1949: the machine sleeps in the middle of a collection, while others have woken up', async () => {
    for (const what of ['generations/', 'packs/'] as const) {
      const { backend, store, clock, collectAll } = await emptyStore();
      const content = noise(1, 8);
      await backUp(store, 'other', noise(2, 4));
      await backUp(store, 'old', content);
      await store.deletePoint('vm', 'old');
      if (what === 'packs/') {
        await store.collect();
        clock.move(25);
      }
      const asleep =
        what === 'packs/'
          ? gate(backend, 'delete', (name) => name.endsWith('.pack'))
          : gate(backend, 'put', (name) => name.startsWith(what));
      const collected = store.collect();
      await asleep.reached;
      clock.move(10_000);
      const written = backUp(store, 'new', content);
      if (what === 'generations/') await written;
      asleep.goOn();
      await Promise.all([collected, written]);
      await collectAll();
      expect((await restore(store, 'new')).equals(content)).toBe(true);
      await store[Symbol.asyncDispose]();
    }
  });

  test('a writer makes the very pack whose deletion is under way', async () => {
    const { backend, store, clock, options } = await emptyStore();
    const content = noise(1, 8);
    await backUp(store, 'other', noise(2, 4));
    await backUp(store, 'old', content);
    const names = [...backend.objects.keys()];
    await store.deletePoint('vm', 'old');
    await store.collect();
    clock.move(25);
    const deletion = gate(backend, 'delete', (name) => name.endsWith('.pack'));
    const collected = store.collect();
    await deletion.reached;
    // Whether the writer comes to its first pack before or after the deletion goes on, it must end well.
    const written = backUp(store, 'new', content);
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    deletion.goOn();
    await Promise.all([collected, written]);
    expect([...backend.objects.keys()].filter((name) => name.endsWith('.pack')).sort()).toEqual(
      names.filter((name) => name.endsWith('.pack')).sort(),
    );
    expect((await restore(store, 'new')).equals(content)).toBe(true);
    await store[Symbol.asyncDispose]();
    await using again = await openStore(backend, options);
    expect((await restore(again, 'new')).equals(content)).toBe(true);
  });

  test('restic #4612, XO #9925: a listing that fails, shows nothing, or not everything, is no empty store', async () => {
    const { backend, options, store, clock } = await emptyStore();
    const content = noise(1, 8);
    await backUp(store, 'one', content);
    await backUp(store, 'two', noise(2, 3));
    await store.collect();
    clock.move(25);
    const { list } = backend;
    const count = backend.objects.size;
    const answers = {
      failing: async function* (prefix: string) {
        if (prefix === 'points/') throw new Error('rclone: broken pipe');
        yield* list(prefix);
      },
      empty: async function* (prefix: string) {
        if (prefix !== 'points/') yield* list(prefix);
      },
      partial: async function* (prefix: string) {
        for await (const object of list(prefix)) if (!object.name.endsWith('/two.point')) yield object;
      },
      marker: async function* (prefix: string) {
        for await (const object of list(prefix)) if (!object.name.endsWith('.point')) yield object;
      },
    };
    for (const answer of Object.values(answers)) {
      backend.list = answer;
      await expect(store.collect({ minimumAgeMs: 0 })).rejects.toThrow(
        /broken pipe|empty|lacks \d that nobody/,
      );
      await expect(store.collect({ force: true })).rejects.toThrow();
      expect(backend.objects.size).toBe(count);
    }
    // A process that has never seen more has the last collection's word for it.
    backend.list = list;
    await store[Symbol.asyncDispose]();
    backend.list = answers.marker;
    const blind = await openStore(backend, options);
    await expect(blind.collect()).rejects.toMatchObject({ code: 'CollectionRefused' });
    await blind[Symbol.asyncDispose]();
    backend.list = list;
    await using again = await openStore(backend, options);
    await again.collect();
    expect((await restore(again, 'one')).equals(content)).toBe(true);
  });

  test('Longhorn #612: a base is deleted and collected while an incremental of it is written', async () => {
    const { store, collectAll } = await emptyStore();
    const content = noise(1, 8);
    await backUp(store, 'other', noise(2, 4));
    const { disk } = await backUp(store, 'base', content);
    const changed = Buffer.from(content);
    noise(9, 1).copy(changed, testChunkBytes);
    await using writer = await store.beginPoint({ itemId: 'vm', pointId: 'new' });
    const reading = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const written = writer.writeDisk({
      sizeBytes: changed.length,
      base: disk,
      extents: (async function* () {
        yield { offset: testChunkBytes, length: testChunkBytes, zero: false };
      })(),
      source: {
        async read(offset, length) {
          reading.resolve();
          await goOn.promise;
          return Buffer.from(changed.subarray(offset, offset + length));
        },
      },
    });
    await reading.promise;
    await store.deletePoint('vm', 'base');
    await collectAll();
    goOn.resolve();
    const { disk: newDisk } = await written;
    await collectAll();
    await writer.commit({ createdAt, disks: [{ name: 'sda', disk: newDisk }], metadata: {} });
    await collectAll();
    expect((await restore(store, 'new')).equals(changed)).toBe(true);
    await store[Symbol.asyncDispose]();
  });

  test('Longhorn #1435: a point is deleted and collected while it is restored', async () => {
    const { store, collectAll } = await emptyStore();
    const content = noise(1, 9);
    await backUp(store, 'other', noise(2, 4));
    const { disk } = await backUp(store, 'read', content);
    const restored = Buffer.alloc(content.length);
    {
      using reader = store.openDisk(disk);
      let isFirst = true;
      for await (const { offset, data } of reader.stream()) {
        restored.set(data, offset);
        if (!isFirst) continue;
        isFirst = false;
        await store.deletePoint('vm', 'read');
        await collectAll();
      }
      expect(isFirst).toBe(false);
      const again = await reader.read(0, content.length);
      expect(content.equals(again)).toBe(true);
    }
    expect(restored.equals(content)).toBe(true);
    await store[Symbol.asyncDispose]();
  });

  test('a base whose point has gone is kept while it is used, even if it was condemned before', async () => {
    const { store, collectAll } = await emptyStore();
    const content = noise(1, 8);
    await backUp(store, 'other', noise(2, 4));
    const { disk } = await backUp(store, 'base', content);
    await store.deletePoint('vm', 'base');
    await store.collect();
    await using writer = await store.beginPoint({ itemId: 'vm', pointId: 'new' });
    const written = await writeContent(writer, content, { base: disk, extents: [] });
    await collectAll();
    await writer.commit({ createdAt, disks: [{ name: 'sda', disk: written.disk }], metadata: {} });
    await collectAll();
    expect((await restore(store, 'new')).equals(content)).toBe(true);
    await store[Symbol.asyncDispose]();
  });

  test('a reader that opens what is condemned while the roots are marked, and even later, is noticed', async () => {
    for (const when of ['listing', 'marked'] as const) {
      const { backend, store, clock } = await emptyStore();
      const content = noise(1, 8);
      await backUp(store, 'other', noise(2, 4));
      const { disk } = await backUp(store, 'gone', content);
      await store.deletePoint('vm', 'gone');
      await store.collect();
      clock.move(25);
      const stopped =
        when === 'listing'
          ? gate(backend, 'get', (name) => name.endsWith('.point'))
          : gate(backend, 'put', (name) => name.startsWith('generations/'));
      const collected = store.collect();
      await stopped.reached;
      using reader = store.openDisk(disk);
      stopped.goOn();
      expect((await collected).removedPacks).toBe(0);
      expect(content.equals(await reader.read(0, content.length))).toBe(true);
      reader[Symbol.dispose]();
      await expect(reader.read(0, 1)).rejects.toThrow('disposed');
      await store[Symbol.asyncDispose]();
    }
  });

  test('a forgotten reader lets go, but not while something reads through it', async () => {
    setFlagsFromString('--expose-gc');
    const collectMemory: () => void = runInNewContext('gc');
    const { store, clock, collectAll } = await emptyStore();
    const content = noise(1, 80);
    await backUp(store, 'other', noise(2, 4));
    const { disk } = await backUp(store, 'gone', content);
    await store.deletePoint('vm', 'gone');
    let reached = 0;
    for await (const { offset, data } of store.openDisk(disk).stream()) {
      collectMemory();
      await new Promise((resolve) => setImmediate(resolve));
      if (reached === 0) await collectAll();
      expect(content.subarray(offset, offset + data.length).equals(data)).toBe(true);
      reached += data.length;
    }
    expect(reached).toBe(content.length);
    let removed = 0;
    for (let round = 0; round < 100 && removed === 0; round++) {
      collectMemory();
      await new Promise((resolve) => setImmediate(resolve));
      clock.move(25);
      removed += (await store.collect({ wasteThreshold: 0 })).removedPacks;
    }
    expect(removed).toBeGreaterThan(0);
    await store[Symbol.asyncDispose]();
  });

  test('XO #3739, #702, #1842: points in the middle of a chain go, and the others keep every byte', async () => {
    const { backend, options, store, collectAll } = await emptyStore();
    const points = new Map<string, Buffer>();
    let content = noise(1, 12);
    let { disk } = await backUp(store, 'p0', content);
    points.set('p0', content);
    for (let number = 1; number < 8; number++) {
      content = Buffer.from(content);
      const extents = [number, number + 3].map((chunk) => ({
        offset: chunk * testChunkBytes,
        length: testChunkBytes,
        zero: false,
      }));
      for (const { offset } of extents) noise(100 * number + offset, 1).copy(content, offset);
      ({ disk } = await backUp(store, `p${number}`, content, { base: disk, extents }));
      points.set(`p${number}`, content);
    }
    for (const gone of ['p0', 'p3', 'p4', 'p6', 'p1']) {
      await store.deletePoint('vm', gone);
      points.delete(gone);
      await collectAll();
      for (const [pointId, expected] of points)
        expect((await restore(store, pointId)).equals(expected), `${pointId} without ${gone}`).toBe(true);
    }
    await store[Symbol.asyncDispose]();
    await using again = await openStore(backend, options);
    for (const pointId of points.keys()) expect(await again.verifyPoint('vm', pointId, {})).toEqual([]);
  });

  test('kopia: a clock that was years ahead for one collection keeps no garbage for years', async () => {
    const { backend, store, clock, options } = await emptyStore();
    await backUp(store, 'kept', noise(1, 4));
    await backUp(store, 'gone', noise(2, 8));
    await store.deletePoint('vm', 'gone');
    clock.move(24 * 365 * 10);
    const { condemnedPacks } = await store.collect();
    expect(condemnedPacks).toBeGreaterThan(0);
    clock.move(-24 * 365 * 10);
    await store.collect();
    await store[Symbol.asyncDispose]();
    await using again = await openStore(backend, options);
    clock.move(23);
    expect((await again.collect()).removedPacks).toBe(0); // the time begins anew, and is waited for
    clock.move(2);
    expect((await again.collect()).removedPacks).toBe(condemnedPacks);
  });
});
