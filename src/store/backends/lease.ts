import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError, messageOf } from '../../errors/index.ts';
import type { HeldLease, HolderSeen, LeaseService } from './object-client.ts';

/**
 * A lock that its holder must renew, for places where no kernel can tell that a process has died.
 *
 * No two machines' clocks are ever compared. Whoever wants the lease of a silent holder watches for a whole lease time,
 * by its own clock, that nothing is renewed. The holder counts from the moment before it sent its last successful
 * renewal, and stops two thirds into the lease; the last third is for requests that are still on their way.
 */

/** Passing time. A process that was suspended must see it pass: see {@link elapsedClock}. */
export interface LeaseClock {
  /** Milliseconds, never less than before. */
  now(): number;
}

/**
 * The monotonic clock stands still while a machine is suspended, the wall clock may be set back; what counts is
 * whichever went further since it was last looked at.
 */
export function elapsedClock(): LeaseClock {
  let elapsed = 0;
  let monotonic = performance.now();
  let wall = Date.now();
  return {
    now() {
      const steps = [performance.now() - monotonic, Date.now() - wall];
      elapsed += Math.max(0, ...steps);
      monotonic = performance.now();
      wall = Date.now();
      return elapsed;
    },
  };
}

/** How often a holder renews, and a waiting one looks, in a lease time. */
const renewalsPerLease = 4;
const looksPerLease = 12;

/** The part of a lease in which its holder may act. */
const usablePart = 2 / 3;

/**
 * Waits until the lease is free or its holder has been silent for a lease time. Undefined as soon as the holder is seen
 * to renew, or when another is faster.
 */
export async function acquireLease(
  service: LeaseService,
  options: { clock: LeaseClock; description: string; request: RequestLease },
): Promise<Lease | undefined> {
  const { clock, request } = options;
  const first = await request((signal) => service.look(signal));
  if (first !== undefined && !(await isSilent(service, first, options))) return undefined;
  const begun = clock.now();
  const held = await request((signal) => service.take(first, signal));
  return held && new Lease(held, begun, options);
}

/** Runs a request with time limits and repetition. */
export type RequestLease = <T>(run: (signal: AbortSignal) => Promise<T>) => Promise<T>;

async function isSilent(
  service: LeaseService,
  seen: HolderSeen,
  { clock, request }: { clock: LeaseClock; request: RequestLease },
): Promise<boolean> {
  const begun = clock.now();
  for (;;) {
    await delay(seen.ttlMs / looksPerLease);
    // Before the look: what is seen unchanged then has been so at least until now.
    const watched = clock.now() - begun;
    const again = await request((signal) => service.look(signal));
    if (again === undefined) return true;
    if (again.mark !== seen.mark) return false;
    if (watched >= seen.ttlMs) return true;
  }
}

/** A lease that is held, and renewed until it is released or lost. Its timer keeps no process alive. */
export class Lease {
  readonly #held: HeldLease;
  readonly #clock: LeaseClock;
  readonly #description: string;
  readonly #lost = new AbortController();
  readonly #released = new AbortController();
  #goodUntil: number;
  #timer: NodeJS.Timeout | undefined;
  #renewing: Promise<void> = Promise.resolve();
  #lastFailure: unknown;

  /** `begun`: from before the request that took it was sent. */
  constructor(
    held: HeldLease,
    begun: number,
    { clock, description }: { clock: LeaseClock; description: string },
  ) {
    this.#held = held;
    this.#clock = clock;
    this.#description = description;
    this.#goodUntil = begun + held.ttlMs * usablePart;
    this.#schedule();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** @throws StoreLockLost from the moment on at which this process may not act any more, whether its timers have run or not */
  throwIfLost(): void {
    if (!this.#lost.signal.aborted && this.#clock.now() >= this.#goodUntil) this.#lose();
    this.#lost.signal.throwIfAborted();
  }

  /** Gives it back, unless it is lost: then it may be another's. Failing to is no error, for it runs out by itself. */
  async release(): Promise<void> {
    if (this.#released.signal.aborted) return;
    this.#released.abort();
    clearTimeout(this.#timer);
    await this.#renewing;
    if (this.#lost.signal.aborted || this.#clock.now() >= this.#goodUntil) return;
    await this.#held.release(AbortSignal.timeout(this.#tickMs)).catch(() => {});
  }

  get #tickMs(): number {
    return Math.ceil(this.#held.ttlMs / renewalsPerLease); // AbortSignal.timeout takes whole numbers only
  }

  #schedule(waitMs = this.#tickMs): void {
    if (this.#released.signal.aborted || this.#lost.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#renewing = this.#renew();
    }, waitMs);
    this.#timer.unref();
  }

  /** Never rejects. */
  async #renew(): Promise<void> {
    const begun = this.#clock.now();
    if (begun >= this.#goodUntil) return this.#lose();
    // Not longer than it matters: the loss is to be noticed when it happens.
    const limitMs = Math.ceil(Math.min(this.#tickMs, this.#goodUntil - begun));
    try {
      if (!(await this.#held.renew(AbortSignal.timeout(limitMs)))) return this.#lose('another has taken it');
      this.#goodUntil = begun + this.#held.ttlMs * usablePart;
      this.#lastFailure = undefined;
      this.#schedule();
    } catch (error) {
      this.#lastFailure = error;
      const left = this.#goodUntil - this.#clock.now();
      if (left <= 0) this.#lose();
      else this.#schedule(Math.min(left, this.#tickMs / 4));
    }
  }

  #lose(why?: string): void {
    clearTimeout(this.#timer);
    const reason =
      why ??
      (this.#lastFailure === undefined
        ? 'it was not renewed in time, for this process stood still'
        : `it could not be renewed in time: ${messageOf(this.#lastFailure)}`);
    this.#lost.abort(
      new HoldfastError(
        'StoreLockLost',
        `The lock of the store at ${this.#description} is lost: ${reason}.`,
        {
          target: this.#description,
          cause: this.#lastFailure,
        },
      ),
    );
  }
}
