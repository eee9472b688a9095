import { expect, test } from 'vitest';
import { fileSystemBackend } from '../backends/file-system.ts';
import { createStore, openStore } from '../index.ts';
import { ForgetfulFiles } from '../testing/forgetful-files.ts';
import { backUp, bytesFrom, restore, testChunkBytes } from '../testing/model-disk.ts';
import { MovableClock } from '../testing/movable-clock.ts';

const directory = '/srv/store';
const noise = (seed: number, chunks: number) => bytesFrom(2 * seed + 1, chunks * testChunkBytes);

test('a crash at any instant of marking, deleting and repacking costs no point a byte, and the next goes on', async () => {
  const files = new ForgetfulFiles();
  const clock = new MovableClock();
  const options = {
    clock,
    chunkSizeBytes: testChunkBytes,
    packTargetBytes: 3 * testChunkBytes,
    chunksBeforeTable: 1,
    reserveBytes: 64,
  };
  const points = new Map<string, Buffer>();
  const crashes: { call: string; files: ForgetfulFiles }[] = [];
  const store = await createStore(fileSystemBackend(directory, files), options);
  const content = noise(1, 6);
  const { disk } = await backUp(store, 'old', content);
  const changed = Buffer.from(content);
  const extents = [0, 3].map((chunk) => ({
    offset: chunk * testChunkBytes,
    length: testChunkBytes,
    zero: false,
  }));
  for (const { offset } of extents) noise(offset + 5, 1).copy(changed, offset);
  await backUp(store, 'new', changed, { base: disk, extents });
  points.set('new', changed);
  await backUp(store, 'other', noise(3, 2));
  points.set('other', noise(3, 2));
  await backUp(store, 'gone', noise(2, 4));
  await store.deletePoint('vm', 'gone');
  await store.deletePoint('vm', 'old');
  files.onCall = (call) => {
    if (call.endsWith('(done)')) return; // the same as before the next call
    for (const what of ['lost', 'kept'] as const) crashes.push({ call, files: files.clone(what) });
  };
  const reports = [];
  for (let round = 0; round < 3; round++) {
    reports.push(await store.collect());
    clock.move(25);
  }
  await files.onCall('the end');
  files.onCall = () => {};
  expect(reports[0]?.repackedPacks).toBeGreaterThan(0);
  expect((reports[1]?.removedPacks ?? 0) + (reports[2]?.removedPacks ?? 0)).toBeGreaterThan(3);
  const least = (await store.stats()).storedBytes;
  await store[Symbol.asyncDispose]();

  expect(crashes.length).toBeGreaterThan(60);
  for (const crash of crashes) {
    await using again = await openStore(fileSystemBackend(directory, crash.files), options);
    const expectAll = async () => {
      for (const [pointId, expected] of points)
        expect((await restore(again, pointId)).equals(expected), crash.call).toBe(true);
    };
    expect((await again.listPoints()).points.map(({ pointId }) => pointId).sort()).toEqual(['new', 'other']);
    await expectAll();
    await backUp(again, 'after', content);
    for (let round = 0; round < 3; round++) {
      clock.move(25);
      await again.collect();
    }
    await expectAll();
    expect((await restore(again, 'after')).equals(content), crash.call).toBe(true);
    await again.deletePoint('vm', 'after');
    for (let round = 0; round < 3; round++) {
      clock.move(25);
      await again.collect();
    }
    await expectAll();
    // As small as without a crash, but for packs that were cut in other places.
    expect((await again.stats()).storedBytes, crash.call).toBeLessThan(least + testChunkBytes);
  }
});
