import { setTimeout as delay } from 'node:timers/promises';
import type { HostClock } from '../host-context.ts';

export const systemClock: HostClock = {
  now: () => Temporal.Now.instant(),
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    await delay(ms, undefined, signal && { signal });
  },
};
