import type { Clock } from './clock.ts';

/** Waits so long before so many bytes that no more than `bytesPerSecond` pass on average; together for all who call. */
export function createPace(
  bytesPerSecond: number,
  clock: Pick<Clock, 'monotonicMs' | 'sleep'>,
): (bytes: number, signal: AbortSignal | undefined) => Promise<void> {
  /** When the bytes that have been let pass are through. */
  let busyUntilMs = Number.NEGATIVE_INFINITY;
  return async (bytes, signal) => {
    const nowMs = clock.monotonicMs();
    const waitMs = busyUntilMs - nowMs;
    busyUntilMs = Math.max(busyUntilMs, nowMs) + (bytes / bytesPerSecond) * 1000;
    if (waitMs > 0) await clock.sleep(waitMs, signal);
  };
}
