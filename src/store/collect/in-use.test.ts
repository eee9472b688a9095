import { describe, expect, test } from 'vitest';
import { count, emptyStore, noise } from '../testing/collected-store.ts';
import { backUp, readAll, restore, writeContent } from '../testing/model-disk.ts';

describe('what is in use', () => {
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
});
