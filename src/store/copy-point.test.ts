import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  baseForCopy,
  type CopyPointRequest,
  copyPoint,
  createStore,
  fileSystemBackend,
  memoryBackend,
  newKeyFile,
  openStore,
  type Store,
} from './index.ts';
import { ForgetfulFiles } from './testing/forgetful-files.ts';
import { backUp, bytesFrom, restore, testChunkBytes, testClock } from './testing/model-disk.ts';

const kib = 1024;
const chunk = testChunkBytes;
const options = { clock: testClock, chunkSizeBytes: chunk, threads: 0, packTargetBytes: 3 * chunk };

async function newStore(chunkSizeBytes = chunk) {
  const backend = memoryBackend();
  return { backend, store: await createStore(backend, { ...options, chunkSizeBytes }) };
}

const copy = (source: Store, target: Store, pointId: string, more: Partial<CopyPointRequest> = {}) =>
  copyPoint(source, target, { itemId: 'vm', pointId, ...more });

/** Spoils a byte in every pack that `chosen` picks. */
function spoil(objects: Map<string, Buffer>, chosen: (name: string) => boolean, at = 40): void {
  for (const [name, bytes] of objects) {
    if (!name.endsWith('.pack') || !chosen(name)) continue;
    const spoilt = Buffer.from(bytes);
    spoilt.writeUInt8(spoilt.readUInt8(at) ^ 1, at);
    objects.set(name, spoilt);
  }
}

describe('a copied point', () => {
  test('is the same, and says of which store it is a copy', async () => {
    await using source = (await newStore()).store;
    await using target = (await newStore()).store;
    const content = Buffer.concat([bytesFrom(1, 5 * chunk + 17), Buffer.alloc(9 * chunk), bytesFrom(2, 100)]);
    await backUp(source, 'p', content);
    const copied = await copy(source, target, 'p');
    const original = await source.readPoint('vm', 'p');
    expect(await target.readPoint('vm', 'p')).toEqual(copied.record);
    expect(copied.record).toEqual({
      ...original,
      copyOf: { storeId: source.storeId, disks: original.disks },
    });
    expect(copied).toMatchObject({ wasThere: false, base: undefined, readBytes: 6 * chunk + 117 });
    expect((await restore(target, 'p')).equals(content)).toBe(true);
    expect(await target.verifyPoint('vm', 'p', {})).toEqual([]);
  });

  test('reads only what changed since its base, and adds only what the target lacks', async () => {
    await using source = (await newStore()).store;
    await using target = (await newStore()).store;
    const first = bytesFrom(1, 600 * chunk);
    const second = Buffer.from(first);
    bytesFrom(3, 5000).copy(second, 300 * chunk + 10);
    second.fill(0, 400 * chunk, 420 * chunk);
    first.copy(second, 500 * chunk, 0, chunk); // content that the target has under another place
    const { disk } = await backUp(source, 'one', first);
    await backUp(source, 'two', second, {
      base: disk,
      extents: [{ offset: 0, length: second.length, zero: false }],
    });
    await copy(source, target, 'one');
    const copied = await copy(source, target, 'two', { base: 'one' });
    expect(copied.base).toBe('one');
    expect(copied.readBytes).toBe(2 * chunk);
    const pages = copied.newBytes - chunk;
    expect(pages).toBeGreaterThan(0);
    expect(pages).toBeLessThanOrEqual(5 * 8 * kib); // root and at most three leaves, and no data but one chunk
    expect(copied.checkedBytes).toBe(2 * chunk);
    expect((await restore(target, 'two')).equals(second)).toBe(true);
  });

  test.each([
    [16, 64],
    [64, 16],
    [32, 32],
  ])('goes from chunks of %i KiB to chunks of %i KiB, through any history', async (from, to) => {
    const size = fc.integer({ min: 0, max: 12 * 64 * kib });
    const step = fc.record({ size, at: fc.nat(10 * 64 * kib), length: fc.nat(70 * kib), seed: fc.nat(4) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 5 }), async (steps) => {
        await using source = (await newStore(from * kib)).store;
        await using target = (await newStore(to * kib)).store;
        let content = Buffer.alloc(0);
        let base: string | undefined;
        for (const [number, { size: sizeBytes, at, length, seed }] of steps.entries()) {
          const next = Buffer.alloc(sizeBytes);
          content.copy(next);
          (seed === 0 ? Buffer.alloc(length) : bytesFrom(seed, length)).copy(next, Math.min(at, sizeBytes));
          content = next;
          await backUp(source, `p${number}`, content);
          const copied = await copy(source, target, `p${number}`, { base });
          expect(copied.base).toBe(base);
          base = `p${number}`;
          expect((await restore(target, base)).equals(content)).toBe(true);
        }
      }),
      { numRuns: 30 },
    );
  });

  test.each([
    ['plain', 'encrypted'],
    ['encrypted', 'plain'],
    ['encrypted', 'encrypted'],
  ])('goes from %s stores to %s ones, where chunks have other names', async (from, to) => {
    const make = (kind: string) =>
      createStore(memoryBackend(), {
        ...options,
        chunkSizeBytes: chunk,
        ...(kind === 'plain'
          ? {}
          : { encryption: { secrets: [{ kind: 'key-file', text: newKeyFile(), label: 'test' }] } as const }),
      });
    await using source = await make(from);
    await using target = await make(to);
    const first = bytesFrom(1, 300 * chunk);
    const second = Buffer.from(first);
    bytesFrom(3, 100).copy(second, 70 * chunk);
    const all = [{ offset: 0, length: first.length, zero: false }];
    const { disk } = await backUp(source, 'one', first);
    await backUp(source, 'two', second, { base: disk, extents: all });
    await copy(source, target, 'one');
    expect(await copy(source, target, 'two', { base: 'one' })).toMatchObject({
      base: 'one',
      readBytes: chunk,
    });
    for (const [pointId, content] of [
      ['one', first],
      ['two', second],
    ] as const) {
      expect((await restore(target, pointId)).equals(content)).toBe(true);
      const roots = [source, target].map(
        async (store) => (await store.readPoint('vm', pointId)).disks[0]?.disk.root,
      );
      const [a, b] = await Promise.all(roots);
      expect(a).not.toBe(b);
    }
  });

  test('is left as it is when it is there already', async () => {
    await using source = (await newStore()).store;
    await using target = (await newStore()).store;
    await backUp(source, 'p', bytesFrom(1, 3 * chunk));
    const { record } = await copy(source, target, 'p');
    expect(await copy(source, target, 'p')).toMatchObject({
      record,
      wasThere: true,
      readBytes: 0,
      newBytes: 0,
    });
  });

  test('never takes the place of another point of its name', async () => {
    await using source = (await newStore()).store;
    await using target = (await newStore()).store;
    await backUp(source, 'p', bytesFrom(1, 3 * chunk));
    await backUp(target, 'p', bytesFrom(3, chunk));
    await expect(copy(source, target, 'p')).rejects.toMatchObject({ code: 'RecoveryPointExists' });
    expect((await restore(target, 'p')).equals(bytesFrom(3, chunk))).toBe(true);
  });

  test('does not begin from a point that only has the name of its base', async () => {
    await using source = (await newStore()).store;
    await using target = (await newStore()).store;
    const content = bytesFrom(1, 4 * chunk);
    const { disk } = await backUp(source, 'one', bytesFrom(3, 4 * chunk));
    await backUp(source, 'two', content, {
      base: disk,
      extents: [{ offset: 0, length: content.length, zero: false }],
    });
    await backUp(target, 'one', bytesFrom(5, 4 * chunk));
    const copied = await copy(source, target, 'two', { base: 'one' });
    expect(copied).toMatchObject({ base: undefined, readBytes: content.length });
    expect((await restore(target, 'two')).equals(content)).toBe(true);
  });

  test('can be the source of another copy, and go back to a new store', async () => {
    const content = bytesFrom(1, 4 * chunk);
    await using replica = (await newStore()).store;
    {
      await using source = (await newStore()).store;
      await backUp(source, 'p', content);
      await copy(source, replica, 'p');
    }
    await using renewed = (await newStore(64 * kib)).store;
    expect((await copy(replica, renewed, 'p')).record.copyOf?.storeId).toBe(replica.storeId);
    expect((await restore(renewed, 'p')).equals(content)).toBe(true);
  });

  test('asks before it reads, reports its figures, and stops when told', async () => {
    await using source = (await newStore()).store;
    await using target = (await newStore()).store;
    await backUp(source, 'p', bytesFrom(1, 100 * chunk));
    let asked = 0;
    const seen: number[] = [];
    const stop = new AbortController();
    const pace = async (bytes: number) => {
      asked += bytes;
      if (asked === 100 * chunk) stop.abort(new Error('enough'));
    };
    const stopped = copy(source, target, 'p', { pace, signal: stop.signal });
    await expect(stopped).rejects.toThrow('enough');
    expect((await target.listPoints()).points).toEqual([]);
    const done = await copy(source, target, 'p', {
      onProgress: ({ readBytes }) => void seen.push(readBytes),
    });
    expect(seen.at(-1)).toBe(100 * chunk);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(done.checkedBytes).toBe(100 * chunk);
  });
});

describe('damage', () => {
  test('of the source is named by disk and range, and the other points go on', async () => {
    const { backend, store: source } = await newStore();
    await using _source = source;
    await using target = (await newStore()).store;
    await backUp(source, 'sound', bytesFrom(1, 2 * chunk));
    const before = new Set(backend.objects.keys());
    const { disk } = await backUp(source, 'bad', bytesFrom(3, 2 * chunk));
    spoil(backend.objects, (name) => !before.has(name));
    await backUp(source, 'next', bytesFrom(5, 2 * chunk), {
      base: disk,
      extents: [{ offset: 0, length: 2 * chunk, zero: false }],
    });
    await copy(source, target, 'sound');
    await expect(copy(source, target, 'bad', { base: 'sound' })).rejects.toMatchObject({
      code: 'StoreDamaged',
      message: expect.stringMatching(/point bad cannot be copied: disk sda .* Bytes 0 to 16383/),
    });
    await copy(source, target, 'next', { base: 'bad' });
    const { points, damaged } = await target.listPoints();
    expect(points.map(({ pointId }) => pointId).sort()).toEqual(['next', 'sound']);
    expect(damaged).toEqual([]);
    expect((await restore(target, 'next')).equals(bytesFrom(5, 2 * chunk))).toBe(true);
  });

  test('of the base in the target makes the copy read everything, and mends the base', async () => {
    await using source = (await newStore()).store;
    const { backend, store: target } = await newStore();
    await using _target = target;
    const first = bytesFrom(1, 300 * chunk);
    const second = Buffer.concat([first, bytesFrom(3, chunk)]);
    await backUp(source, 'one', first);
    await backUp(source, 'two', second);
    await copy(source, target, 'one');
    spoil(backend.objects, () => true);
    expect((await target.verifyPoint('vm', 'one', {})).length).toBeGreaterThan(0);
    const copied = await copy(source, target, 'two', { base: 'one' });
    expect(copied.base).toBeUndefined();
    expect(copied.readBytes).toBe(second.length);
    expect((await restore(target, 'two')).equals(second)).toBe(true);
    expect((await restore(target, 'one')).equals(first)).toBe(true);
  });

  test('of what has just been written is found before the point exists', async () => {
    await using source = (await newStore()).store;
    const { backend, store: target } = await newStore();
    await using _target = target;
    await backUp(source, 'p', bytesFrom(1, 2 * chunk));
    const { put } = backend;
    let spoilt = 0;
    backend.put = async (name, parts) => {
      await put(name, parts);
      if (!name.endsWith('.pack') || spoilt > 0) return;
      spoilt++;
      spoil(backend.objects, (each) => each === name);
    };
    // The first attempt finds the damage; the second writes the chunk anew.
    await copy(source, target, 'p');
    expect(spoilt).toBe(1);
    expect(await target.verifyPoint('vm', 'p', {})).toEqual([]);

    await backUp(source, 'q', bytesFrom(3, 2 * chunk));
    backend.put = async (name, parts) => {
      await put(name, parts);
      spoil(backend.objects, (each) => each === name);
    };
    await expect(copy(source, target, 'q')).rejects.toMatchObject({ code: 'StoreDamaged' });
    await expect(target.readPoint('vm', 'q')).rejects.toMatchObject({ code: 'RecoveryPointNotInStore' });
  });

  test('anywhere in the target is found when all is read back', async () => {
    await using source = (await newStore()).store;
    const { backend, store: target } = await newStore();
    await using _target = target;
    const first = bytesFrom(1, 30 * chunk);
    const second = Buffer.concat([first, bytesFrom(3, chunk)]);
    await backUp(source, 'one', first);
    await backUp(source, 'two', second);
    await copy(source, target, 'one');
    const [damaged] = [...backend.objects.keys()].filter((name) => name.endsWith('.pack'));
    spoil(backend.objects, (name) => name === damaged);
    const copied = await copy(source, target, 'two', { base: 'one', readBack: 'all' });
    expect(copied).toMatchObject({ base: undefined, checkedBytes: 31 * chunk });
    expect(await target.verifyPoint('vm', 'one', {})).toEqual([]);
  });
});

describe('a copy that did not come to its end', () => {
  test('leaves what it had stored to the next, which adds only the rest', async () => {
    await using source = (await newStore()).store;
    await backUp(source, 'p', bytesFrom(1, 40 * chunk));
    const whole = await copy(source, (await newStore()).store, 'p');
    const { backend, store } = await newStore();
    const { put } = backend;
    let packs = 0;
    backend.put = async (name, parts) => {
      if (name.endsWith('.pack') && ++packs > 7) throw new Error('the wire is cut');
      await put(name, parts);
    };
    await expect(copy(source, store, 'p')).rejects.toThrow('the wire is cut');
    await store[Symbol.asyncDispose]();
    backend.put = put;
    await using target = await openStore(backend, options);
    const { storedBytes, uniqueBytes } = await target.stats();
    expect(storedBytes).toBeGreaterThan(0);
    const resumed = await copy(source, target, 'p');
    expect(resumed.newBytes).toBe(whole.newBytes - uniqueBytes);
    expect((await restore(target, 'p')).equals(bytesFrom(1, 40 * chunk))).toBe(true);
  });

  test('at any write to the target keeps every acknowledged copy, and leaves a store to copy into', async () => {
    await using source = (await newStore()).store;
    const first = bytesFrom(1, 4 * chunk + 5);
    const second = Buffer.from(first);
    bytesFrom(3, 20_000).copy(second, 30_000);
    const contents = new Map([
      ['one', first],
      ['two', second],
    ]);
    for (const [pointId, content] of contents) await backUp(source, pointId, content);

    const files = new ForgetfulFiles();
    const must = new Set<string>();
    const may = new Set<string>();
    const crashes: { call: string; files: ForgetfulFiles; must: string[]; may: string[] }[] = [];
    const target = await createStore(fileSystemBackend('/srv/replica', files), {
      ...options,
      chunkSizeBytes: 2 * chunk,
    });
    files.onCall = (call) => {
      if (call.endsWith('(done)')) return;
      for (const what of ['lost', 'kept'] as const)
        crashes.push({ call, files: files.clone(what), must: [...must], may: [...may] });
    };
    let base: string | undefined;
    for (const pointId of contents.keys()) {
      may.add(pointId);
      await copy(source, target, pointId, { base });
      must.add(pointId);
      base = pointId;
      if (pointId === 'two') {
        must.delete('one');
        await target.deletePoint('vm', 'one');
        may.delete('one');
      }
    }
    await target[Symbol.asyncDispose]();
    await files.onCall('the end');
    files.onCall = () => {};

    expect(crashes.length).toBeGreaterThan(60);
    for (const crash of crashes) {
      await using again = await openStore(fileSystemBackend('/srv/replica', crash.files), options);
      const { points, damaged } = await again.listPoints();
      const there = points.map(({ pointId }) => pointId);
      expect(damaged, crash.call).toEqual([]);
      expect(there, crash.call).toEqual(expect.arrayContaining(crash.must));
      expect(crash.may, crash.call).toEqual(expect.arrayContaining(there));
      for (const pointId of there)
        expect((await restore(again, pointId)).equals(contents.get(pointId) ?? first), crash.call).toBe(true);
      const from = there.includes('one') ? 'one' : undefined;
      const { wasThere } = await copy(source, again, 'two', { base: from });
      expect(wasThere, crash.call).toBe(there.includes('two'));
      expect((await restore(again, 'two')).equals(second), crash.call).toBe(true);
    }
  });
});

test('a base is the newest earlier point that the target has from this source', () => {
  const source = { storeId: 's' } as Store;
  const point = (itemId: string, pointId: string, day: number, storeId?: string) => ({
    itemId,
    pointId,
    createdAt: `2026-11-0${day}T00:00:00Z`,
    disks: [],
    metadata: {},
    ...(storeId === undefined ? {} : { copyOf: { storeId, disks: [] } }),
  });
  const here = [1, 2, 3, 4, 5].map((day) => point('vm', `p${day}`, day));
  const wanted = (day: number, ...there: ReturnType<typeof point>[]) =>
    baseForCopy(source, point('vm', `p${day}`, day), here, there);
  expect(wanted(3)).toBeUndefined();
  expect(wanted(3, point('vm', 'p1', 1, 's'), point('vm', 'p2', 2, 's'), point('vm', 'p4', 4, 's'))).toBe(
    'p2',
  );
  expect(wanted(3, point('vm', 'p5', 5, 's'), point('vm', 'p4', 4, 's'))).toBe('p4');
  expect(wanted(3, point('vm', 'p2', 2, 'other'), point('vm', 'p1', 1, 's'))).toBe('p1');
  expect(
    wanted(3, point('vm', 'p2', 2), point('vm', 'gone', 2, 's'), point('db', 'p1', 1, 's')),
  ).toBeUndefined();
});
