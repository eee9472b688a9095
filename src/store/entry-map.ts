import { uint32Column } from './number-column.ts';

/** Entries `first` to `first + entries - 1` become `to` and on. */
export interface EntryStretch {
  first: number;
  entries: number;
  to: number;
}

const entriesPerHint = 256;

/**
 * New numbers for entries of the index, for walks over all of them: the table's order is no order of entries, so each
 * question goes somewhere else, and what is asked has to lie close together. Entries in no stretch have no number.
 */
export class EntryMap {
  readonly #starts: Uint32Array;
  readonly #ends: Uint32Array;
  readonly #targets: Uint32Array;
  /** The stretch in which each 256 entries begin, or the one before. */
  readonly #hints: Uint32Array;
  /** All entries below it keep their numbers; -1 when any does not. */
  readonly #same: number;
  readonly end: number;

  /** `stretches`: ascending. Entries from `end` on have no number. */
  constructor(stretches: Iterable<EntryStretch>, end: number) {
    this.end = end;
    const starts = uint32Column();
    const ends = uint32Column();
    const targets = uint32Column();
    let covered = 0;
    let isSame = true;
    for (const { first, entries, to } of stretches) {
      if (entries === 0) continue;
      starts.push(first);
      ends.push(first + entries);
      targets.push(to);
      isSame &&= first === covered && to === first;
      covered = first + entries;
    }
    this.#starts = starts.numbers;
    this.#ends = ends.numbers;
    this.#targets = targets.numbers;
    this.#same = isSame && covered === end ? end : -1;
    this.#hints = new Uint32Array(Math.ceil(end / entriesPerHint));
    let next = 0;
    for (let hint = 0; hint < this.#hints.length; hint++) {
      while ((this.#starts[next + 1] ?? Number.POSITIVE_INFINITY) <= hint * entriesPerHint) next++;
      this.#hints[hint] = next;
    }
  }

  get(entry: number): number | undefined {
    if (entry < this.#same) return entry;
    let at = this.#hints[Math.floor(entry / entriesPerHint)];
    if (at === undefined) return undefined;
    while ((this.#starts[at + 1] ?? Number.POSITIVE_INFINITY) <= entry) at++;
    const start = this.#starts[at];
    if (start === undefined || entry < start || entry >= (this.#ends[at] ?? 0)) return undefined;
    return (this.#targets[at] ?? 0) + entry - start;
  }
}
