import fc from 'fast-check';
import { expect, it } from 'vitest';
import { longestStartWindowMs, startDelayMs, startWindowMs } from './start-spread.ts';

it('starts one item on time, and gives others 10 seconds each up to two hours', () => {
  expect([0, 1, 2, 720, 721, 722, 100_000].map(startWindowMs)).toEqual([
    0, 0, 10_000, 7_190_000, 7_200_000, 7_200_000, 7_200_000,
  ]);
  expect(longestStartWindowMs).toBe(7_200_000);
});

it('is the same each time, and inside the window', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: longestStartWindowMs }), (itemId, windowMs) => {
      const delay = startDelayMs(itemId, windowMs);
      expect(delay).toBe(startDelayMs(itemId, windowMs));
      expect(delay).toBeGreaterThanOrEqual(0);
      expect(delay).toBeLessThan(windowMs);
    }),
  );
  expect(startDelayMs('any', 0)).toBe(0);
});

it('spreads a thousand items evenly: no minute of two hours has more than four times its share', () => {
  const perMinute = new Map<number, number>();
  for (let item = 0; item < 1000; item += 1) {
    const minute = Math.floor(startDelayMs(`item-${item}`, startWindowMs(1000)) / 60_000);
    perMinute.set(minute, (perMinute.get(minute) ?? 0) + 1);
  }
  expect(Math.max(...perMinute.values())).toBeLessThanOrEqual(33);
  expect(perMinute.size).toBeGreaterThan(115);
});
