import { expect, it } from 'vitest';
import { Throttle } from './throttle.ts';

it('admits a burst, then as many as come back, for each principal by itself', () => {
  let now = 0;
  const throttle = new Throttle({ burst: 3, perSecond: 2 }, () => now);
  const ask = (who: string) => throttle.admit(who);
  expect([ask('a'), ask('a'), ask('a')]).toEqual([
    { admitted: true, remaining: 2 },
    { admitted: true, remaining: 1 },
    { admitted: true, remaining: 0 },
  ]);
  expect(ask('a')).toEqual({ admitted: false, retryAfterSeconds: 1 });
  expect(ask('b').admitted).toBe(true);
  now += 500;
  expect([ask('a').admitted, ask('a').admitted]).toEqual([true, false]);
  now += 3_600_000;
  expect(ask('a')).toEqual({ admitted: true, remaining: 2 });
});

it('remembers no more principals than it can hold, and forgets the quietest', () => {
  const throttle = new Throttle({ burst: 1, perSecond: 1 }, () => 0);
  throttle.admit('first');
  throttle.admit('second');
  throttle.admit('first');
  for (let n = 0; n < 999; n++) throttle.admit(`other ${n}`);
  expect(throttle.admit('first').admitted).toBe(false);
  expect(throttle.admit('second').admitted).toBe(true);
});
