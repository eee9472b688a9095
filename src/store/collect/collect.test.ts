import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../errors/index.ts';
import {
  type CollectPlan,
  createStore,
  type MemoryBackend,
  memoryBackend,
  openStore,
  type PackAction,
  printPlan,
} from '../index.ts';
import { decodeFooter, packFooterBytes, trailerEntries } from '../pack-format.ts';
import { backUp, bytesFrom, readAll, restore, testChunkBytes, writeContent } from '../testing/model-disk.ts';
import { MovableClock } from '../testing/movable-clock.ts';
import { type PackFacts, planPack } from './plan.ts';

const noise = (seed: number, chunks: number) => bytesFrom(2 * seed + 1, chunks * testChunkBytes);

async function emptyStore(packChunks = 4) {
  const backend = memoryBackend();
  const clock = new MovableClock();
  const options = {
    clock,
    chunkSizeBytes: testChunkBytes,
    packTargetBytes: (packChunks + 1) * testChunkBytes,
    reserveBytes: 1000,
  };
  return { backend, clock, options, store: await createStore(backend, options) };
}

function packBytes(backend: MemoryBackend): number {
  return [...backend.objects].reduce(
    (sum, [name, { length }]) => sum + (name.endsWith('.pack') ? length : 0),
    0,
  );
}

function snapshot(backend: MemoryBackend): string {
  return JSON.stringify([...backend.objects].map(([name, bytes]) => [name, bytes.toString('base64')]).sort());
}

const actionsOf = ({ packs }: CollectPlan) => packs.map(({ action }) => action);
const count = (plan: CollectPlan, action: PackAction) =>
  actionsOf(plan).filter((one) => one === action).length;

describe('a collection', () => {
  test('gives back the space of a deleted point, in two steps and after its time', async () => {
    const { backend, clock, store, options } = await emptyStore();
    const kept = noise(1, 10);
    await backUp(store, 'kept', kept);
    const before = packBytes(backend);
    await backUp(store, 'gone', noise(2, 20));
    const full = packBytes(backend);
    await store.deletePoint('vm', 'gone');
    const first = await store.collect();
    expect(first).toMatchObject({ removedPacks: 0, dryRun: false, plan: { generation: 1, points: 1 } });
    expect(first.condemnedBytes).toBe(full - before);
    expect(packBytes(backend)).toBe(full);
    expect(await store.collect()).toMatchObject({ removedPacks: 0, condemnedPacks: 0 });
    clock.move(-48); // a clock that goes backwards makes nothing older
    expect((await store.collect()).removedPacks).toBe(0);
    clock.move(48 + 25);
    expect(await store.collect()).toMatchObject({ removedBytes: full - before });
    expect(packBytes(backend)).toBe(before);
    expect((await store.stats()).storedBytes).toBe(before);
    expect((await restore(store, 'kept')).equals(kept)).toBe(true);
    await store[Symbol.asyncDispose]();

    const text = [...backend.objects].filter(([name]) => name.startsWith('generations/'));
    expect(text).toHaveLength(1);
    await using again = await openStore(backend, options);
    expect((await restore(again, 'kept')).equals(kept)).toBe(true);
    expect((await again.stats()).storedBytes).toBe(before);
    expect(await again.verifyPoint('vm', 'kept', {})).toEqual([]);
    // What was deleted is not damage: nothing in the index remembers it.
    const segments = [...backend.objects].filter(([name]) => name.startsWith('index/'));
    const indexBytes = segments.reduce((sum, [, { length }]) => sum + length, 0);
    expect(indexBytes).toBeLessThan(30 * 64 + (await again.stats()).packs * 200);
  });

  test('keeps the condemned across a restart, and their age', async () => {
    const { backend, clock, store, options } = await emptyStore();
    await backUp(store, 'kept', noise(1, 3));
    await backUp(store, 'gone', noise(2, 10));
    await store.deletePoint('vm', 'gone');
    const { condemnedPacks } = await store.collect();
    await store[Symbol.asyncDispose]();
    clock.move(25);
    await using again = await openStore(backend, options);
    expect((await again.collect()).removedPacks).toBe(condemnedPacks);
  });

  test('changes nothing in a dry run, and prints what it would do', async () => {
    const { backend, clock, store } = await emptyStore();
    const content = noise(1, 12);
    const { disk } = await backUp(store, 'old', content);
    const changed = Buffer.from(content);
    noise(7, 3).copy(changed);
    await backUp(store, 'new', changed, {
      base: disk,
      extents: [{ offset: 0, length: 3 * testChunkBytes, zero: false }],
    });
    await store.deletePoint('vm', 'old');
    const before = snapshot(backend);
    const { plan, dryRun } = await store.collect({ dryRun: true });
    expect(dryRun).toBe(true);
    expect(snapshot(backend)).toBe(before);
    const printed = printPlan(plan);
    expect(printed).toMatch(/^repack [0-9a-f]{64}: \d+ bytes, \d+ needed; \d+ % of it is waste$/m);
    expect(printed).toMatch(/^generation 1, 1 points: .*keep \d+ \(\d+ bytes\)$/m);
    // The real one does what the dry one said.
    const real = await store.collect();
    expect(actionsOf(real.plan)).toEqual(actionsOf(plan));
    clock.move(25);
    const then = await store.collect({ dryRun: true });
    expect(count(then.plan, 'remove')).toBe(real.condemnedPacks);
    expect((await backUp(store, 'same', content)).newBytes).toBeGreaterThan(0);
  });

  test('repacks above the threshold and not below it', async () => {
    const run = async (wasteThreshold: number) => {
      const { backend, clock, store } = await emptyStore(9);
      const content = noise(1, 9);
      const { disk } = await backUp(store, 'old', content);
      const changed = Buffer.from(content);
      noise(7, 3).copy(changed, testChunkBytes);
      await backUp(store, 'new', changed, {
        base: disk,
        extents: [{ offset: testChunkBytes, length: 3 * testChunkBytes, zero: false }],
      });
      await store.deletePoint('vm', 'old');
      const before = packBytes(backend);
      const report = await store.collect({ wasteThreshold });
      clock.move(25);
      await store.collect({ wasteThreshold });
      expect((await restore(store, 'new')).equals(changed)).toBe(true);
      expect(await store.verifyPoint('vm', 'new', {})).toEqual([]);
      await store[Symbol.asyncDispose]();
      return { report, saved: before - packBytes(backend) };
    };
    const above = await run(0.3);
    expect(above.report.repackedPacks).toBe(1);
    // Three chunks of noise and the old page, and what they took in the trailer; a footer or two either way.
    expect(above.saved).toBeGreaterThan(3 * testChunkBytes);
    expect(above.saved).toBeLessThan(4 * testChunkBytes);
    const below = await run(0.5);
    expect(below.report).toMatchObject({ repackedPacks: 0, condemnedPacks: 0 });
    expect(below.saved).toBe(0);
  });

  test('copies no more than it may, and leaves the rest to the next', async () => {
    const { clock, store } = await emptyStore(4);
    const content = noise(1, 40);
    const { disk } = await backUp(store, 'old', content);
    const changed = Buffer.from(content);
    const extents = Array.from({ length: 10 }, (_, number) => ({
      offset: number * 4 * testChunkBytes,
      length: 2 * testChunkBytes,
      zero: false,
    }));
    for (const { offset, length } of extents) noise(offset, 2).copy(changed, offset, 0, length);
    await backUp(store, 'new', changed, { base: disk, extents });
    await store.deletePoint('vm', 'old');
    let repacked = 0;
    for (let round = 0; round < 5; round++) {
      const report = await store.collect({ repackLimitBytes: 5 * testChunkBytes });
      expect(report.repackedPacks).toBeLessThanOrEqual(2);
      repacked += report.repackedPacks;
      clock.move(25);
    }
    expect(repacked).toBeGreaterThan(5);
    expect((await restore(store, 'new')).equals(changed)).toBe(true);
    await store[Symbol.asyncDispose]();
  });

  test('stores content anew that it has condemned, and pardons what a point needs again', async () => {
    const { clock, store } = await emptyStore();
    const content = noise(2, 10);
    await backUp(store, 'kept', noise(1, 3));
    await backUp(store, 'one', content);
    await store.deletePoint('vm', 'one');
    const { condemnedPacks } = await store.collect();
    expect(condemnedPacks).toBeGreaterThan(0);
    // Written in the same order it makes the very same packs, under the names that are to be deleted.
    expect((await backUp(store, 'two', content)).newBytes).toBeGreaterThanOrEqual(content.length);
    clock.move(25);
    expect(await store.collect()).toMatchObject({ removedPacks: 0, condemnedPacks: 0 });
    expect((await restore(store, 'two')).equals(content)).toBe(true);
    await store[Symbol.asyncDispose]();
  });

  test('waits for a writer that began before, and pardons what it has come to need', async () => {
    const { clock, store } = await emptyStore();
    const content = noise(2, 10);
    await backUp(store, 'kept', noise(1, 3));
    await backUp(store, 'one', content);
    await store.deletePoint('vm', 'one');
    const writer = await store.beginPoint({ itemId: 'vm', pointId: 'two' });
    const { disk, newBytes } = await writeContent(writer, content);
    expect(newBytes).toBe(0);
    const { condemnedPacks } = await store.collect();
    expect(condemnedPacks).toBeGreaterThan(0);
    clock.move(1000);
    const waiting = await store.collect();
    expect(waiting.removedPacks).toBe(0);
    expect(waiting.plan.packs.map(({ reason }) => reason)).toContain(
      'a writer is open that began before it was condemned',
    );
    await writer.commit({ createdAt: '2026-11-21T06:00:00Z', disks: [{ name: 'sda', disk }], metadata: {} });
    const after = await store.collect();
    expect(after.removedPacks).toBe(0);
    expect(count(after.plan, 'pardon')).toBe(condemnedPacks);
    expect((await restore(store, 'two')).equals(content)).toBe(true);
    await store[Symbol.asyncDispose]();
  });

  test('keeps what an open reader reads, and takes it when the reader is disposed', async () => {
    const { clock, store } = await emptyStore();
    const content = noise(2, 10);
    await backUp(store, 'kept', noise(1, 3));
    const { disk } = await backUp(store, 'gone', content);
    {
      using reader = store.openDisk(disk);
      await store.deletePoint('vm', 'gone');
      for (let round = 0; round < 3; round++) {
        expect((await store.collect()).removedPacks).toBe(0);
        clock.move(25);
      }
      expect(content.equals(await reader.read(0, content.length))).toBe(true);
    }
    await store.collect();
    clock.move(25);
    expect((await store.collect()).removedPacks).toBeGreaterThan(0);
    await expect(readAll(store, disk)).rejects.toMatchObject({ code: 'StoreDamaged' });
    await store[Symbol.asyncDispose]();
  });

  test('a reader opened on what is condemned already keeps it, too', async () => {
    const { clock, store } = await emptyStore();
    const content = noise(2, 10);
    await backUp(store, 'kept', noise(1, 3));
    const { disk } = await backUp(store, 'gone', content);
    await store.deletePoint('vm', 'gone');
    await store.collect();
    clock.move(25);
    {
      using reader = store.openDisk(disk);
      const { plan } = await store.collect();
      expect(plan.packs.map(({ reason }) => reason)).toContain('it is being read');
      expect(content.equals(await reader.read(0, content.length))).toBe(true);
    }
    expect((await store.collect()).removedPacks).toBeGreaterThan(0);
    await store[Symbol.asyncDispose]();
  });

  test('can be stopped at every step, and the next one goes on', async () => {
    /** Stops the third collection at a step; then lets others finish the work. */
    const run = async (step: number) => {
      const { backend, clock, store } = await emptyStore();
      const content = noise(1, 12);
      const { disk } = await backUp(store, 'old', content);
      await backUp(store, 'gone', noise(5, 8));
      await backUp(store, 'other', noise(6, 2));
      await store.deletePoint('vm', 'gone');
      await store.collect();
      const changed = Buffer.from(content);
      const extents = [0, 4, 8].map((chunk) => ({
        offset: chunk * testChunkBytes,
        length: 2 * testChunkBytes,
        zero: false,
      }));
      for (const { offset, length } of extents) noise(offset + 9, 2).copy(changed, offset, 0, length);
      await backUp(store, 'new', changed, { base: disk, extents });
      await store.deletePoint('vm', 'old');
      clock.move(25);
      const stop = new AbortController();
      let seen = 0;
      const pace = async () => {
        if (++seen === step) stop.abort(new Error('enough'));
      };
      const ended = await store.collect({ signal: stop.signal, pace }).catch((error: Error) => error.message);
      expect((await restore(store, 'new')).equals(changed)).toBe(true);
      for (let round = 0; round < 3; round++) {
        clock.move(25);
        await store.collect();
      }
      expect((await restore(store, 'new')).equals(changed)).toBe(true);
      expect(await store.verifyPoint('vm', 'new', {})).toEqual([]);
      await store[Symbol.asyncDispose]();
      return { stopped: ended === 'enough', bytes: packBytes(backend) };
    };
    const whole = await run(0);
    let step = 1;
    for (; step < 100; step++) {
      const { stopped, bytes } = await run(step);
      if (!stopped) break;
      // A footer or two more, where the copies were cut into packs in another way.
      expect(bytes).toBeLessThan(whole.bytes + testChunkBytes);
    }
    expect(step).toBeGreaterThan(6);
  });

  test('ends when the store is closed, before the lock is given up', async () => {
    const { backend, store, options } = await emptyStore();
    await backUp(store, 'kept', noise(1, 12));
    await backUp(store, 'gone', noise(2, 12));
    await store.deletePoint('vm', 'gone');
    const reached = Promise.withResolvers<void>();
    const collected = store.collect({
      async pace(_, signal) {
        reached.resolve();
        await new Promise((resolve) => signal?.addEventListener('abort', resolve));
      },
    });
    await reached.promise;
    const closed = store[Symbol.asyncDispose]();
    await expect(collected).rejects.toThrow('the store has been closed');
    await closed;
    await using again = await openStore(backend, options);
    expect((await again.listPoints()).points).toHaveLength(1);
    await expect(store.collect()).rejects.toThrow('closed');
  });
});

describe('a collection refuses', () => {
  test('when more than half of the points have gone, or all, unless it is forced', async () => {
    const { store } = await emptyStore();
    for (let number = 0; number < 5; number++) await backUp(store, `p${number}`, noise(number, 2));
    await store.collect();
    for (const gone of ['p0', 'p1', 'p2']) await store.deletePoint('vm', gone);
    const refused = {
      code: 'CollectionRefused',
      message: expect.stringContaining('2 recovery points, 5 at'),
    };
    await expect(store.collect()).rejects.toMatchObject(refused);
    await expect(store.collect({ dryRun: true })).rejects.toMatchObject(refused);
    expect((await store.collect({ force: true })).condemnedPacks).toBe(3);
    await store.deletePoint('vm', 'p3');
    await store.collect(); // a half is not more than a half
    await store.deletePoint('vm', 'p4');
    await expect(store.collect()).rejects.toMatchObject({ code: 'CollectionRefused' });
    await store.collect({ force: true });
    await store.collect();
    await store[Symbol.asyncDispose]();
  });

  test('when the very first one finds packs and no points', async () => {
    const { store } = await emptyStore();
    await backUp(store, 'p', noise(1, 2));
    await store.deletePoint('vm', 'p');
    await expect(store.collect()).rejects.toMatchObject({ code: 'CollectionRefused' });
    await store[Symbol.asyncDispose]();
  });

  test.each(['record', 'page', 'pack of the page'] as const)(
    'when a %s is damaged: it removes and condemns nothing',
    async (what) => {
      const { backend, clock, store, options } = await emptyStore(1);
      await backUp(store, 'kept', noise(1, 3));
      await backUp(store, 'gone', noise(2, 3));
      await backUp(store, 'hurt', noise(3, 3));
      await store.deletePoint('vm', 'gone');
      await store.collect();
      clock.move(25);
      await store[Symbol.asyncDispose]();
      const record = backend.objects.get('points/vm/hurt.point') ?? Buffer.alloc(0);
      if (what === 'record') record.writeUInt8(0x20, record.length - 5);
      else damagePage(backend, JSON.parse(String(record).split('\n')[2] ?? '').disks[0].disk.root, what);
      const before = snapshot(backend);
      await using again = await openStore(backend, options);
      const { code, message } = await again.collect().then(
        () => ({ code: 'none', message: '' }),
        (error: HoldfastError) => error,
      );
      expect(code).toBe('StoreDamaged');
      expect(message).toContain('points/vm/hurt.point');
      expect(snapshot(backend)).toBe(before);
      expect((await restore(again, 'kept')).equals(noise(1, 3))).toBe(true);
      // Once the damaged point is deleted, nothing is in the way any more.
      await again.deletePoint('vm', 'hurt');
      expect((await again.collect()).removedPacks).toBeGreaterThan(0);
    },
  );

  function damagePage(backend: MemoryBackend, root: string, what: 'page' | 'pack of the page'): void {
    for (const [name, bytes] of backend.objects) {
      if (!name.endsWith('.pack')) continue;
      const place = decodeFooter(bytes.subarray(-packFooterBytes), bytes.length);
      if ('wrong' in place) continue;
      const trailer = bytes.subarray(place.offset, place.offset + place.length);
      const page = [...trailerEntries(trailer)].find(({ id }) => Buffer.from(id).toString('hex') === root);
      if (page === undefined) continue;
      if (what === 'page') bytes.writeUInt8((bytes[page.offset + 9] ?? 0) ^ 1, page.offset + 9);
      else backend.objects.delete(name);
    }
  }

  test('a pack whose table of contents nobody can read is left alone', async () => {
    const { backend, clock, store, options } = await emptyStore();
    await backUp(store, 'kept', noise(1, 3));
    const [pack = ''] = [...backend.objects.keys()].filter((name) => name.endsWith('.pack'));
    await backUp(store, 'other', noise(2, 3));
    await store.deletePoint('vm', 'kept');
    await store[Symbol.asyncDispose]();
    for (const name of [...backend.objects.keys()])
      if (name.startsWith('index/')) backend.objects.delete(name);
    const bytes = backend.objects.get(pack) ?? Buffer.alloc(0);
    bytes.writeUInt8(0, bytes.length - 1);
    await using again = await openStore(backend, options);
    for (let round = 0; round < 3; round++) {
      expect(await again.collect()).toMatchObject({ condemnedPacks: 0, removedPacks: 0 });
      clock.move(25);
    }
    expect(backend.objects.has(pack)).toBe(true);
  });
});

describe('the plan for one pack', () => {
  const now = Temporal.Instant.from('2026-11-21T06:00:00Z');
  const rules = { generation: 5, now, minimumAgeMs: 3_600_000, wasteThreshold: 0.25 };
  const facts = {
    pack: 'ab',
    sizeBytes: 1080,
    neededBytes: 0,
    neededByPoints: false,
    spareBytes: 0,
    isBeingWritten: false,
  };
  const condemned = { generation: 4, at: '2026-11-21T05:00:00Z', olderWriter: false };
  const cases: [PackAction, string, Partial<PackFacts>][] = [
    ['keep', 'it is needed', { neededBytes: 750 }],
    ['repack', '26 % of it is waste', { neededBytes: 740 }],
    ['repack', '100 % of it is waste', { spareBytes: 1000 }],
    ['condemn', 'nothing needs it', {}],
    ['keep', 'a writer has just written it', { isBeingWritten: true }],
    ['keep', 'what is in it is unknown: torn', { unreadable: 'torn' }],
    ['keep', 'what is in it is unknown: torn', { unreadable: 'torn', condemned }],
    ['remove', 'nothing has needed it since generation 4', { condemned }],
    ['pardon', 'a point needs it again', { condemned, neededBytes: 1, neededByPoints: true }],
    ['wait', 'it is being read', { condemned, neededBytes: 1 }],
    ['wait', 'a writer is open', { condemned: { ...condemned, olderWriter: true } }],
    ['wait', 'in this generation', { condemned: { ...condemned, generation: 5 } }],
    ['wait', 'not long enough ago', { condemned: { ...condemned, at: '2026-11-21T05:00:01Z' } }],
    ['wait', 'not long enough ago', { condemned: { ...condemned, at: '2027-11-21T05:00:00Z' } }],
  ];
  test.each(cases)('is %s: %s', (action, reason, more) => {
    const planned = planPack({ ...facts, ...more }, rules);
    expect(planned.action).toBe(action);
    expect(planned.reason).toContain(reason);
  });
});

describe('the generation document', () => {
  test.each(['lost', 'flipped', 'emptied'] as const)(
    'that is %s costs time, no data, and is how an older program sees the store',
    async (damage) => {
      for (const stage of ['condemned', 'half removed'] as const) {
        const { backend, clock, store, options } = await emptyStore();
        const content = noise(1, 6);
        const { disk } = await backUp(store, 'kept', content);
        await backUp(store, 'gone', noise(2, 12));
        const full = packBytes(backend);
        await store.deletePoint('vm', 'gone');
        await store.collect();
        const { delete: remove } = backend;
        if (stage === 'half removed') {
          clock.move(25);
          let deletions = 0;
          backend.delete = async (name) => {
            if (name.endsWith('.pack') && ++deletions === 3)
              throw new HoldfastError('StoreUnavailable', 'no more');
            await remove(name);
          };
          await expect(store.collect()).rejects.toThrow('no more');
        }
        await store[Symbol.asyncDispose]();
        backend.delete = remove;
        for (const [name, bytes] of [...backend.objects].filter(([name]) =>
          name.startsWith('generations/'),
        )) {
          if (damage === 'lost') backend.objects.delete(name);
          if (damage === 'emptied') backend.objects.set(name, Buffer.alloc(0));
          if (damage === 'flipped') bytes.writeUInt8((bytes.at(-3) ?? 0) ^ 1, bytes.length - 3);
        }
        await using again = await openStore(backend, options);
        expect((await restore(again, 'kept')).equals(content)).toBe(true);
        await backUp(again, 'next', content, { base: disk, extents: [] });
        const least = full - packBytes(backend);
        for (let round = 0; round < 3; round++) {
          await again.collect();
          clock.move(25);
        }
        expect(full - packBytes(backend)).toBeGreaterThanOrEqual(Math.max(least, 12 * testChunkBytes));
        expect(await again.verifyPoint('vm', 'next', {})).toEqual([]);
      }
    },
  );

  test('of a newer version is refused, not guessed at', async () => {
    const { backend, store, options } = await emptyStore();
    await backUp(store, 'kept', noise(1, 3));
    await store.collect();
    await store[Symbol.asyncDispose]();
    const [[name = '', bytes] = []] = [...backend.objects].filter(([name]) =>
      name.startsWith('generations/'),
    );
    backend.objects.set(name, Buffer.from(String(bytes).replace('generation 1', 'generation 2')));
    await expect(openStore(backend, options)).rejects.toMatchObject({ code: 'StoreVersionNotSupported' });
  });
});

describe('damage and copies', () => {
  test('the good one of two copies stays, whichever it is', async () => {
    for (const damaged of ['older', 'newer'] as const) {
      const { backend, clock, store, options } = await emptyStore(20);
      const content = noise(1, 6);
      // Two writers that meet the same content at once each store it.
      const writers = await Promise.all(
        ['a', 'b'].map((pointId) => store.beginPoint({ itemId: 'vm', pointId })),
      );
      const written = [];
      for (const [number, writer] of writers.entries())
        written.push(await writeContent(writer, Buffer.concat([content, noise(10 + number, 1)])));
      for (const [number, writer] of writers.entries())
        await writer.commit({
          createdAt: '2026-11-21T06:00:00Z',
          disks: [
            {
              name: 'sda',
              disk: written[number]?.disk ?? { root: undefined, sizeBytes: 0, chunkSizeBytes: 0 },
            },
          ],
          metadata: {},
        });
      await store[Symbol.asyncDispose]();
      const packs = [...backend.objects].filter(([name]) => name.endsWith('.pack'));
      expect(packs).toHaveLength(2);
      const [, bytes = Buffer.alloc(0)] = packs[damaged === 'older' ? 0 : 1] ?? [];
      bytes.writeUInt8((bytes[100] ?? 0) ^ 1, 100); // in the first chunk, which both have
      const before = packBytes(backend);
      await using again = await openStore(backend, options);
      for (let round = 0; round < 4; round++) {
        await again.collect({ wasteThreshold: 0.1 });
        clock.move(25);
      }
      for (const [number, pointId] of ['a', 'b'].entries())
        expect((await restore(again, pointId)).equals(Buffer.concat([content, noise(10 + number, 1)]))).toBe(
          true,
        );
      expect(packBytes(backend)).toBeLessThan(before);
    }
  });

  test('a pack with a damaged chunk that is needed is not repacked, and stays', async () => {
    const { backend, clock, store, options } = await emptyStore(9);
    const content = noise(1, 9);
    const { disk } = await backUp(store, 'old', content);
    const [pack = ''] = [...backend.objects.keys()].filter((name) => name.endsWith('.pack'));
    const changed = Buffer.from(content);
    noise(7, 4).copy(changed);
    const extents = [{ offset: 0, length: 4 * testChunkBytes, zero: false }];
    await backUp(store, 'new', changed, { base: disk, extents });
    await store.deletePoint('vm', 'old');
    await store[Symbol.asyncDispose]();
    const bytes = backend.objects.get(pack) ?? Buffer.alloc(0);
    const at = 16 + 6 * testChunkBytes + 50;
    bytes.writeUInt8((bytes[at] ?? 0) ^ 1, at);
    await using again = await openStore(backend, options);
    for (let round = 0; round < 3; round++) {
      const report = await again.collect();
      expect(report).toMatchObject({ repackedPacks: 0, removedPacks: 0, condemnedPacks: 0 });
      expect(report.damagedPacks).toHaveLength(1);
      clock.move(25);
    }
    const damage = await again.verifyPoint('vm', 'new', {});
    expect(damage).toEqual([expect.objectContaining({ kind: 'corrupt', length: testChunkBytes })]);
  });

  test('a base that has lost something is refused, though its root is still there', async () => {
    const { backend, clock, store } = await emptyStore(1);
    const content = noise(1, 4);
    const { disk } = await backUp(store, 'gone', content);
    await backUp(store, 'kept', noise(2, 4));
    await store.deletePoint('vm', 'gone');
    await store.collect();
    clock.move(25);
    let deletions = 0;
    const { delete: remove } = backend;
    backend.delete = async (name) => {
      if (name.endsWith('.pack') && ++deletions === 2) throw new HoldfastError('StoreUnavailable', 'no more');
      await remove(name);
    };
    await expect(store.collect()).rejects.toThrow('no more');
    backend.delete = remove;
    {
      await using writer = await store.beginPoint({ itemId: 'vm', pointId: 'new' });
      await expect(writeContent(writer, content, { base: disk, extents: [] })).rejects.toMatchObject({
        code: 'StoreDamaged',
      });
    }
    expect((await store.collect()).removedPacks).toBeGreaterThan(0);
    expect((await restore(store, 'kept')).equals(noise(2, 4))).toBe(true);
    await store[Symbol.asyncDispose]();
  });
});

describe('on a full store', () => {
  /** Puts fail once the objects take more than `limit` bytes. */
  function limitTo(backend: MemoryBackend, limit: number): void {
    const { put } = backend;
    backend.put = async (name, parts) => {
      const bytes = Buffer.concat(await Array.fromAsync(parts));
      const others = [...backend.objects].reduce(
        (sum, [other, { length }]) => sum + (other === name ? 0 : length),
        0,
      );
      if (others + bytes.length > limit) throw new HoldfastError('StoreFull', 'no space left');
      await put(name, [bytes]);
    };
  }
  const used = (backend: MemoryBackend) =>
    [...backend.objects.values()].reduce((sum, { length }) => sum + length, 0);

  test('the reserve is given up for the marks, packs go, and the reserve comes back', async () => {
    const { backend, clock, store } = await emptyStore();
    await backUp(store, 'kept', noise(1, 10));
    await backUp(store, 'gone', noise(2, 10));
    await backUp(store, 'other', noise(3, 2));
    await store.collect();
    expect(backend.objects.get('reserve/space')).toHaveLength(1000);
    limitTo(backend, used(backend));
    await expect(backUp(store, 'more', noise(4, 10))).rejects.toMatchObject({ code: 'StoreFull' });
    await store.deletePoint('vm', 'gone');
    limitTo(backend, used(backend)); // not even the record's space is left
    const { condemnedPacks } = await store.collect();
    expect(condemnedPacks).toBeGreaterThan(0);
    clock.move(25);
    const { removedPacks } = await store.collect();
    expect(removedPacks).toBe(condemnedPacks);
    expect(backend.objects.has('reserve/space')).toBe(true);
    await backUp(store, 'more', noise(4, 5));
    expect((await restore(store, 'kept')).equals(noise(1, 10))).toBe(true);
    await store[Symbol.asyncDispose]();
  });

  test('without a reserve and without room for a mark it says so, and has done nothing', async () => {
    const { backend, clock, store, options } = await emptyStore();
    await backUp(store, 'kept', noise(1, 10));
    await backUp(store, 'gone', noise(2, 10));
    await store.deletePoint('vm', 'gone');
    const before = snapshot(backend);
    const { put } = backend;
    limitTo(backend, used(backend));
    await expect(store.collect()).rejects.toMatchObject({ code: 'StoreFull' });
    expect(snapshot(backend)).toBe(before);
    // Nothing is condemned in memory either.
    expect(await backUp(store, 'same', noise(2, 10)).catch((error: HoldfastError) => error.code)).toBe(
      'StoreFull',
    );
    backend.put = put;
    expect((await backUp(store, 'again', noise(2, 10))).newBytes).toBe(0);
    clock.move(25);
    expect(await store.collect()).toMatchObject({ removedPacks: 0, condemnedPacks: 0 });
    await store[Symbol.asyncDispose]();
    await using reopened = await openStore(backend, options);
    expect((await restore(reopened, 'again')).equals(noise(2, 10))).toBe(true);
  });

  test('repacking ends where the space does, and what is wholly dead goes all the same', async () => {
    const { backend, clock, store, options } = await emptyStore(9);
    const content = noise(1, 9);
    const { disk } = await backUp(store, 'old', content);
    const changed = Buffer.from(content);
    noise(7, 4).copy(changed);
    const extents = [{ offset: 0, length: 4 * testChunkBytes, zero: false }];
    await backUp(store, 'new', changed, { base: disk, extents });
    await backUp(store, 'gone', noise(5, 9));
    await store.deletePoint('vm', 'old');
    await store.deletePoint('vm', 'gone');
    const { put } = backend;
    limitTo(backend, used(backend) + 3000);
    const first = await store.collect();
    expect(first).toMatchObject({ ranOutOfSpace: true, repackedPacks: 0, condemnedPacks: 1 });
    clock.move(25);
    expect((await store.collect()).removedPacks).toBe(1);
    backend.put = put;
    await store[Symbol.asyncDispose]();
    await using again = await openStore(backend, options);
    expect((await restore(again, 'new')).equals(changed)).toBe(true);
    expect(await again.verifyPoint('vm', 'new', {})).toEqual([]);
  });
});
