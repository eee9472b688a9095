import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { attempt } from './attempts.ts';
import { ObjectFailure } from './object-client.ts';

const rules = { tries: 4, baseMs: 1, capMs: 4, timeoutMs: 50, slowestBytesPerSecond: 1000 };
const busy = () => new ObjectFailure('transient', 'busy');

/** Resolves never, rejects when told to stop. */
const hang = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))));

describe('a request', () => {
  test('is repeated while it fails in passing, and no more often than the rules say', async () => {
    const numbers: number[] = [];
    const result = await attempt(rules, {}, async (_, number) => {
      numbers.push(number);
      if (number < 3) throw busy();
      return 'done';
    });
    expect([result, numbers]).toEqual(['done', [1, 2, 3]]);
    let tries = 0;
    const failing = attempt(rules, {}, async () => {
      tries++;
      throw busy();
    });
    await expect(failing).rejects.toThrow('busy');
    expect(tries).toBe(4);
  });

  test.each([new ObjectFailure('denied', 'no'), new ObjectFailure('full', 'no'), new TypeError('a bug')])(
    'is not repeated after %s',
    async (failure) => {
      let tries = 0;
      const failing = attempt(rules, {}, async () => {
        tries++;
        throw failure;
      });
      await expect(failing).rejects.toBe(failure);
      expect(tries).toBe(1);
    },
  );

  test('has a time limit of its own at every try, longer for a large body', async () => {
    const begun = performance.now();
    await expect(attempt({ ...rules, tries: 2 }, {}, hang)).rejects.toThrow('no answer within 1 s');
    expect(performance.now() - begun).toBeGreaterThanOrEqual(100);
    const slow = attempt({ ...rules, tries: 1 }, { bytes: 2000 }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      return 'done';
    });
    expect(await slow).toBe('done');
  });

  test('ends with the reason of any of its signals, under way or between two tries', async () => {
    for (const run of [hang, () => Promise.reject(busy())]) {
      const [first, second] = [new AbortController(), new AbortController()];
      const options = { signals: [first.signal, second.signal] };
      const ending = attempt({ ...rules, tries: 1000, timeoutMs: 60_000, capMs: 60_000 }, options, run);
      setTimeout(() => second.abort(new Error('enough')), 20);
      await expect(ending).rejects.toThrow('enough');
    }
  });

  test('leaves nothing on a signal that lives longer', async () => {
    const { signal } = new AbortController();
    for (let number = 0; number < 5; number++) {
      await attempt(rules, { signals: [signal] }, async () => 'done');
      await attempt(rules, { signals: [signal] }, async () => Promise.reject(busy())).catch(() => {});
    }
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});
