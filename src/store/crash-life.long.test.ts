import { expect, test } from 'vitest';
import { isHoldfastError } from '../errors/index.ts';
import {
  copyPoint,
  createStore,
  fileSystemBackend,
  newKeyFile,
  newRecoveryKey,
  openStore,
  type Store,
} from './index.ts';
import { noise } from './testing/collected-store.ts';
import { ForgetfulFiles } from './testing/forgetful-files.ts';
import { backUp, readAll, restore, testChunkBytes } from './testing/model-disk.ts';
import { MovableClock } from './testing/movable-clock.ts';
import { randomFrom } from './testing/scheduler.ts';

const directories = { first: '/srv/first', second: '/srv/second' };
type Which = keyof typeof directories;
const key = { kind: 'key-file' as const, text: newKeyFile() };
const common = {
  packTargetBytes: 3 * testChunkBytes,
  reserveBytes: 64,
  threads: 0,
  chunksBeforeTable: 1,
  indexCacheBytes: 0,
};

/** What is known of the points of one store: which must be there, which may, and which the medium has damaged. */
class Expected {
  readonly must = new Set<string>();
  readonly may = new Set<string>();
  readonly hurt = new Set<string>();

  clone(): Expected {
    const copy = new Expected();
    for (const set of ['must', 'may', 'hurt'] as const) for (const id of this[set]) copy[set].add(id);
    return copy;
  }
}

interface Crash {
  call: string;
  files: ForgetfulFiles;
  first: Expected;
  second: Expected;
  isSecondCreated: boolean;
}

async function expectIn(store: Store, expected: Expected, contents: Map<string, Buffer>, call: string) {
  const { points, damaged } = await store.listPoints();
  expect(damaged, call).toEqual([]);
  const there = points.map(({ pointId }) => pointId);
  expect(there, call).toEqual(expect.arrayContaining([...expected.must]));
  expect([...expected.may], call).toEqual(expect.arrayContaining(there));
  for (const { pointId, disks } of points) {
    const disk = disks[0]?.disk ?? { root: undefined, sizeBytes: -1, chunkSizeBytes: 0 };
    const restored = await readAll(store, disk).catch((error: unknown) => {
      if (!isHoldfastError(error, 'StoreDamaged') || !expected.hurt.has(pointId)) throw error;
      return undefined; // reported, as it should be
    });
    if (restored !== undefined)
      expect(restored.equals(contents.get(pointId) ?? Buffer.alloc(0)), `${call}: ${pointId}`).toBe(true);
  }
}

test('a crash at any instant of a whole life, with any part of what was not synced, costs no acknowledged point a byte', async () => {
  const files = new ForgetfulFiles();
  const clock = new MovableClock();
  const options = { ...common, clock };
  const contents = new Map<string, Buffer>();
  const expected = { first: new Expected(), second: new Expected() };
  const crashes: Crash[] = [];
  let isSecondCreated = false;
  const random = randomFrom(7);
  const backend = (which: Which, on = files) => fileSystemBackend(directories[which], on);
  const open = (which: Which, on = files) => openStore(backend(which, on), { ...options, unlock: [key] });
  const create = (which: Which) =>
    createStore(backend(which), {
      ...options,
      chunkSizeBytes: testChunkBytes,
      encryption: { secrets: [{ ...key, label: 'service' }] },
    });

  const write = async (pointId: string, content: Buffer, more?: Parameters<typeof backUp>[3]) => {
    contents.set(pointId, content);
    expected.first.may.add(pointId);
    const { disk } = await backUp(store, pointId, content, more);
    expected.first.must.add(pointId);
    return disk;
  };
  const remove = async (pointId: string) => {
    expected.first.must.delete(pointId);
    await store.deletePoint('vm', pointId);
    expected.first.may.delete(pointId);
  };
  const copy = async (pointId: string, base?: string) => {
    expected.second.may.add(pointId);
    await copyPoint(store, second, { itemId: 'vm', pointId, base });
    expected.second.must.add(pointId);
  };

  let store = await create('first');
  let calls = 0;
  files.onCall = (call) => {
    if (call.endsWith('(done)')) return; // the same as before the next call
    // In turns some of what was not synced, nothing of it, some, and all of it.
    const what = ([random, 'lost', random, 'kept'] as const)[calls++ % 4] ?? 'lost';
    crashes.push({
      call: `call ${calls}, ${call}, ${typeof what === 'string' ? what : 'some'}`,
      files: files.clone(what),
      first: expected.first.clone(),
      second: expected.second.clone(),
      isSecondCreated,
    });
  };
  const content = noise(1, 6);
  const disk = await write('full', content);
  const changed = Buffer.from(content);
  const extents = [0, 3].map((chunk) => ({
    offset: chunk * testChunkBytes,
    length: testChunkBytes,
    zero: false,
  }));
  for (const { offset } of extents) noise(offset + 5, 1).copy(changed, offset);
  await write('changed', changed, { base: disk, extents });
  await write('other', noise(3, 2));
  const second = await create('second');
  isSecondCreated = true;
  await copy('full');
  await copy('changed', 'full');
  const safe = await store.keys?.add({ kind: 'recovery', text: newRecoveryKey(), label: 'safe' });
  await remove('full');
  const { repackedPacks } = await store.collect({ wasteThreshold: 0 });
  expect(repackedPacks).toBeGreaterThan(0);
  await store.keys?.remove(safe?.wrapId ?? '');
  await store[Symbol.asyncDispose]();
  store = await open('first');
  clock.move(25);
  const { removedPacks } = await store.collect({ wasteThreshold: 0 });
  expect(removedPacks).toBeGreaterThan(0);
  // The medium spoils a pack; it is found, and healed by the next point that meets the content.
  const victim =
    files.paths().find((path) => path.startsWith('/srv/first/packs/') && path.endsWith('.pack')) ?? '';
  files.damage(victim, (data) => {
    data.writeUInt8((data[2000] ?? 0) ^ 1, 2000);
    return data;
  });
  for (const pointId of expected.first.may) expected.first.hurt.add(pointId);
  expect((await store.verify()).damagedPacks).toHaveLength(1);
  await write('healing', changed);
  await write('healing-other', noise(3, 2));
  expected.first.hurt.clear();
  await store.collect({ wasteThreshold: 0 });
  await copy('healing', 'changed');
  await second[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  await files.onCall('the end');
  files.onCall = () => {};

  expect(crashes.length).toBeGreaterThan(150);
  for (const [number, crash] of crashes.entries()) {
    const { call } = crash;
    const after = noise(9, 3);
    await using again = await open('first', crash.files);
    await expectIn(again, crash.first, contents, call);
    expect(crash.files.paths().filter((path) => path.startsWith('/srv/first/tmp/'))).toEqual([]);
    if (crash.isSecondCreated) {
      await using copied = await open('second', crash.files);
      await expectIn(copied, crash.second, contents, `${call}, second store`);
    }
    // Every fourth time (for time's sake) life goes on, and that costs nothing either.
    if (number % 4 > 0) continue;
    await backUp(again, 'after', after);
    // Damage that is in the way of marking keeps everything.
    await again.collect({ wasteThreshold: 0, minimumAgeMs: 0 }).catch((error: unknown) => {
      if (!isHoldfastError(error, 'StoreDamaged') || crash.first.hurt.size === 0) throw error;
    });
    crash.first.may.add('after');
    await expectIn(again, crash.first, new Map([...contents, ['after', after]]), `${call}, and on`);
    if (!crash.isSecondCreated) continue;
    await using copied = await open('second', crash.files);
    await copyPoint(again, copied, { itemId: 'vm', pointId: 'after' });
    expect((await restore(copied, 'after')).equals(after), call).toBe(true);
  }
}, 120_000);
