import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BlockCache } from './block-cache.ts';

const content = Buffer.from(Uint8Array.from({ length: 1000 }, (_, at) => (at * 7) % 251));

function sourceOf(reads: [number, number][] = []) {
  return {
    sizeBytes: content.length,
    async read(offset: number, length: number) {
      reads.push([offset, length]);
      return content.subarray(offset, offset + length);
    },
  };
}

test('gives what the disk holds, wherever it is asked and whatever it still has', async () => {
  const range = fc.tuple(fc.nat({ max: 999 }), fc.integer({ min: 1, max: 400 }));
  await fc.assert(
    fc.asyncProperty(fc.array(range, { minLength: 1, maxLength: 30 }), async (ranges) => {
      const cache = new BlockCache(sourceOf(), { blockBytes: 64, blocks: 4, ahead: 2 });
      for (const [offset, wanted] of ranges) {
        const length = Math.min(wanted, content.length - offset);
        expect(Buffer.from(await cache.read(offset, length))).toEqual(
          content.subarray(offset, offset + length),
        );
      }
    }),
    { numRuns: 100 },
  );
});

test('asks once for what several want, and reads whole blocks only', async () => {
  const reads: [number, number][] = [];
  const cache = new BlockCache(sourceOf(reads), { blockBytes: 128, blocks: 4, ahead: 0 });
  await Promise.all([cache.read(5, 3), cache.read(40, 80), cache.read(900, 100)]);
  expect(reads).toEqual([
    [0, 128],
    [896, 104],
  ]);
});

test('fetches ahead of who reads in order, and not beyond the end', async () => {
  const reads: [number, number][] = [];
  const cache = new BlockCache(sourceOf(reads), { blockBytes: 250, blocks: 8, ahead: 2 });
  await cache.read(0, 250);
  expect(reads).toHaveLength(1);
  await cache.read(250, 250);
  expect(reads.map(([offset]) => offset)).toEqual([0, 250, 500, 750]);
  await cache.read(500, 500);
  expect(reads).toHaveLength(4);
});

test('keeps no more blocks than it may', async () => {
  const reads: [number, number][] = [];
  const cache = new BlockCache(sourceOf(reads), { blockBytes: 100, blocks: 2, ahead: 0 });
  for (const offset of [0, 300, 600, 0]) await cache.read(offset, 10);
  expect(reads.map(([offset]) => offset)).toEqual([0, 300, 600, 0]);
});

test('a failure is not kept', async () => {
  let broken = true;
  const source = sourceOf();
  const cache = new BlockCache(
    {
      ...source,
      async read(offset, length) {
        if (broken) throw new Error('the store is away');
        return source.read(offset, length);
      },
    },
    { blockBytes: 100, blocks: 2, ahead: 1 },
  );
  await expect(cache.read(0, 10)).rejects.toThrow('the store is away');
  broken = false;
  expect(await cache.read(0, 10)).toHaveLength(10);
});
