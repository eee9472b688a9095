import { expect, test } from 'vitest';
import type { Store } from '../jobs/index.ts';
import { figuresOf } from './store-figures.ts';

const stats = { packs: 1, chunks: 2, storedBytes: 3, uniqueBytes: 4, points: 5 };

test('tells what a store holds', async () => {
  const open = async () => ({ stats: async () => stats }) as unknown as Store;
  expect(await figuresOf(open, '/srv')).toEqual({ recoveryPoints: 5, storedBytes: 3, uniqueBytes: 4 });
});

test.each([
  ['is not opened', () => new Promise<Store>(() => {})],
  ['does not answer', async () => ({ stats: () => new Promise(() => {}) }) as unknown as Store],
])('does not wait for a store that %s', async (_, open) => {
  await expect(figuresOf(open, 's3://b/x', 20)).rejects.toMatchObject({ code: 'StoreUnavailable' });
});

test('is not disturbed by a store that fails after it has stopped waiting', async () => {
  const opening = Promise.withResolvers<Store>();
  await expect(figuresOf(() => opening.promise, 's3://b/x', 5)).rejects.toThrow('has not answered yet');
  opening.reject(new Error('too late'));
  await new Promise((resolve) => setImmediate(resolve)); // an unhandled rejection would fail the run
});
