import { expect, it } from 'vitest';
import { until } from '../../tests/support/until.ts';
import { HoldfastError } from '../errors/index.ts';
import { ThawKeeper } from './thaw-keeper.ts';

const silent = { info() {}, warn() {}, error() {} };

/** A clock whose sleeps end at once; with the lengths of the sleeps. */
function fastClock() {
  let nowMs = 0;
  const slept: number[] = [];
  return {
    slept,
    now: () => Temporal.Instant.fromEpochMilliseconds(nowMs),
    monotonicMs: () => nowMs,
    async sleep(ms: number, signal?: AbortSignal) {
      slept.push(ms);
      nowMs += ms;
      await new Promise(setImmediate);
      signal?.throwIfAborted();
    },
  };
}

it('tries until the thaw is confirmed, more and more seldom, whatever fails in between', async () => {
  const clock = fastClock();
  let tries = 0;
  await using keeper = new ThawKeeper(clock, silent, async () => {
    tries++;
    if (tries === 3) throw new HoldfastError('HostUnreachable', 'Away.');
    return tries === 12;
  });
  keeper.keep('a');
  keeper.keep('a');
  await until('twelve tries', async () => tries === 12);
  await keeper[Symbol.asyncDispose]();
  expect(tries).toBe(12);
  expect(clock.slept.slice(0, 3)).toEqual([2000, 3000, 4500]);
  expect(Math.max(...clock.slept)).toBe(30_000);
});

it('stops when somebody else has thawed the guest, when the VM is gone, and after a day', async () => {
  const tries = new Map<string, number>();
  const clock = fastClock();
  await using keeper = new ThawKeeper(clock, silent, async (uuid) => {
    tries.set(uuid, (tries.get(uuid) ?? 0) + 1);
    if (uuid === 'released' && tries.get(uuid) === 3) keeper.release(uuid);
    if (uuid === 'gone') throw new HoldfastError('UserErrorVmNotFoundV2', 'Gone.');
    return false;
  });
  for (const uuid of ['released', 'gone']) keeper.keep(uuid);
  await until('both ended', async () => tries.get('released') === 3 && tries.get('gone') === 1);
  const before = clock.slept.length;
  keeper.keep('stuck');
  const day = 24 * 60 * 60;
  await until('a day', async () => clock.monotonicMs() > day * 1000);
  await keeper[Symbol.asyncDispose]();
  expect(Object.fromEntries(tries)).toMatchObject({ released: 3, gone: 1 });
  expect(tries.get('stuck')).toBeLessThan(day / 29);
  expect(clock.slept.length).toBeGreaterThan(before);
});

it('begins nothing after it was let go of', async () => {
  let tries = 0;
  const keeper = new ThawKeeper(fastClock(), silent, async () => ++tries > 0);
  await keeper[Symbol.asyncDispose]();
  keeper.keep('a');
  await new Promise(setImmediate);
  expect(tries).toBe(0);
});
