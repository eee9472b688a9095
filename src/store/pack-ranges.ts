import { EntryMap } from './entry-map.ts';
import { lastEntry } from './fingerprint-table.ts';
import { float64Column, uint32Column } from './number-column.ts';

/** Of a pack: the numbers `first` to `first + entries - 1` are its entries, in the order of its trailer. */
export interface PackRange {
  pack: number;
  first: number;
  entries: number;
  /** As it was written. */
  packBytes: number;
  /** Of all its chunks. */
  plainBytes: number;
}

const entriesPerHint = 256;

/**
 * Which entry numbers belong to which pack. Numbers ascend and none is given away twice: the range of a pack that has gone
 * stays, and is nobody's.
 */
export class PackRanges {
  readonly #packs = uint32Column();
  readonly #firsts = uint32Column();
  readonly #entries = uint32Column();
  readonly #packBytes = float64Column();
  readonly #plainBytes = float64Column();
  /** By pack number: the place of its range plus one; 0: it has none. */
  readonly #placeOf = uint32Column();
  /** The place of the range in which each stretch of entry numbers begins. */
  readonly #hints = uint32Column();
  #end = 0;

  /** All entries so far have lower numbers. */
  get end(): number {
    return this.#end;
  }

  /** Numbers for the entries of a pack that has none. Returns the first. */
  add({ pack, entries, packBytes, plainBytes }: Omit<PackRange, 'first'>): number {
    const first = this.#end;
    if (first + entries > lastEntry)
      throw new Error('the numbers of the index are used up: close the store and open it again');
    const place = this.#packs.push(pack);
    this.#firsts.push(first);
    this.#entries.push(entries);
    this.#packBytes.push(packBytes);
    this.#plainBytes.push(plainBytes);
    this.#placeOf.set(pack, place + 1);
    this.#end += entries;
    while (this.#hints.length * entriesPerHint < this.#end) this.#hints.push(place);
    return first;
  }

  addPlainBytes(pack: number, bytes: number): void {
    const place = this.#placeOf.get(pack) - 1;
    if (place >= 0) this.#plainBytes.set(place, this.#plainBytes.get(place) + bytes);
  }

  /** Its pack has gone. */
  remove(pack: number): void {
    if (this.#placeOf.get(pack) > 0) this.#placeOf.set(pack, 0);
  }

  of(pack: number): PackRange | undefined {
    const place = this.#placeOf.get(pack) - 1;
    return place < 0 ? undefined : this.#at(place);
  }

  /** The range with this entry; undefined when its pack has gone. */
  with(entry: number): PackRange | undefined {
    let place = this.#hints.get(Math.floor(entry / entriesPerHint));
    while (place + 1 < this.#firsts.length && this.#firsts.get(place + 1) <= entry) place++;
    return this.#isLive(place) ? this.#at(place) : undefined;
  }

  /** Of all packs that have not gone, those without entries too, in the order of their entries. */
  *live(): Generator<PackRange> {
    for (let place = 0; place < this.#packs.length; place++) if (this.#isLive(place)) yield this.#at(place);
  }

  /** Every entry so far whose pack has not gone, as it is. */
  liveEntries(): EntryMap {
    return new EntryMap(
      this.live().map(({ first, entries }) => ({ first, entries, to: first })),
      this.#end,
    );
  }

  #isLive(place: number): boolean {
    return this.#placeOf.get(this.#packs.get(place)) === place + 1;
  }

  #at(place: number): PackRange {
    return {
      pack: this.#packs.get(place),
      first: this.#firsts.get(place),
      entries: this.#entries.get(place),
      packBytes: this.#packBytes.get(place),
      plainBytes: this.#plainBytes.get(place),
    };
  }
}
