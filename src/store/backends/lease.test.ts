import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { acquireLease, type Lease } from './lease.ts';
import type { HolderSeen, LeaseService } from './object-client.ts';

/** Long enough for a busy machine, for the tests run side by side; and nothing that divides evenly. */
const ttlMs = 1_501;

/** A clock that follows real time, and can be moved on as if the process had stood still. */
function movableClock() {
  let moved = 0;
  return {
    now: () => performance.now() + moved,
    move(ms: number) {
      moved += ms;
    },
  };
}

/** A service whose holder the test plays. */
function scriptedService() {
  const calls: string[] = [];
  const script = {
    calls,
    holder: undefined as HolderSeen | undefined,
    renew: async (): Promise<boolean> => true,
  };
  const service: LeaseService = {
    async look() {
      return script.holder && { ...script.holder };
    },
    async take() {
      calls.push('take');
      return {
        ttlMs,
        renew: async () => {
          calls.push('renew');
          return await script.renew();
        },
        release: async () => void calls.push('release'),
      };
    },
  };
  return { script, service };
}

const request = <T>(run: (signal: AbortSignal) => Promise<T>) => run(new AbortController().signal);

async function acquire(service: LeaseService, clock = movableClock()): Promise<Lease> {
  const lease = await acquireLease(service, { clock, description: 'the test', request });
  if (lease === undefined) throw new Error('the lease is not free');
  return lease;
}

describe.concurrent('a lease that is held', () => {
  test('is renewed for as long as it is held, and then given back', async () => {
    const { script, service } = scriptedService();
    const lease = await acquire(service);
    await delay(ttlMs * 2);
    lease.throwIfLost();
    expect(script.calls.filter((call) => call === 'renew').length).toBeGreaterThan(3);
    await lease.release();
    const calls = script.calls.length;
    await delay(ttlMs);
    expect(script.calls.slice(calls - 1)).toEqual(['release']);
    expect(lease.lost.aborted).toBe(false);
  });

  test('is over for a process that stood still, before any of its timers has run', async () => {
    const { script, service } = scriptedService();
    const clock = movableClock();
    const lease = await acquire(service, clock);
    lease.throwIfLost();
    clock.move(ttlMs * 0.7); // more than the usable part, less than the lease
    expect(() => lease.throwIfLost()).toThrow(/stood still/);
    expect(lease.lost.aborted).toBe(true);
    expect(lease.lost.reason).toMatchObject({ code: 'StoreLockLost' });
    await lease.release();
    await delay(ttlMs);
    expect(script.calls).toEqual(['take']); // it may be another's: neither renewed nor given back
  });

  test('is lost before others can have it when it cannot be renewed, and says why', async () => {
    const { script, service } = scriptedService();
    const begun = performance.now();
    const lease = await acquire(service);
    script.renew = async () => {
      throw new Error('the network is down');
    };
    await new Promise((resolve) => lease.lost.addEventListener('abort', resolve));
    expect(performance.now() - begun).toBeLessThan(ttlMs);
    expect(lease.lost.reason).toMatchObject({
      code: 'StoreLockLost',
      message: expect.stringContaining('the network is down') as string,
    });
    expect(script.calls.filter((call) => call === 'renew').length).toBeGreaterThan(1); // it did not give up at once
  });

  test('is lost at once when it is found to be another’s', async () => {
    const { script, service } = scriptedService();
    const lease = await acquire(service);
    script.renew = async () => false;
    await new Promise((resolve) => lease.lost.addEventListener('abort', resolve));
    expect(script.calls.filter((call) => call === 'renew')).toHaveLength(1);
  });

  test('survives a renewal that fails once', async () => {
    const { script, service } = scriptedService();
    const lease = await acquire(service);
    let failures = 0;
    script.renew = async () => {
      if (failures++ === 0) throw new Error('once');
      return true;
    };
    await delay(ttlMs * 1.5);
    lease.throwIfLost();
    await lease.release();
  });
});

describe.concurrent('a lease that another has', () => {
  test('is refused as soon as the other is seen to renew', async () => {
    const { script, service } = scriptedService();
    script.holder = { mark: 'a', ttlMs: 10_000 };
    const begun = performance.now();
    const acquiring = acquireLease(service, { clock: movableClock(), description: 'x', request });
    setTimeout(() => {
      script.holder = { mark: 'b', ttlMs: 10_000 };
    }, 10);
    expect(await acquiring).toBeUndefined();
    expect(performance.now() - begun).toBeLessThan(5_000);
    expect(script.calls).toEqual([]);
  });

  test('is taken after a whole lease time of silence, and not earlier', async () => {
    const { script, service } = scriptedService();
    script.holder = { mark: 'a', ttlMs };
    const begun = performance.now();
    const lease = await acquire(service);
    expect(performance.now() - begun).toBeGreaterThanOrEqual(ttlMs);
    await lease.release();
  });

  test('is taken at once when it is given back meanwhile', async () => {
    const { script, service } = scriptedService();
    script.holder = { mark: 'a', ttlMs: 3_000 };
    setTimeout(() => {
      script.holder = undefined;
    }, 10);
    const begun = performance.now();
    const lease = await acquire(service);
    expect(performance.now() - begun).toBeLessThan(2_000);
    await lease.release();
  });
});
