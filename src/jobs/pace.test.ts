import { expect, it } from 'vitest';
import { createPace } from './pace.ts';

/** A clock that only sleeping moves. */
function sleeper() {
  let nowMs = 5_000;
  return {
    monotonicMs: () => nowMs,
    sleep: async (ms: number, signal?: AbortSignal) => {
      signal?.throwIfAborted();
      nowMs += ms;
    },
    pass(ms: number) {
      nowMs += ms;
    },
  };
}

it('lets no more through than the rate, and does not save up what was not used', async () => {
  const clock = sleeper();
  const pace = createPace(1000, clock);
  await pace(2000, undefined);
  expect(clock.monotonicMs()).toBe(5_000);
  await pace(500, undefined);
  expect(clock.monotonicMs()).toBe(7_000);
  await pace(1, undefined);
  expect(clock.monotonicMs()).toBe(7_500);
  clock.pass(60_000);
  await pace(1000, undefined);
  await pace(1000, undefined);
  expect(clock.monotonicMs()).toBe(68_500);
});

it('stops waiting when told', async () => {
  const pace = createPace(1000, sleeper());
  await pace(2000, undefined);
  await expect(pace(1, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
});
