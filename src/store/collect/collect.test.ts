import { describe, expect, test } from 'vitest';
import { openStore, printPlan } from '../index.ts';
import { actionsOf, count, emptyStore, noise, packBytes, snapshot } from '../testing/collected-store.ts';
import { backUp, restore, testChunkBytes } from '../testing/model-disk.ts';

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
});
