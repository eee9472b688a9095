import { setTimeout as delay } from 'node:timers/promises';
import { ObjectFailure } from './object-client.ts';

export interface AttemptRules {
  /** Tries in all. */
  tries: number;
  /** Longest wait after the first failure; doubled after each, up to `capMs`. The wait is random below that. */
  baseMs: number;
  capMs: number;
  /** For a request without a body worth mentioning. */
  timeoutMs: number;
  /** A body may take this much longer: the slowest link that still counts as working. */
  slowestBytesPerSecond: number;
}

export const defaultAttemptRules: AttemptRules = {
  tries: 7,
  baseMs: 250,
  capMs: 8_000,
  timeoutMs: 30_000,
  slowestBytesPerSecond: 64 * 1024,
};

/**
 * Repeats a request that failed in passing (throttled, 5xx, connection lost), each try with a time limit of its own.
 * The clients' own repetition is switched off: theirs looks neither at the lease nor at our signals between two tries,
 * and both services shall behave alike.
 * @throws ObjectFailure of the last try, or the reason of `signal`, or whatever else `request` throws
 */
export async function attempt<T>(
  rules: AttemptRules,
  options: { bytes?: number; signal?: AbortSignal | undefined },
  request: (signal: AbortSignal, number: number) => Promise<T>,
): Promise<T> {
  const { bytes = 0, signal } = options;
  const limitMs = Math.ceil(rules.timeoutMs + (bytes / rules.slowestBytesPerSecond) * 1000);
  for (let number = 1; ; number++) {
    signal?.throwIfAborted();
    // Not AbortSignal.timeout: its timer would outlive the request, one for each of millions.
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), limitMs);
    try {
      return await request(signal ? AbortSignal.any([signal, late.signal]) : late.signal, number);
    } catch (error) {
      signal?.throwIfAborted();
      const failure = late.signal.aborted
        ? new ObjectFailure('transient', `no answer within ${Math.ceil(limitMs / 1000)} s`)
        : error;
      if (!(failure instanceof ObjectFailure) || failure.kind !== 'transient') throw failure;
      if (number >= rules.tries) throw failure;
    } finally {
      clearTimeout(timer);
    }
    const most = Math.min(rules.capMs, rules.baseMs * 2 ** (number - 1));
    await delay(most / 2 + (Math.random() * most) / 2, undefined, signal ? { signal } : {}).catch(() => {});
  }
}
