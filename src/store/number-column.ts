const leastCapacity = 64;

/** Numbers side by side that become ever more: where there is one for each pack, objects would take many times the memory. */
export class NumberColumn<T extends Uint32Array | Float64Array> {
  #numbers: T;
  #length = 0;
  readonly #make: (length: number) => T;

  /** `make`: an array of so many zeros. */
  constructor(make: (length: number) => T) {
    this.#make = make;
    this.#numbers = make(0);
  }

  get length(): number {
    return this.#length;
  }

  /** Zero where there is none. */
  get(at: number): number {
    return at < this.#length ? (this.#numbers[at] ?? 0) : 0;
  }

  /** Whatever is skipped on the way to it is zero. */
  set(at: number, value: number): void {
    if (at >= this.#numbers.length) {
      const larger = this.#make(Math.max(at + 1, this.#numbers.length * 2, leastCapacity));
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[at] = value;
    if (at >= this.#length) this.#length = at + 1;
  }

  /** Returns its place. */
  push(value: number): number {
    this.set(this.#length, value);
    return this.#length - 1;
  }

  /** A view, good until the next change. */
  get numbers(): T {
    return this.#numbers.subarray(0, this.#length) as T;
  }
}

export function uint32Column(): NumberColumn<Uint32Array> {
  return new NumberColumn((length) => new Uint32Array(length));
}

export function float64Column(): NumberColumn<Float64Array> {
  return new NumberColumn((length) => new Float64Array(length));
}
