import { expect, test } from 'vitest';
import { memoryBackend, openStore, type Store } from './index.ts';
import {
  type FixtureName,
  fixtureMetadata,
  fixtureNames,
  fixturePoints,
  fixtureSecrets,
  readFixture,
} from './testing/fixture-content.ts';
import { backUp, bytesFrom, readAll, restore, testChunkBytes } from './testing/model-disk.ts';
import { MovableClock } from './testing/movable-clock.ts';

const common = { packTargetBytes: 4 * testChunkBytes, reserveBytes: 64 };
const unlocks = (name: FixtureName) =>
  name.endsWith('encrypted') ? fixtureSecrets.map(({ kind, text }) => [{ kind, text }]) : [[]];

async function expectAll(store: Store): Promise<void> {
  for (const [path, disks] of Object.entries(fixturePoints)) {
    const [itemId = '', pointId = ''] = path.split('/');
    const record = await store.readPoint(itemId, pointId);
    expect(record.metadata).toEqual(fixtureMetadata);
    expect(record.disks.map(({ name }) => name)).toEqual(Object.keys(disks));
    for (const { name, disk } of record.disks)
      expect((await readAll(store, disk)).equals(disks[name] ?? Buffer.alloc(0)), `${path} ${name}`).toBe(
        true,
      );
    expect(await store.verifyPoint(itemId, pointId, {})).toEqual([]);
  }
}

test.each(fixtureNames)(
  'the store %s, written when its format was new, is read with each of its keys',
  async (name) => {
    for (const unlock of unlocks(name)) {
      await using store = await openStore(memoryBackend(readFixture(name)), {
        ...common,
        clock: new MovableClock(),
        unlock,
      });
      const { points, damaged } = await store.listPoints();
      expect(damaged).toEqual([]);
      expect(points.map(({ itemId, pointId }) => `${itemId}/${pointId}`)).toEqual([
        'db/d1',
        'web/w1',
        'web/w2',
      ]);
      expect(points[0]?.copyOf?.storeId).toMatch(/^[0-9a-f-]{36}$/);
      await expectAll(store);
      const report = await store.verify();
      expect([report.damagedPacks, report.damagedObjects, report.damagedPoints]).toEqual([[], [], []]);
    }
  },
);

test.each(fixtureNames)('the store %s is read without its index, which is a cache', async (name) => {
  const objects = readFixture(name);
  for (const object of [...objects.keys()]) if (object.startsWith('index/')) objects.delete(object);
  const [unlock = []] = unlocks(name);
  await using store = await openStore(memoryBackend(objects), {
    ...common,
    clock: new MovableClock(),
    unlock,
  });
  await expectAll(store);
});

test.each(fixtureNames)('the store %s takes points, deletions and collections of today', async (name) => {
  const backend = memoryBackend(readFixture(name));
  const clock = new MovableClock();
  const [unlock = []] = unlocks(name);
  const store = await openStore(backend, { ...common, clock, unlock });
  const { disks } = await store.readPoint('web', 'w2');
  const disk = disks[0]?.disk;
  const content = Buffer.from(fixturePoints['web/w2']?.sda ?? []);
  bytesFrom(12, 3000).copy(content, 3 * testChunkBytes);
  const extents = [{ offset: 3 * testChunkBytes, length: 3000, zero: false }];
  const written = await backUp(store, 'new', content, {
    ...(disk === undefined ? {} : { base: disk }),
    extents,
  });
  // The content of the old points is found under the names it has there: one chunk and the pages above it are new.
  expect(written.newBytes).toBeLessThanOrEqual(testChunkBytes + 2 * 8192);
  expect((await backUp(store, 'again', content)).newBytes).toBe(0);
  clock.move(48);
  const { removedPacks } = await store.collect();
  expect(removedPacks).toBeGreaterThan(0); // what was condemned when the fixture was made
  await store.deletePoint('vm', 'again');
  await store[Symbol.asyncDispose]();
  await using again = await openStore(backend, { ...common, clock, unlock });
  for (let round = 0; round < 3; round++) {
    await again.collect({ wasteThreshold: 0 });
    clock.move(25);
  }
  await expectAll(again);
  expect((await restore(again, 'new')).equals(content)).toBe(true);
});
