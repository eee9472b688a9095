import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../errors/index.ts';
import { type MemoryBackend, openStore } from '../index.ts';
import { emptyStore, noise, snapshot } from '../testing/collected-store.ts';
import { backUp, restore, testChunkBytes } from '../testing/model-disk.ts';

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

  test('borg: the reserve is given up for the marks, packs go, and the reserve comes back', async () => {
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
