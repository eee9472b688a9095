import { describe, expect, test } from 'vitest';
import { openStore } from '../index.ts';
import { emptyStore, noise, packBytes } from '../testing/collected-store.ts';
import { backUp, restore, testChunkBytes } from '../testing/model-disk.ts';

describe('a collection that ends early', () => {
  test('can be stopped at every step, and the next one goes on (XO #9542, #9567, #9668, #9782)', async () => {
    /** Stops the third collection at a step; then lets others finish the work. */
    const run = async (step: number) => {
      const { backend, clock, store } = await emptyStore();
      const content = noise(1, 12);
      const { disk } = await backUp(store, 'old', content);
      await backUp(store, 'gone', noise(5, 8));
      await backUp(store, 'other', noise(6, 2));
      await store.deletePoint('vm', 'gone');
      await store.collect();
      const changed = Buffer.from(content);
      const extents = [0, 4, 8].map((chunk) => ({
        offset: chunk * testChunkBytes,
        length: 2 * testChunkBytes,
        zero: false,
      }));
      for (const { offset, length } of extents) noise(offset + 9, 2).copy(changed, offset, 0, length);
      await backUp(store, 'new', changed, { base: disk, extents });
      await store.deletePoint('vm', 'old');
      clock.move(25);
      const stop = new AbortController();
      let seen = 0;
      const pace = async () => {
        if (++seen === step) stop.abort(new Error('enough'));
      };
      const ended = await store.collect({ signal: stop.signal, pace }).catch((error: Error) => error.message);
      expect((await restore(store, 'new')).equals(changed)).toBe(true);
      for (let round = 0; round < 3; round++) {
        clock.move(25);
        await store.collect();
      }
      expect((await restore(store, 'new')).equals(changed)).toBe(true);
      expect(await store.verifyPoint('vm', 'new', {})).toEqual([]);
      await store[Symbol.asyncDispose]();
      return { stopped: ended === 'enough', bytes: packBytes(backend) };
    };
    const whole = await run(0);
    let step = 1;
    for (; step < 100; step++) {
      const { stopped, bytes } = await run(step);
      if (!stopped) break;
      // A footer or two more, where the copies were cut into packs in another way.
      expect(bytes).toBeLessThan(whole.bytes + testChunkBytes);
    }
    expect(step).toBeGreaterThan(6);
  });

  test('ends when the store is closed, before the lock is given up', async () => {
    const { backend, store, options } = await emptyStore();
    await backUp(store, 'kept', noise(1, 12));
    await backUp(store, 'gone', noise(2, 12));
    await store.deletePoint('vm', 'gone');
    const reached = Promise.withResolvers<void>();
    const collected = store.collect({
      async pace(_, signal) {
        reached.resolve();
        await new Promise((resolve) => signal?.addEventListener('abort', resolve));
      },
    });
    await reached.promise;
    const closed = store[Symbol.asyncDispose]();
    await expect(collected).rejects.toThrow('the store has been closed');
    await closed;
    await using again = await openStore(backend, options);
    expect((await again.listPoints()).points).toHaveLength(1);
    await expect(store.collect()).rejects.toThrow('closed');
  });
});
