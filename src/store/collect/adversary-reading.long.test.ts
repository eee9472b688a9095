import { expect, test } from 'vitest';
import { play } from '../testing/adversary.ts';

test.each([100, 101, 102, 103])(
  'whoever moves when, and reads at every look-up, no acknowledged point loses anything (seed %i)',
  async (seed) => {
    // As in a store that is much larger than memory: a table of contents is hardly ever at hand.
    const { removed, steps } = await play(seed, { indexCacheBytes: 0, chunksBeforeTable: 1 });
    expect(removed).toBeGreaterThan(0);
    expect(steps).toBeGreaterThan(500);
  },
);
