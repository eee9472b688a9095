import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createStore, memoryBackend } from './index.ts';
import { storeKinds } from './testing/encrypted.ts';
import { backUp, bytesFrom, restore, testChunkBytes, testClock } from './testing/model-disk.ts';
import type { DiskExtent, DiskRoot } from './types.ts';

type Step = { size: number; changes: { at: number; length: number; seed: number; zero: boolean }[] };
const step = fc.record({
  size: fc.oneof(
    fc.nat(40 * testChunkBytes),
    fc.nat(300).map((chunks) => chunks * testChunkBytes),
  ),
  changes: fc.array(
    fc.record({
      at: fc.nat(1_000_000),
      length: fc.oneof(fc.integer({ min: 1, max: 9000 }), fc.integer({ min: 1, max: 1_500_000 })),
      seed: fc.nat(6),
      zero: fc.boolean(),
    }),
    { maxLength: 5 },
  ),
});

test.each(storeKinds)(
  'in a store that is %s, after any sequence of changes, growth and shrinking, every point reads as its model',
  async (_, { create }) => {
    const pool = Array.from({ length: 7 }, (_, seed) => bytesFrom(seed, 1_500_000));
    const apply = (before: Buffer, { size, changes }: Step) => {
      const after = Buffer.alloc(size);
      before.copy(after);
      const extents: DiskExtent[] = [];
      let reached = 0;
      for (const { at, length, seed, zero } of changes.toSorted((a, b) => a.at - b.at)) {
        const offset = Math.max(at, reached);
        const end = Math.min(size, at + length);
        if (offset >= end) continue;
        if (zero) after.fill(0, offset, end);
        else pool[seed]?.copy(after, offset, 0, end - offset);
        extents.push({ offset, length: end - offset, zero });
        reached = end;
      }
      return { after, extents };
    };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 5 }), async (steps) => {
        await using store = await createStore(memoryBackend(), {
          clock: testClock,
          chunkSizeBytes: testChunkBytes,
          ...create,
        });
        let content: Buffer = Buffer.alloc(0);
        let base: DiskRoot | undefined;
        const models: Buffer[] = [];
        for (const [number, next] of steps.entries()) {
          const { after, extents } = apply(content, next);
          const options = base === undefined ? { extents } : { extents, base };
          base = (await backUp(store, `p${number}`, after, options)).disk;
          content = after;
          models.push(after);
          // The same content written whole gives the same map: the tree has one shape only.
          if (number === steps.length - 1) expect((await backUp(store, 'whole', after)).disk).toEqual(base);
        }
        for (const [number, model] of models.entries())
          expect((await restore(store, `p${number}`)).equals(model)).toBe(true);
      }),
      { numRuns: 40 },
    );
  },
);
