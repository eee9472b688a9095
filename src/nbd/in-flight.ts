import { NbdError } from './nbd-error.ts';
import type { Pending } from './replies.ts';

export interface InFlightLimits {
  maxInFlight: number;
  requestTimeoutMs: number;
}

interface Slot {
  pending: Pending;
  /** On the clock of `performance.now()`. */
  deadline: number;
  settle: (error: unknown) => void;
}

/** The requests a server has to answer, so many at a time, each by its deadline; and those that wait for a place. */
export class InFlight {
  readonly #limits: InFlightLimits;
  readonly #onOverdue: (error: NbdError) => void;
  /** By cookie, in the order of sending, and so of the deadlines. */
  readonly #slots = new Map<number, Slot>();
  readonly #waiting: (() => void)[] = [];
  #taken = 0;
  #nextCookie = 1;
  #timer: NodeJS.Timeout | undefined;
  #failure: unknown;

  /** `onOverdue` is to end the connection, and by that to call {@link fail}. */
  constructor(limits: InFlightLimits, onOverdue: (error: NbdError) => void) {
    this.#limits = limits;
    this.#onOverdue = onOverdue;
  }

  get size(): number {
    return this.#slots.size;
  }

  /** Why there is no connection any more. */
  get failure(): unknown {
    return this.#failure;
  }

  find(cookie: number): Pending | undefined {
    return this.#slots.get(cookie)?.pending;
  }

  /**
   * Sends a request as soon as it has a place, and waits for its answer. An abort rejects at once; a request that was
   * sent keeps its place until it is answered.
   */
  async run(pending: Pending, send: (cookie: number) => void, signal?: AbortSignal): Promise<void> {
    await this.#takePlace(signal);
    if (this.#failure !== undefined) throw this.#failure;
    if (signal?.aborted === true) {
      this.#leavePlace();
      throw signal.reason;
    }
    const cookie = this.#nextCookie++;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => reject(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#slots.set(cookie, {
      pending,
      deadline: performance.now() + this.#limits.requestTimeoutMs,
      settle: (error) => (error === undefined ? resolve() : reject(error)),
    });
    this.#timer ??= setTimeout(() => this.#checkDeadlines(), this.#limits.requestTimeoutMs);
    send(cookie);
    try {
      await promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  answered(cookie: number): void {
    const slot = this.#slots.get(cookie);
    this.#slots.delete(cookie);
    slot?.settle(slot.pending.error);
    this.#leavePlace();
    if (this.#slots.size === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
  }

  /** Fails all requests, those that wait and those to come. The first failure stays. */
  fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    clearTimeout(this.#timer);
    for (const slot of this.#slots.values()) slot.settle(error);
    this.#slots.clear();
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Waits until one more request may be in flight, or the connection has failed. */
  async #takePlace(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#taken < this.#limits.maxInFlight) {
      this.#taken++;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => {
      const at = this.#waiting.indexOf(resolve);
      if (at < 0) return; // the place was given just now
      this.#waiting.splice(at, 1);
      reject(signal?.reason);
    };
    this.#waiting.push(resolve);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Hands the place to the next in line, if there is one. */
  #leavePlace(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken--;
    else next();
  }

  #checkDeadlines(): void {
    this.#timer = undefined;
    const [oldest] = this.#slots.values();
    if (oldest === undefined) return;
    const left = oldest.deadline - performance.now();
    if (left > 0) {
      this.#timer = setTimeout(() => this.#checkDeadlines(), left);
      return;
    }
    const seconds = this.#limits.requestTimeoutMs / 1000;
    this.#onOverdue(new NbdError('timeout', `the NBD server did not answer a request within ${seconds} s`));
  }
}
