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
 * @throws ObjectFailure of the last try, or the reason of one of `signals`, or whatever else `request` throws
 */
export async function attempt<T>(
  rules: AttemptRules,
  options: { bytes?: number; signals?: readonly AbortSignal[] },
  request: (signal: AbortSignal, number: number) => Promise<T>,
): Promise<T> {
  const { bytes = 0, signals = [] } = options;
  const limitMs = Math.ceil(rules.timeoutMs + (bytes / rules.slowestBytesPerSecond) * 1000);
  const throwIfAborted = () => {
    for (const signal of signals) signal.throwIfAborted();
  };
  for (let number = 1; ; number++) {
    throwIfAborted();
    try {
      return await limited(limitMs, signals, (signal) => request(signal, number));
    } catch (error) {
      throwIfAborted();
      if (!(error instanceof ObjectFailure) || error.kind !== 'transient' || number >= rules.tries)
        throw error;
    }
    const most = Math.min(rules.capMs, rules.baseMs * 2 ** (number - 1));
    await pause(most / 2 + (Math.random() * most) / 2, signals);
  }
}

/**
 * Runs with a signal that follows `signals` and a time limit. Everything is taken off again at the end: signals that
 * live as long as a store would otherwise gather something of every request (AbortSignal.any and timeout do).
 */
async function limited<T>(
  limitMs: number,
  signals: readonly AbortSignal[],
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const onAbort = () => stop.abort();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    stop.abort();
  }, limitMs);
  for (const signal of signals) signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await run(stop.signal);
  } catch (error) {
    if (isLate) throw new ObjectFailure('transient', `no answer within ${Math.ceil(limitMs / 1000)} s`);
    throw error;
  } finally {
    clearTimeout(timer);
    for (const signal of signals) signal.removeEventListener('abort', onAbort);
  }
}

/** Ends early when one of the signals is aborted. */
async function pause(ms: number, signals: readonly AbortSignal[]): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const timer = setTimeout(ended.resolve, ms);
  const onAbort = () => ended.resolve();
  for (const signal of signals) signal.addEventListener('abort', onAbort, { once: true });
  await ended.promise;
  clearTimeout(timer);
  for (const signal of signals) signal.removeEventListener('abort', onAbort);
}
