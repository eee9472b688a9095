import { expect, test } from 'vitest';
import { play } from '../testing/adversary.ts';

test.each(Array.from({ length: 8 }, (_, group) => group))(
  'whoever moves when, no acknowledged point loses anything, and garbage goes (group %i)',
  async (group) => {
    const sum = { removed: 0, repacked: 0 };
    for (let seed = group * 3; seed < group * 3 + 3; seed++) {
      const { removed, repacked } = await play(seed);
      sum.removed += removed;
      sum.repacked += repacked;
    }
    expect(sum.removed).toBeGreaterThan(5);
    expect(sum.repacked).toBeGreaterThan(0);
  },
);

test('the same seed plays the same', async () => {
  expect(await play(77)).toEqual(await play(77));
});
