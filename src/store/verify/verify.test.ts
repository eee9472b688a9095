import { describe, expect, test } from 'vitest';
import {
  createStore,
  type DiskRoot,
  memoryBackend,
  openStore,
  type Store,
  type VerifyCursor,
  type VerifyReport,
} from '../index.ts';
import {
  damageOptions,
  dropIndex,
  entriesOf,
  flip,
  newContent,
  packIdOf,
  twoPoints,
} from '../testing/damaged-store.ts';
import { backUp, bytesFrom, restore, testChunkBytes } from '../testing/model-disk.ts';
import { MovableClock } from '../testing/movable-clock.ts';

const nothing = { damagedPacks: [], damagedObjects: [], damagedPoints: [] };

function findings({ damagedPacks, damagedObjects, damagedPoints }: VerifyReport) {
  return { damagedPacks, damagedObjects, damagedPoints };
}

describe('a whole store', () => {
  test('is read to the last byte, and nothing is found', async () => {
    const { backend } = await twoPoints();
    await using store = await openStore(backend, damageOptions);
    const report = await store.verify();
    expect(findings(report)).toEqual(nothing);
    expect(report).toMatchObject({ packs: 2, points: 2, bytes: (await store.stats()).storedBytes });
    expect(report.referencedBytes).toBe(41 * testChunkBytes);
    expect([...backend.objects.keys()].filter((name) => name.startsWith('quarantine/'))).toEqual([]);
  });

  test('with many points that share almost everything is walked in the time of one', async () => {
    const backend = memoryBackend();
    await using store = await createStore(backend, damageOptions);
    const content = bytesFrom(1, 300 * testChunkBytes); // two leaves and a page above them
    let { disk } = await backUp(store, 'p0', content);
    for (let number = 1; number <= 20; number++) {
      bytesFrom(2 * number + 1, 100).copy(content, number * testChunkBytes);
      const extents = [{ offset: number * testChunkBytes, length: 100, zero: false }];
      ({ disk } = await backUp(store, `p${number}`, content, { base: disk, extents }));
    }
    const paced: number[] = [];
    let packs = 0;
    const report = await store.verify({
      pace: async (bytes) => void paced.push(bytes),
      onProgress: ({ phase }) => {
        if (phase === 'packs') packs = paced.length;
      },
    });
    expect(report).toMatchObject({ ...nothing, points: 21, referencedBytes: 21 * 300 * testChunkBytes });
    // Each page once: 3 of the first point, 2 of each of the others.
    expect(paced.slice(packs).reduce((sum, bytes) => sum + bytes, 0)).toBe((3 + 20 * 2) * 8192);
  });
});

describe('a damaged pack', () => {
  test.each(['flipped', 'emptied', 'cut', 'gone'] as const)(
    'that is %s: every stretch that is named, and no other, cannot be restored',
    async (what) => {
      const { backend, packs } = await twoPoints();
      const name = packs[1] ?? '';
      const bytes = backend.objects.get(name) ?? Buffer.alloc(0);
      if (what === 'flipped') flip(bytes, bytes.length >> 1);
      if (what === 'emptied') backend.objects.set(name, Buffer.alloc(0));
      if (what === 'cut') backend.objects.set(name, bytes.subarray(0, bytes.length >> 1));
      if (what === 'gone') backend.objects.delete(name);
      await using store = await openStore(backend, damageOptions);
      const report = await store.verify();
      const [damage] = report.damagedPoints;
      expect(damage?.pointId, what).toBe('new');
      const found = await store.verifyPoint('vm', 'new', {});
      expect(found.reduce((sum, { length = 0 }) => sum + length, 0)).toBe(damage?.disks[0]?.gapBytes);
      const gaps: { offset: number; length: number }[] = [];
      using reader = store.openDisk((await store.readPoint('vm', 'new')).disks[0]?.disk ?? never());
      const restored = Buffer.alloc(newContent.length);
      for await (const { offset, data } of reader.stream({
        onGap: ({ offset: at, length }) => gaps.push({ offset: at, length }),
      }))
        restored.set(data, offset);
      expect(merged(gaps), what).toEqual(damage?.disks[0]?.gaps);
      const expected = Buffer.from(newContent);
      for (const { offset, length } of gaps) expected.fill(0, offset, offset + length);
      expect(restored.equals(expected), what).toBe(true);
      const gapsOfCopy: typeof gaps = [];
      restored.fill(0);
      await reader.copyTo(async (offset, data) => restored.set(data, offset), {
        onGap: ({ offset, length }) => gapsOfCopy.push({ offset, length }),
      });
      expect(merged(gapsOfCopy.toSorted((a, b) => a.offset - b.offset)), what).toEqual(merged(gaps));
      expect(restored.equals(expected), what).toBe(true);
    },
  );

  test('gone with everything that knew of it is found by the points', async () => {
    const { backend, packs } = await twoPoints();
    backend.objects.delete(packs[1] ?? '');
    dropIndex(backend);
    await using store = await openStore(backend, damageOptions);
    const report = await store.verify();
    expect(report.damagedPoints).toEqual([
      expect.objectContaining({
        pointId: 'new',
        disks: [expect.objectContaining({ name: 'sda', gaps: [{ offset: 0, length: newContent.length }] })],
      }),
    ]);
  });
});

describe('a pass', () => {
  /** Six packs, the first and the fourth of them (in the order of the pass) with a bad frame. */
  async function sixPacks() {
    const backend = memoryBackend();
    {
      await using store = await createStore(backend, damageOptions);
      for (let number = 0; number < 6; number++)
        await backUp(store, `p${number}`, bytesFrom(2 * number + 1, 3 * testChunkBytes));
    }
    const names = [...backend.objects.keys()]
      .filter((name) => name.endsWith('.pack'))
      .sort((a, b) => (packIdOf(a) < packIdOf(b) ? -1 : 1));
    for (const number of [0, 3]) {
      const { bytes, entries } = entriesOf(backend, names[number] ?? '');
      flip(bytes, (entries[1]?.offset ?? 0) + 5);
    }
    return { backend, ids: names.map(packIdOf) };
  }

  test.each([1, 2, 3, 4, 5, 6])(
    'that is killed after pack %i goes on there, and knows what it knew',
    async (after) => {
      const { backend, ids } = await sixPacks();
      let cursor: VerifyCursor | undefined;
      {
        const store = await openStore(backend, damageOptions);
        const stop = new AbortController();
        let packs = 0;
        const verified = store.verify({
          signal: stop.signal,
          onProgress: (progress) => {
            if (progress.phase !== 'packs' || ++packs > after) return;
            cursor = progress.cursor;
            if (packs === after) stop.abort(new Error('killed'));
          },
        });
        await expect(verified).rejects.toThrow('killed');
        await store[Symbol.asyncDispose]();
      }
      expect(cursor?.afterPack).toBe(ids[after - 1]);
      await using store = await openStore(backend, damageOptions);
      const report = await store.verify({ ...(cursor === undefined ? {} : { cursor }) });
      expect(report.packs).toBe(6 - after);
      expect(report.startedAt).toBe(cursor?.startedAt);
      expect(report.damagedPacks.map(({ pack }) => pack).sort()).toEqual([ids[0], ids[3]].sort());
      expect(report.damagedPoints).toHaveLength(2);
    },
  );

  test('does not move its cursor past damage that could not be written down', async () => {
    const { backend, ids } = await sixPacks();
    await using store = await openStore(backend, damageOptions);
    const { put } = backend;
    backend.put = async (name, parts) => {
      if (name.includes(ids[3] ?? '')) throw new Error('no space');
      await put(name, parts);
    };
    const cursors: (string | undefined)[] = [];
    await store.verify({ onProgress: ({ cursor }) => cursors.push(cursor.afterPack) });
    expect(cursors.at(-1)).toBe(ids[2]);
    backend.put = put;
  });

  test('takes a pack that is collected meanwhile for no damage', async () => {
    const clock = new MovableClock();
    const backend = memoryBackend();
    await using store = await createStore(backend, { ...damageOptions, clock });
    for (let number = 0; number < 6; number++)
      await backUp(store, `p${number}`, bytesFrom(2 * number + 1, 3 * testChunkBytes));
    for (const number of [1, 3, 5]) await store.deletePoint('vm', `p${number}`);
    await store.collect();
    clock.move(25);
    let collected: Promise<unknown> | undefined;
    const report = await store.verify({
      pace: async () => {
        collected ??= store.collect();
        await collected;
      },
    });
    expect((await store.stats()).packs).toBe(3);
    expect(findings(report)).toEqual(nothing);
  });
});

describe('the quarantine', () => {
  test.each(['verification', 'a restore'])(
    'of what %s found survives, and the next backup heals it',
    async (by) => {
      const { backend, packs } = await twoPoints();
      const { bytes, entries } = entriesOf(backend, packs[1] ?? '');
      flip(bytes, entries[3]?.offset ?? 0);
      {
        await using store = await openStore(backend, damageOptions);
        if (by === 'verification') expect((await store.verify()).damagedPacks).toHaveLength(1);
        else await expect(restore(store, 'new')).rejects.toMatchObject({ code: 'StoreDamaged' });
      }
      await using store = await openStore(backend, damageOptions);
      // Nothing has been read yet: that it is bad is known from before.
      expect((await backUp(store, 'full', newContent)).newBytes).toBe(testChunkBytes);
      expect((await restore(store, 'new')).equals(newContent)).toBe(true);
      const report = await store.verify();
      expect(report.damagedPoints).toEqual([]);
      expect(report.damagedPacks).toEqual([
        expect.objectContaining({ pack: packIdOf(packs[1] ?? ''), frames: 1 }),
      ]);
    },
  );

  test('makes commits look at everything only until the content is healed', async () => {
    const backend = memoryBackend();
    const content = bytesFrom(1, 600 * testChunkBytes); // three leaves
    let number = 0;
    /** Calls for pages of an incremental that changes one chunk. */
    const reads = async (store: Store, base: DiskRoot) => {
      const { get } = backend;
      let gets = 0;
      backend.get = async (name, range) => {
        if (name.endsWith('.pack')) gets++;
        return await get(name, range);
      };
      const changed = Buffer.from(content);
      bytesFrom(2 * ++number + 1, 10).copy(changed, 5);
      const extents = [{ offset: 5, length: 10, zero: false }];
      await backUp(store, `small-${number}`, changed, { base, extents });
      backend.get = get;
      return gets;
    };
    const base = await (async () => {
      await using store = await createStore(backend, damageOptions);
      return (await backUp(store, 'p', content)).disk;
    })();
    const [pack = ''] = [...backend.objects.keys()].filter((name) => name.endsWith('.pack'));
    const sound = await (async () => {
      await using store = await openStore(backend, damageOptions);
      return await reads(store, base);
    })();
    flip(backend.objects.get(pack) ?? Buffer.alloc(0), 16 + 300 * testChunkBytes);
    {
      await using store = await openStore(backend, damageOptions);
      await store.verify();
      await expect(reads(store, base)).rejects.toMatchObject({ code: 'StoreDamaged' });
      await backUp(store, 'full', content);
    }
    await using store = await openStore(backend, damageOptions);
    expect((await store.stats()).quarantinedPacks).toBe(1);
    // The trailer of the damaged pack, to see what it lacks, and nothing more.
    expect(await reads(store, base)).toBeLessThanOrEqual(sound + 1);
  });

  test('lets go of a pack that is whole again, and of one that has been collected', async () => {
    const clock = new MovableClock();
    const { backend, packs } = await twoPoints();
    const notes = () => [...backend.objects.keys()].filter((name) => name.startsWith('quarantine/'));
    for (const pack of packs) {
      const { bytes, entries } = entriesOf(backend, pack);
      flip(bytes, entries[3]?.offset ?? 0);
    }
    const options = { ...damageOptions, clock };
    {
      await using store = await openStore(backend, options);
      await store.verify();
      expect(notes()).toHaveLength(2);
      const { bytes, entries } = entriesOf(backend, packs[0] ?? '');
      flip(bytes, entries[3]?.offset ?? 0);
      expect((await store.verify()).damagedPacks).toHaveLength(1);
      expect(notes()).toHaveLength(1);
      await store.deletePoint('vm', 'new');
      await store.collect();
      clock.move(25);
      expect((await store.collect()).removedPacks).toBe(1);
    }
    expect(notes()).toEqual([]);
  });

  test('that cannot be read is passed over, and said', async () => {
    const { backend, packs } = await twoPoints();
    const { bytes, entries } = entriesOf(backend, packs[1] ?? '');
    flip(bytes, entries[3]?.offset ?? 0);
    {
      await using store = await openStore(backend, damageOptions);
      await store.verify();
    }
    const note = [...backend.objects.keys()].find((name) => name.startsWith('quarantine/')) ?? '';
    const body = Buffer.from(backend.objects.get(note) ?? Buffer.alloc(0));
    for (const cut of [0, 20, body.length - 1]) {
      backend.objects.set(note, body.subarray(0, cut));
      await using store = await openStore(backend, damageOptions);
      const report = await store.verify();
      expect(report.damagedObjects).toEqual([expect.objectContaining({ name: note, harm: 'none' })]);
      expect(report.damagedPacks).toHaveLength(1);
    }
  });
});

function never(): never {
  throw new Error('the point has no disk');
}

function merged(gaps: readonly { offset: number; length: number }[]): { offset: number; length: number }[] {
  const result: { offset: number; length: number }[] = [];
  for (const { offset, length } of [...gaps].sort((a, b) => a.offset - b.offset)) {
    const last = result.at(-1);
    if (last !== undefined && last.offset + last.length === offset) last.length += length;
    else result.push({ offset, length });
  }
  return result;
}
