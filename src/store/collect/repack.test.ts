import { describe, expect, test } from 'vitest';
import { emptyStore, noise, packBytes } from '../testing/collected-store.ts';
import { backUp, restore, testChunkBytes } from '../testing/model-disk.ts';

describe('repacking', () => {
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

  test('leaves nothing damaged behind once it is healed, and a damaged pack where it is until then', async () => {
    const { backend, clock, store } = await emptyStore(9);
    const content = noise(1, 9);
    await backUp(store, 'one', content);
    const [pack = ''] = [...backend.objects.keys()].filter((name) => name.endsWith('.pack'));
    backend.objects.get(pack)?.fill(0xee, 16, 16 + 100);
    expect((await store.verify()).damagedPacks).toHaveLength(1);
    expect(await store.collect()).toMatchObject({ repackedPacks: 0, condemnedPacks: 0 });
    expect(backend.objects.has(pack)).toBe(true);
    await backUp(store, 'two', content); // brings the damaged chunk again
    expect((await store.collect()).repackedPacks).toBe(1);
    clock.move(25);
    await store.collect();
    expect(backend.objects.has(pack)).toBe(false);
    expect((await store.stats()).quarantinedPacks).toBe(0);
    expect((await store.verify()).damagedPacks).toEqual([]);
    for (const point of ['one', 'two']) expect((await restore(store, point)).equals(content)).toBe(true);
    await store[Symbol.asyncDispose]();
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
});
