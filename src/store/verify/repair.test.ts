import { describe, expect, test } from 'vitest';
import { openStore, type RepairStep } from '../index.ts';
import { packEntryBytes, packFooterBytes } from '../pack-format.ts';
import {
  damageOptions,
  dropIndex,
  entriesOf,
  flip,
  newContent,
  oldContent,
  packIdOf,
  twoPoints,
} from '../testing/damaged-store.ts';
import { backUp, restore, testChunkBytes } from '../testing/model-disk.ts';
import { MovableClock } from '../testing/movable-clock.ts';

const stepsOf = (steps: readonly RepairStep[]) => steps.map(({ action, target }) => `${action} ${target}`);
const execute = { dryRun: false };

type Harm = (pack: { bytes: Buffer; entries: ReturnType<typeof entriesOf>['entries'] }) => Buffer;

function flipped(bytes: Buffer, at: number): Buffer {
  flip(bytes, at);
  return bytes;
}

/** What can happen around the frames of a pack. */
const containerHarms: Record<string, Harm> = {
  header: ({ bytes }) => flipped(bytes, 3),
  footer: ({ bytes }) => flipped(bytes, bytes.length - 60),
  trailer: ({ bytes }) => flipped(bytes, bytes.length - packFooterBytes - 30),
  'end of the footer': ({ bytes }) => bytes.subarray(0, -1),
  'trailer and footer': ({ bytes, entries }) =>
    bytes.subarray(0, bytes.length - (entries.length + 1) * packEntryBytes),
};

describe('a repair', () => {
  test('of a whole store has nothing to do', async () => {
    const { backend } = await twoPoints();
    await using store = await openStore(backend, damageOptions);
    expect(await store.repair(execute)).toEqual({
      dryRun: false,
      steps: [],
      failed: [],
      damagedPoints: [],
      salvagedChunks: 0,
    });
  });

  test.each(Object.keys(containerHarms))(
    'makes a pack whole again whose %s is damaged, word for word',
    async (harm) => {
      const { backend, packs } = await twoPoints();
      const name = packs[1] ?? '';
      const whole = Buffer.from(backend.objects.get(name) ?? Buffer.alloc(0));
      backend.objects.set(name, containerHarms[harm]?.(entriesOf(backend, name)) ?? whole);
      await using store = await openStore(backend, damageOptions);
      await store.verify();
      const before = new Map(backend.objects);
      const plan = await store.repair();
      expect(plan).toMatchObject({ dryRun: true, steps: [{ action: 'rewrite', target: name }] });
      expect(new Map(backend.objects)).toEqual(before);
      const report = await store.repair(execute);
      expect(stepsOf(report.steps)).toEqual([`rewrite ${name}`]);
      expect(report.failed).toEqual([]);
      expect(backend.objects.get(name)?.equals(whole)).toBe(true);
      expect(await store.verify()).toMatchObject({ damagedPacks: [], damagedObjects: [], damagedPoints: [] });
      expect((await restore(store, 'new')).equals(newContent)).toBe(true);
    },
  );

  test('finds the table of contents by its last entry, and by trying it, when no index has it', async () => {
    for (const harm of ['header', 'footer', 'trailer'] as const) {
      const { backend, packs } = await twoPoints();
      const name = packs[1] ?? '';
      backend.objects.set(name, containerHarms[harm]?.(entriesOf(backend, name)) ?? Buffer.alloc(0));
      dropIndex(backend);
      {
        await using store = await openStore(backend, damageOptions);
        await store.verify();
        const report = await store.repair(execute);
        // With a flipped bit in the trailer nobody knows it word for word any more; all its frames but one prove themselves.
        if (harm === 'trailer') expect(report.salvagedChunks).toBe(21);
        else expect((await store.verify()).damagedPacks).toEqual([]);
      }
      await using store = await openStore(backend, damageOptions);
      const { damagedPoints } = await store.verify();
      const lost = damagedPoints[0]?.disks[0]?.gapBytes ?? 0;
      if (harm !== 'trailer') expect(damagedPoints).toEqual([]);
      else expect(lost === newContent.length || lost <= testChunkBytes).toBe(true); // the root, or one chunk
      expect((await restore(store, 'old')).equals(oldContent)).toBe(true);
    }
  });

  test('goes by the size that a pack has now, when it was cut while the store was open', async () => {
    const { backend, packs } = await twoPoints();
    const name = packs[1] ?? '';
    await using store = await openStore(backend, damageOptions);
    const { bytes, entries } = entriesOf(backend, name);
    backend.objects.set(name, bytes.subarray(0, entries[14]?.offset));
    await store.verify();
    const report = await store.repair(execute);
    expect(stepsOf(report.steps)).toEqual([`salvage ${name}`, 'lost points/vm/new.point']);
    expect(report.failed).toEqual([]);
    expect(report.salvagedChunks).toBe(14);
    expect((await restore(store, 'old')).equals(oldContent)).toBe(true);
  });

  test('brings what is left of a pack that was cut into a new one, names what is lost, and lets the rest go', async () => {
    const clock = new MovableClock();
    const options = { ...damageOptions, clock };
    const { backend, packs } = await twoPoints();
    const name = packs[1] ?? '';
    const { bytes, entries } = entriesOf(backend, name);
    const cutAt = entries[14]?.offset ?? 0;
    backend.objects.set(name, bytes.subarray(0, cutAt));
    {
      await using store = await openStore(backend, options);
      await store.verify();
      const report = await store.repair(execute);
      expect(stepsOf(report.steps)).toEqual([`salvage ${name}`, 'lost points/vm/new.point']);
      expect(report.salvagedChunks).toBe(14);
      expect(report.damagedPoints).toHaveLength(1);
      expect(stepsOf((await store.repair(execute)).steps)).toEqual(['lost points/vm/new.point']);
    }
    await using store = await openStore(backend, options);
    // Healed by a backup that meets the content: only what was lost is stored anew.
    const { newBytes } = await backUp(store, 'again', newContent);
    expect(newBytes).toBe(7 * testChunkBytes + 8192);
    expect((await restore(store, 'new')).equals(newContent)).toBe(true);
    for (let round = 0; round < 2; round++) {
      await store.collect();
      clock.move(25);
    }
    expect(backend.objects.has(name)).toBe(false);
    expect(await store.verify()).toMatchObject({ damagedPacks: [], damagedPoints: [] });
    expect((await restore(store, 'new')).equals(newContent)).toBe(true);
  });

  test('writes markers, the description, segments and generations anew', async () => {
    const { backend } = await twoPoints();
    await using store = await openStore(backend, damageOptions);
    await store.collect();
    const segments = [...backend.objects.keys()].filter((name) => name.startsWith('index/'));
    const generation = [...backend.objects.keys()].find((name) => name.startsWith('generations/')) ?? '';
    const description = Buffer.from(backend.objects.get('holdfast-store') ?? Buffer.alloc(0));
    backend.objects.delete('packs/marker');
    flip(backend.objects.get('points/marker') ?? Buffer.alloc(0), 20);
    flip(backend.objects.get('holdfast-store') ?? Buffer.alloc(0), 100);
    flip(backend.objects.get(segments[0] ?? '') ?? Buffer.alloc(0), 30);
    flip(backend.objects.get(generation) ?? Buffer.alloc(0), 90);
    const report = await store.repair(execute);
    expect(stepsOf(report.steps).sort()).toEqual(
      [
        'rewrite holdfast-store',
        'rewrite packs/marker',
        'rewrite points/marker',
        `rebuild ${segments[0]}`,
        'rebuild index/',
        `rebuild ${generation}`,
      ].sort(),
    );
    expect(report.failed).toEqual([]);
    expect(await store.verify()).toMatchObject({ damagedObjects: [], damagedPacks: [] });
    expect(backend.objects.get('holdfast-store')?.equals(description)).toBe(true);
    expect(backend.objects.has(segments[0] ?? '')).toBe(false);
  });

  test('forgets packs that are gone and that no point needs, and none that one needs', async () => {
    const { backend, packs } = await twoPoints();
    backend.objects.delete(packs[1] ?? '');
    await using store = await openStore(backend, damageOptions);
    expect(stepsOf((await store.repair(execute)).steps)).toEqual(['lost points/vm/new.point']);
    expect((await store.verify()).damagedPacks).toEqual([
      { pack: packIdOf(packs[1] ?? ''), kind: 'missing', message: expect.stringContaining('missing') },
    ]);
    await store.deletePoint('vm', 'new');
    expect(stepsOf((await store.repair(execute)).steps)).toEqual(['rebuild index/']);
    expect((await store.verify()).damagedPacks).toEqual([]);
    expect((await restore(store, 'old')).equals(oldContent)).toBe(true);
  });

  test('names points whose records are damaged, and deletes none', async () => {
    const { backend } = await twoPoints();
    flip(backend.objects.get('points/vm/new.point') ?? Buffer.alloc(0), 200);
    await using store = await openStore(backend, damageOptions);
    const { steps } = await store.repair(execute);
    expect(stepsOf(steps)).toEqual(['lost points/vm/new.point']);
    expect(backend.objects.has('points/vm/new.point')).toBe(true);
  });

  test('says which step failed, and does the others', async () => {
    const { backend, packs } = await twoPoints();
    for (const pack of packs) flip(backend.objects.get(pack) ?? Buffer.alloc(0), 3);
    await using store = await openStore(backend, damageOptions);
    await store.verify();
    const { put } = backend;
    backend.put = async (name, parts) => {
      if (name === packs[0]) throw new Error('refused');
      await put(name, parts);
    };
    const report = await store.repair(execute);
    expect(report.failed).toEqual([{ target: packs[0], message: 'refused' }]);
    expect((await store.verify()).damagedPacks.map(({ pack }) => pack)).toEqual([packIdOf(packs[0] ?? '')]);
  });
});
