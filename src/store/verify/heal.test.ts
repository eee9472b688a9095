import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../errors/index.ts';
import { createStore, memoryBackend, openStore } from '../index.ts';
import {
  damageOptions,
  dropIndex,
  entriesOf,
  flip,
  newContent,
  oldContent,
  twoPoints,
} from '../testing/damaged-store.ts';
import { backUp, bytesFrom, restore, sourceOf, testChunkBytes } from '../testing/model-disk.ts';

describe('healing from elsewhere', () => {
  test('reads and stores what is damaged, and nothing else', async () => {
    const { backend, packs, disk } = await twoPoints();
    const { bytes, entries } = entriesOf(backend, packs[1] ?? '');
    const data = entries.filter(({ kind }) => kind === 1);
    for (const number of [2, 3, 20]) flip(bytes, data[number]?.offset ?? 0);
    {
      await using store = await openStore(backend, damageOptions);
      await store.verify();
      const source = sourceOf(newContent);
      expect(await store.heal(disk, source)).toEqual({
        healedChunks: 3,
        healedBytes: 3 * testChunkBytes,
        lost: [],
      });
      expect(source.reads.reduce((sum, { length }) => sum + length, 0)).toBe(2 * testChunkBytes + 777);
      expect((await store.verify()).damagedPoints).toEqual([]);
      expect(await store.heal(disk, source)).toMatchObject({ healedChunks: 0 });
    }
    await using store = await openStore(backend, damageOptions);
    expect((await restore(store, 'new')).equals(newContent)).toBe(true);
    // What heals is no garbage: it is what the points need now.
    expect((await store.collect()).missingChunks).toBe(0);
  });

  test('makes pages of the map again, at every level', async () => {
    const backend = memoryBackend();
    const content = Buffer.alloc(600 * testChunkBytes);
    bytesFrom(3, 100).copy(content, 0);
    bytesFrom(5, 100).copy(content, 300 * testChunkBytes);
    bytesFrom(7, 100).copy(content, 599 * testChunkBytes);
    const { disk } = await (async () => {
      await using store = await createStore(backend, damageOptions);
      return await backUp(store, 'p', content);
    })();
    const pack = [...backend.objects.keys()].find((name) => name.endsWith('.pack')) ?? '';
    backend.objects.delete(pack);
    dropIndex(backend);
    await using store = await openStore(backend, damageOptions);
    expect((await store.verify()).damagedPoints).toHaveLength(1);
    const report = await store.heal(disk, sourceOf(content));
    expect(report.lost).toEqual([]);
    expect((await restore(store, 'p')).equals(content)).toBe(true);
  });

  test('takes no content but the right one, and tells what the source has lost, too', async () => {
    const { backend, packs, disk } = await twoPoints();
    const { bytes, entries } = entriesOf(backend, packs[1] ?? '');
    const data = entries.filter(({ kind }) => kind === 1);
    for (const number of [1, 5, 9]) flip(bytes, data[number]?.offset ?? 0);
    await using store = await openStore(backend, damageOptions);
    await store.verify();
    const other = Buffer.from(newContent);
    flip(other, 5 * testChunkBytes + 3);
    const source = sourceOf(other);
    const report = await store.heal(disk, {
      async read(offset, length) {
        if (offset === testChunkBytes) throw new HoldfastError('StoreDamaged', 'gone there, too');
        return await source.read(offset, length);
      },
    });
    expect(report).toMatchObject({
      healedChunks: 1,
      lost: [
        { offset: testChunkBytes, length: testChunkBytes },
        { offset: 5 * testChunkBytes, length: testChunkBytes },
      ],
    });
    expect((await store.verify()).damagedPoints[0]?.disks[0]?.gaps).toEqual(report.lost);
    expect((await restore(store, 'old')).equals(oldContent)).toBe(true);
  });
});
