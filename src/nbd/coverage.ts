/** Which bytes of a range have been seen, each at most once. Bounded: far-scattered pieces are refused, not stored. */
export class Coverage {
  readonly #length: number;
  /** Starts and ends, ascending, not touching: start0, end0, start1, end1, ... */
  readonly #edges: number[] = [];

  constructor(length: number) {
    this.#length = length;
  }

  get complete(): boolean {
    return this.#length === 0 || (this.#edges[0] === 0 && this.#edges[1] === this.#length);
  }

  /** Marks `length` bytes from `start`. False when they leave the range, were marked before, or scatter too far. */
  add(start: number, length: number): boolean {
    const end = start + length;
    if (start < 0 || length <= 0 || end > this.#length) return false;
    const at = this.#firstEndAtOrAfter(start);
    const touchesPrevious = this.#edges[at + 1] === start;
    const next = touchesPrevious ? at + 2 : at;
    const nextStart = this.#edges[next];
    if (nextStart !== undefined && nextStart < end) return false;
    const touchesNext = nextStart === end;
    if (touchesPrevious && touchesNext) this.#edges.splice(at + 1, 2);
    else if (touchesPrevious) this.#edges[at + 1] = end;
    else if (touchesNext) this.#edges[next] = start;
    else if (this.#edges.length >= maxEdges) return false;
    else this.#edges.splice(at, 0, start, end);
    return true;
  }

  /** Index in `#edges` of the start of the first piece whose end is at or after `position`. */
  #firstEndAtOrAfter(position: number): number {
    let low = 0;
    let high = this.#edges.length / 2;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#edges[2 * middle + 1] ?? 0) >= position) high = middle;
      else low = middle + 1;
    }
    return 2 * low;
  }
}

const maxEdges = 2 * 4096;
