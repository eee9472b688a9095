/** Time as an input. */
export interface Clock {
  now(): Temporal.Instant;
  /** Milliseconds that only ever go forward, for rates. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
