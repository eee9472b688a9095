/** Time as an input. */
export interface Clock {
  now(): Temporal.Instant;
  /** Milliseconds that only ever go forward, for rates. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A moment as the catalog writes it: of fixed width, so that it sorts as text. */
export const catalogTime = (moment: Temporal.Instant): string =>
  moment.toString({ fractionalSecondDigits: 3 });
