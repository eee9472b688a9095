import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createStore, memoryBackend, type Store } from './index.ts';
import { backUp, bytesFrom, extentsOf, testChunkBytes, testClock } from './testing/model-disk.ts';
import type { DiskExtent, DiskRoot } from './types.ts';

const chunk = testChunkBytes;
const options = { clock: testClock, chunkSizeBytes: chunk, threads: 0 };

const changesOf = (store: Store, base: DiskRoot | undefined, disk: DiskRoot) =>
  Array.fromAsync(store.changedExtents(base, disk));

/** A disk as runs of chunks, each with a seed (0: zeros), and what is missing of its last chunk. */
const recipes = fc.record({
  runs: fc.array(fc.tuple(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 0, max: 3 })), {
    maxLength: 5,
  }),
  cut: fc.nat(chunk - 1),
});

function contentOf({ runs, cut }: { runs: [number, number][]; cut: number }): Buffer {
  const content = Buffer.concat(
    runs.map(([chunks, seed]) => (seed === 0 ? Buffer.alloc(chunks * chunk) : bytesOfChunks(chunks, seed))),
  );
  return content.subarray(0, Math.max(0, content.length - cut));
}

const cached = new Map<number, Buffer>();
function bytesOfChunks(chunks: number, seed: number): Buffer {
  let one = cached.get(seed);
  if (one === undefined) {
    one = bytesFrom(seed, chunk);
    cached.set(seed, one);
  }
  return Buffer.concat(new Array(chunks).fill(one));
}

const padded = (content: Buffer, number: number) => {
  const bytes = Buffer.alloc(chunk);
  content.subarray(number * chunk, (number + 1) * chunk).copy(bytes);
  return bytes;
};

test('names the chunks that differ, says which became zeros, and leaves out the others', async () => {
  await using store = await createStore(memoryBackend(), options);
  let points = 0;
  const write = async (content: Buffer) => (await backUp(store, `p${points++}`, content)).disk;
  await fc.assert(
    fc.asyncProperty(recipes, recipes, fc.boolean(), async (wasRecipe, isRecipe, isFirst) => {
      const [was, is] = [contentOf(wasRecipe), contentOf(isRecipe)];
      const disk = await write(is);
      const extents = await changesOf(store, isFirst ? undefined : await write(was), disk);
      let reached = 0;
      let wasZero: boolean | undefined;
      for (const { offset, length, zero } of extents) {
        expect(length).toBeGreaterThan(0);
        expect(offset > reached || (offset === reached && zero !== wasZero)).toBe(true);
        expect(offset % chunk).toBe(0);
        reached = offset + length;
        expect(reached <= is.length).toBe(true);
        wasZero = zero;
      }
      const before = isFirst ? Buffer.alloc(0) : was;
      for (let number = 0; number * chunk < is.length; number++) {
        const content = padded(is, number);
        const isZero = content.every((byte) => byte === 0);
        const hasChanged = !content.equals(padded(before, number));
        const found = extents.find(
          ({ offset, length }) => offset <= number * chunk && offset + length > number * chunk,
        );
        if (hasChanged) expect(found?.zero).toBe(isZero);
        else expect(found?.zero ?? true).toBe(true);
      }
    }),
    { numRuns: 60 },
  );
});

test('costs what has changed: parts of the maps that are shared are not read', async () => {
  const backend = memoryBackend();
  await using store = await createStore(backend, options);
  // 2 000 000 chunks: three levels of pages.
  const sizeBytes = 2_000_000 * chunk;
  const places = Array.from({ length: 100 }, (_, number) => number * 20_000 * chunk);
  const write = async (pointId: string, extents: DiskExtent[], seed: number, base?: DiskRoot) => {
    await using writer = await store.beginPoint({ itemId: 'vm', pointId });
    const { disk } = await writer.writeDisk({
      sizeBytes,
      extents: extentsOf(extents),
      source: { read: async (_offset, length) => bytesFrom(seed, length) },
      ...(base === undefined ? {} : { base }),
    });
    await writer.commit({ createdAt: '2026-11-21T06:00:00Z', disks: [{ name: 'sda', disk }], metadata: {} });
    return disk;
  };
  const all = places.map((offset) => ({ offset, length: chunk, zero: false }));
  const one = await write('one', all, 1);
  const change = { offset: 41 * 20_000 * chunk, length: chunk, zero: false };
  const gone = { offset: 60 * 20_000 * chunk, length: 20_000 * chunk, zero: true };
  const two = await write('two', [change, gone], 3, one);
  let reads = 0;
  const { get } = backend;
  backend.get = async (...args) => {
    reads++;
    return await get(...args);
  };
  expect(await changesOf(store, one, one)).toEqual([]);
  expect(reads).toBe(0);
  const changes = await changesOf(store, one, two);
  expect(changes).toContainEqual(change);
  expect(changes.filter(({ zero }) => !zero)).toEqual([change]);
  expect(
    changes.some(
      ({ offset, length, zero }) => zero && offset <= gone.offset && offset + length > gone.offset,
    ),
  ).toBe(true);
  // Both roots, and of either map the pages on the way to the two changes.
  expect(reads).toBeLessThanOrEqual(2 * (1 + 2 * 2));
});

test('refuses to compare disks with chunks of different sizes', async () => {
  await using store = await createStore(memoryBackend(), options);
  const disk = { root: undefined, sizeBytes: chunk, chunkSizeBytes: chunk };
  await expect(changesOf(store, { ...disk, chunkSizeBytes: 4 * chunk }, disk)).rejects.toThrow(/no map/);
});
