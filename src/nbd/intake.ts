/**
 * A conversation that reads: it yields each buffer it wants filled next, and goes on once that is full. Written so,
 * a parser reads top to bottom, needs no socket to be tested, and the bytes of a read land where they are wanted.
 */
export type Reading<T> = Generator<Uint8Array, T, void>;

/** Feeds the bytes of a connection to a {@link Reading}, whichever way they are cut. */
export class Intake<T> {
  readonly #reading: Reading<T>;
  #wanted: Uint8Array | undefined;
  #filled = 0;
  #result: { value: T } | undefined;

  /** Runs the conversation up to its first wish. Whatever it throws comes out here or of {@link push}. */
  constructor(reading: Reading<T>) {
    this.#reading = reading;
    this.#advance();
  }

  /** Set once the conversation is over; bytes are no longer taken then. */
  get result(): { value: T } | undefined {
    return this.#result;
  }

  /**
   * The rest of the buffer that is being filled, if it has at least `minimum` bytes: a socket may read right into it
   * and report with {@link filled}.
   */
  directTarget(minimum: number): Uint8Array | undefined {
    if (this.#wanted === undefined || this.#wanted.length - this.#filled < minimum) return undefined;
    return this.#wanted.subarray(this.#filled);
  }

  /** `length` bytes were written to the start of what {@link directTarget} gave. */
  filled(length: number): void {
    this.#filled += length;
    this.#advance();
  }

  /** Takes bytes from the front of `bytes`; returns those left over when the conversation ended. */
  push(bytes: Uint8Array): Uint8Array {
    let at = 0;
    while (at < bytes.length && this.#wanted !== undefined) {
      const length = Math.min(bytes.length - at, this.#wanted.length - this.#filled);
      this.#wanted.set(bytes.subarray(at, at + length), this.#filled);
      at += length;
      this.filled(length);
    }
    return bytes.subarray(at);
  }

  #advance(): void {
    while (this.#wanted === undefined || this.#filled === this.#wanted.length) {
      const step = this.#reading.next();
      this.#filled = 0;
      if (step.done) {
        this.#wanted = undefined;
        this.#result = { value: step.value };
        return;
      }
      this.#wanted = step.value;
    }
  }
}
