interface Waiting {
  admit(): void;
}

/** Lets at most `limit` holders work at once; the others wait their turn, in order. */
export class Gate {
  #free: number;
  readonly #waiting: Waiting[] = [];

  constructor(limit: number) {
    this.#free = limit;
  }

  /** Waits for a place. Rejects with the signal's reason when aborted while waiting; a place once given is kept. */
  async enter(signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#turn(signal);
    let inside = true;
    return {
      [Symbol.dispose]: () => {
        if (inside) this.#leave();
        inside = false;
      },
    };
  }

  #turn(signal: AbortSignal): Promise<void> {
    const turn = Promise.withResolvers<void>();
    const giveUp = () => {
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      turn.reject(signal.reason);
    };
    const waiting: Waiting = {
      // The signal is let go of in the moment of the hand-over: whoever has the place gives it back exactly once.
      admit() {
        signal.removeEventListener('abort', giveUp);
        turn.resolve();
      },
    };
    signal.addEventListener('abort', giveUp, { once: true });
    this.#waiting.push(waiting);
    return turn.promise;
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next.admit();
  }
}

/** One gate for each name, made when first asked for. */
export class GatePerName {
  readonly #limit: number;
  readonly #gates = new Map<string, Gate>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  enter(name: string, signal: AbortSignal): Promise<Disposable> {
    let gate = this.#gates.get(name);
    if (gate === undefined) {
      gate = new Gate(this.#limit);
      this.#gates.set(name, gate);
    }
    return gate.enter(signal);
  }
}
