import { expect } from 'vitest';
import { isHoldfastError } from '../../errors/index.ts';
import {
  createStore,
  type DiskRoot,
  memoryBackend,
  type OpenOptions,
  openStore,
  type Store,
} from '../index.ts';
import { bytesFrom, readAll, restore, testChunkBytes, writeContent } from './model-disk.ts';
import { MovableClock } from './movable-clock.ts';
import { randomFrom, Scheduler } from './scheduler.ts';

const chunksOnDisk = 6;
/** Few contents, so that everybody meets everybody's chunks again and again. */
const contents = Array.from({ length: 9 }, (_, number) => bytesFrom(number, testChunkBytes));

interface ModelPoint {
  content: Buffer;
  disk: DiskRoot;
}

/** One run: two writers, a reader, one who deletes and one who collects, interleaved by the seed. */
export async function play(
  seed: number,
  more: Partial<OpenOptions> = {},
): Promise<{ removed: number; repacked: number; steps: number }> {
  const medium = memoryBackend();
  const scheduler = new Scheduler(seed);
  const clock = new MovableClock();
  const options = {
    clock,
    chunkSizeBytes: testChunkBytes,
    packTargetBytes: 3 * testChunkBytes,
    threads: 0, // work on bytes is done at once: then only the scheduler decides who goes on
    reserveBytes: 64,
    ...more,
    indexCacheBytes: 0, // nearly every look-up waits for a table of contents
    chunksBeforeTable: 1,
  };
  const store = await createStore(scheduler.backend(medium), options);
  /** Points that were acknowledged and that nobody has begun to delete. */
  const points = new Map<string, ModelPoint>();
  const random = randomFrom(seed + 1);
  const anyPoint = () => [...points][random(Math.max(1, points.size))];
  let writing = 2;
  let next = 0;
  let removed = 0;
  let repacked = 0;
  let hasLost = false;
  medium.delete = ((remove) => async (name: string) => {
    await remove(name);
    hasLost ||= name.endsWith('.pack');
  })(medium.delete);

  async function write(): Promise<void> {
    const base = random(3) === 0 ? undefined : anyPoint();
    const content = Buffer.from(base?.[1].content ?? Buffer.alloc(chunksOnDisk * testChunkBytes));
    const extents = [];
    for (let chunk = 0; chunk < chunksOnDisk; chunk++) {
      if (base !== undefined && random(2) === 0) continue;
      contents[random(contents.length)]?.copy(content, chunk * testChunkBytes);
      extents.push({ offset: chunk * testChunkBytes, length: testChunkBytes, zero: false });
    }
    const pointId = `p${next++}`;
    await using writer = await store.beginPoint({ itemId: 'vm', pointId });
    for (let pause = random(20); pause > 0; pause--) await scheduler.turn();
    try {
      const { disk } = await writeContent(writer, content, {
        extents,
        ...(base === undefined ? {} : { base: base[1].disk }),
      });
      for (let pause = random(150); pause > 0; pause--) await scheduler.turn();
      if (random(5) === 0) return; // given up
      await writer.commit({
        createdAt: '2026-11-21T06:00:00Z',
        disks: [{ name: 'sda', disk }],
        metadata: {},
      });
      points.set(pointId, { content, disk });
    } catch (error) {
      // Only a base that was deleted before it was held may be found wanting.
      const baseHasGone = base !== undefined && !points.has(base[0]);
      if (!isHoldfastError(error, 'StoreDamaged') || !baseHasGone) throw error;
    }
  }

  async function writeMany(): Promise<void> {
    for (let round = 0; round < 5; round++) await write();
    writing--;
  }

  async function remove(): Promise<void> {
    while (writing > 0) {
      for (let pause = random(60); pause > 0; pause--) await scheduler.turn();
      const point = points.size > 1 ? anyPoint() : undefined;
      if (point !== undefined) {
        points.delete(point[0]);
        await store.deletePoint('vm', point[0]);
      }
      await scheduler.turn();
    }
  }

  async function collect(): Promise<void> {
    for (let after = 3; after > 0; after -= writing > 0 ? 0 : 1) {
      clock.move(1);
      const report = await store.collect({
        minimumAgeMs: 0,
        wasteThreshold: random(3) / 4,
        force: true,
      });
      removed += report.removedPacks;
      repacked += report.repackedPacks;
      expect(report.missingChunks).toBe(0);
      expect(report.damagedPacks).toEqual([]);
      await scheduler.turn();
    }
  }

  async function read(): Promise<void> {
    while (writing > 0) {
      const point = anyPoint();
      // Opened in the same turn: from here on the point may be deleted.
      if (point !== undefined)
        expect((await readAll(store, point[1].disk)).equals(point[1].content)).toBe(true);
      await scheduler.turn();
    }
  }

  /** Nothing is damaged, and whoever looks while everything moves must not think so. */
  async function verify(): Promise<void> {
    for (let round = 0; writing > 0; round++) {
      const { damagedPacks, damagedObjects, damagedPoints } = await store.verify();
      expect([damagedPacks, damagedObjects, damagedPoints], `seed ${seed}`).toEqual([[], [], []]);
      if (round % 2 === 0)
        expect((await store.repair({ dryRun: false })).steps, `repair, seed ${seed}`).toEqual([]);
      await scheduler.turn();
    }
  }

  let checks = 0;
  /** Every point reads back from what is on the medium now, by a program that knows nothing of what went before. */
  async function checkMedium(): Promise<void> {
    const reading = { ...options, chunksBeforeTable: Number.POSITIVE_INFINITY };
    const after = await openStore(memoryBackend(new Map(medium.objects)), reading);
    await expectAll(after);
    await after[Symbol.asyncDispose]();
  }
  async function expectAll(from: Store): Promise<void> {
    for (const [pointId, { content }] of points)
      expect((await restore(from, pointId)).equals(content), `${pointId} of seed ${seed}`).toBe(true);
  }

  await scheduler.run([writeMany, writeMany, remove, collect, read, verify], async () => {
    // Only a pack that goes can take anything away; beside that, some instants by chance.
    if (!hasLost && ++checks % 200 !== 0) return;
    hasLost = false;
    await checkMedium();
  });
  await expectAll(store);
  expect((await store.listPoints()).points.map(({ pointId }) => pointId).sort()).toEqual(
    [...points.keys()].sort(),
  );
  // When everybody has gone home, nothing is left but what the points need.
  for (let round = 0; round < 3; round++)
    await store.collect({ minimumAgeMs: 0, wasteThreshold: 0, force: true });
  const { plan, neededChunks } = await store.collect({ dryRun: true, wasteThreshold: 0, force: true });
  expect(plan.packs.map(({ action }) => action).filter((action) => action !== 'keep')).toEqual([]);
  expect((await store.stats()).chunks).toBe(neededChunks);
  await expectAll(store);
  await store[Symbol.asyncDispose]();
  await checkMedium();
  return { removed, repacked, steps: scheduler.steps };
}
