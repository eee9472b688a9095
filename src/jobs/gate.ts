/** How many may be inside at once. */
export interface GateLimits {
  /** Default: as many as like. */
  overall?: number;
  /** Of those that work on something of this name: a host, a store. Default: as many as like. */
  of?: (name: string) => number;
}

export interface Claim {
  /** What the holder works on. */
  names?: readonly string[];
  /** A person waits for it: it is let in before those that are only due. */
  ahead?: boolean;
}

interface Waiting extends Required<Claim> {
  admit(): void;
}

/**
 * Lets as many holders work at once as its limits allow. The others wait in order, those with a person waiting first;
 * one whose host or store is busy holds up nobody who works elsewhere.
 */
export class Gate {
  readonly #limits: Required<GateLimits>;
  #inside = 0;
  readonly #insideOf = new Map<string, number>();
  readonly #waiting: Waiting[] = [];

  constructor(limits: number | GateLimits) {
    const { overall = Number.POSITIVE_INFINITY, of = () => Number.POSITIVE_INFINITY } =
      typeof limits === 'number' ? { overall: limits } : limits;
    this.#limits = { overall, of };
  }

  /** Waits for a place. Rejects with the signal's reason when aborted while waiting; a place once given is kept. */
  async enter(signal: AbortSignal, claim: Claim = {}): Promise<Disposable> {
    signal.throwIfAborted();
    const { names = [], ahead = false } = claim;
    // Whoever could go in has gone in, so those that wait can't be overtaken where this one has room.
    if (this.#hasRoom(names)) this.#take(names);
    else await this.#turn(signal, names, ahead);
    let inside = true;
    return {
      [Symbol.dispose]: () => {
        if (inside) this.#leave(names);
        inside = false;
      },
    };
  }

  #turn(signal: AbortSignal, names: readonly string[], ahead: boolean): Promise<void> {
    const turn = Promise.withResolvers<void>();
    const giveUp = () => {
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      turn.reject(signal.reason);
    };
    const waiting: Waiting = {
      names,
      ahead,
      // The signal is let go of in the moment of the hand-over: whoever has the place gives it back exactly once.
      admit() {
        signal.removeEventListener('abort', giveUp);
        turn.resolve();
      },
    };
    signal.addEventListener('abort', giveUp, { once: true });
    const behind = ahead ? this.#waiting.findIndex((other) => !other.ahead) : -1;
    this.#waiting.splice(behind < 0 ? this.#waiting.length : behind, 0, waiting);
    return turn.promise;
  }

  #hasRoom(names: readonly string[]): boolean {
    const { overall, of } = this.#limits;
    return this.#inside < overall && names.every((name) => (this.#insideOf.get(name) ?? 0) < of(name));
  }

  #take(names: readonly string[]): void {
    this.#inside += 1;
    for (const name of names) this.#insideOf.set(name, (this.#insideOf.get(name) ?? 0) + 1);
  }

  #leave(names: readonly string[]): void {
    this.#inside -= 1;
    for (const name of names) {
      const left = (this.#insideOf.get(name) ?? 1) - 1;
      if (left === 0) this.#insideOf.delete(name);
      else this.#insideOf.set(name, left);
    }
    for (;;) {
      const next = this.#waiting.findIndex((waiting) => this.#hasRoom(waiting.names));
      const [admitted] = next < 0 ? [] : this.#waiting.splice(next, 1);
      if (admitted === undefined) return;
      this.#take(admitted.names);
      admitted.admit();
    }
  }
}
