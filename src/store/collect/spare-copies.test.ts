import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../errors/index.ts';
import { openStore } from '../index.ts';
import { emptyStore, noise, packBytes } from '../testing/collected-store.ts';
import { backUp, restore, testChunkBytes, writeContent } from '../testing/model-disk.ts';

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

  test('the old copy of repacked content goes only when the new one has been read and found good', async () => {
    for (const damage of ['none', 'flipped', 'pack lost'] as const) {
      const { backend, clock, store, options } = await emptyStore(9);
      const content = noise(1, 9);
      const { disk } = await backUp(store, 'old', content);
      const packNames = () => [...backend.objects.keys()].filter((name) => name.endsWith('.pack'));
      const changed = Buffer.from(content);
      noise(7, 4).copy(changed);
      const extents = [{ offset: 0, length: 4 * testChunkBytes, zero: false }];
      await backUp(store, 'new', changed, { base: disk, extents });
      await store.deletePoint('vm', 'old');
      const before = packNames();
      expect((await store.collect()).repackedPacks).toBe(1);
      const [copies = ''] = packNames().filter((name) => !before.includes(name));
      const bytes = backend.objects.get(copies) ?? Buffer.alloc(0);
      // What the medium does to the copies in the day they are the only ones that count.
      if (damage === 'flipped') bytes.writeUInt8((bytes[5000] ?? 0) ^ 1, 5000);
      if (damage === 'pack lost') backend.objects.delete(copies);
      clock.move(25);
      const { removedPacks } = await store.collect();
      expect(removedPacks).toBe(damage === 'none' ? 1 : 0);
      expect((await restore(store, 'new')).equals(changed), damage).toBe(true);
      await store[Symbol.asyncDispose]();
      await using again = await openStore(backend, options);
      for (let round = 0; round < 4; round++) {
        await again.collect();
        clock.move(25);
      }
      expect((await restore(again, 'new')).equals(changed), damage).toBe(true);
      expect(await again.verifyPoint('vm', 'new', {})).toEqual([]);
    }
  });

  test('a point is not committed over a disk of others that has lost something', async () => {
    const { backend, clock, store } = await emptyStore(1);
    const { disk } = await backUp(store, 'gone', noise(1, 4));
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
    await using writer = await store.beginPoint({ itemId: 'vm', pointId: 'new' });
    const record = { createdAt: '2026-11-21T06:00:00Z', disks: [{ name: 'sda', disk }], metadata: {} };
    await expect(writer.commit(record)).rejects.toMatchObject({ code: 'StoreDamaged' });
    await store[Symbol.asyncDispose]();
  });
});
