import { expect, test, vi } from 'vitest';
import { play } from '../testing/adversary.ts';

/** As in a store that is much larger than memory: a table of contents is hardly ever at hand, and each look-up waits. */
vi.mock('../pack-trailers.ts', async (original) => {
  const { PackTrailers } = await original<typeof import('../pack-trailers.ts')>();
  return {
    PackTrailers: class extends PackTrailers {
      constructor(...[backend, packs]: ConstructorParameters<typeof PackTrailers>) {
        super(backend, packs, 200);
      }
    },
  };
});

test.each([100, 101, 102, 103])(
  'whoever moves when, and reads at every look-up, no acknowledged point loses anything (seed %i)',
  async (seed) => {
    const { removed, steps } = await play(seed);
    expect(removed).toBeGreaterThan(0);
    expect(steps).toBeGreaterThan(500);
  },
);
