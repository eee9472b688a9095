import type { ChunkKind, Codec, PackEntry } from './pack-format.ts';

/** Where a copy of a chunk is. */
export interface ChunkCopy {
  /** Names the copy within this index until its pack is collected. */
  entry: number;
  pack: number;
  offset: number;
  storedLength: number;
  plainLength: number;
  crc: number;
  kind: ChunkKind;
  codec: Codec;
  bad: boolean;
}

const blockEntries = 65_536;
const numbersPerEntry = 5; // pack, offset, stored length, plain length, crc
const kindMask = 0x03;
const codecShift = 2;
const badFlag = 0x80;
/** An entry that was given back: its number waits in the free list for the next chunk. */
const freeFlag = 0x40;

/**
 * What a collection has made of a pack. `condemned`: read from, but nothing new may rely on it. `gone`: it is being
 * deleted or has been, and its entries are only waiting to be swept.
 */
export const packStates = { kept: 0, condemned: 1, gone: 2 } as const;
export type PackState = (typeof packStates)[keyof typeof packStates];

interface Block {
  ids: Uint8Array;
  numbers: Uint32Array;
  flags: Uint8Array;
}

/**
 * Chunk id to the places that hold it, in memory: 53 bytes an entry in typed arrays and about 10 in an open-addressing
 * table, whatever the garbage collector thinks of it. A chunk may have several copies; a copy known to be unreadable is
 * marked bad, and then no longer counts as being there.
 */
export class ChunkIndex {
  readonly #blocks: Block[] = [];
  #entries = 0;
  /** Entry number + 1 at the place its id hashes to, 0 where free. Ids are hashes already: their first bytes serve. */
  #table = new Uint32Array(1024);
  #chunks = 0;
  #uniqueBytes = 0;
  #bad = 0;
  #firstFree = -1;
  #packStates = new Uint8Array(64);

  /** Chunks with at least one good copy. */
  get chunks(): number {
    return this.#chunks;
  }

  /** Their bytes before compression. */
  get uniqueBytes(): number {
    return this.#uniqueBytes;
  }

  /** Whether any copy is known to be bad: then what an old map refers to has to be looked at, not assumed. */
  get hasDamage(): boolean {
    return this.#bad > 0;
  }

  /** Adds a copy; one at the same place is taken as written anew and loses its bad mark. */
  insert(pack: number, entry: PackEntry, bad = false): void {
    let hadGood = false;
    for (const known of this.#entriesOf(entry.id)) {
      const copy = this.copy(known);
      hadGood ||= !copy.bad;
      if (copy.pack !== pack || copy.offset !== entry.offset) continue;
      this.#setBad(known, bad);
      return;
    }
    if ((this.#entries + 1) * 5 > this.#table.length * 3) this.#growTable();
    const number = this.#newNumber();
    const { block, at } = this.#at(number);
    block.ids.set(entry.id, at * 32);
    block.numbers.set(
      [pack, entry.offset, entry.storedLength, entry.plainLength, entry.crc],
      at * numbersPerEntry,
    );
    block.flags[at] = entry.kind | (entry.codec << codecShift) | (bad ? badFlag : 0);
    this.#place(number, entry.id);
    if (bad) this.#bad++;
    else if (!hadGood) this.#count(entry.plainLength, 1);
  }

  /**
   * A good copy, not in a condemned pack if there is another; with `plainLength`, only one of that length, for
   * existence alone is not validity.
   */
  find(id: Uint8Array, plainLength?: number): ChunkCopy | undefined {
    let condemned: ChunkCopy | undefined;
    for (const entry of this.#entriesOf(id)) {
      const copy = this.copy(entry);
      if (copy.bad || (plainLength !== undefined && copy.plainLength !== plainLength)) continue;
      const state = this.packState(copy.pack);
      if (state === packStates.kept) return copy;
      if (state === packStates.condemned) condemned ??= copy;
    }
    return condemned;
  }

  /** As {@link find}, but only what may be relied upon from now on: condemned packs do not count. */
  findLasting(id: Uint8Array, plainLength: number): ChunkCopy | undefined {
    const copy = this.find(id, plainLength);
    return copy !== undefined && this.packState(copy.pack) === packStates.kept ? copy : undefined;
  }

  /** Every copy there is: good ones first, of these the ones in condemned packs last. */
  copies(id: Uint8Array): ChunkCopy[] {
    const all = [...this.#entriesOf(id)]
      .map((entry) => this.copy(entry))
      .filter(({ pack }) => this.packState(pack) !== packStates.gone);
    const rank = (copy: ChunkCopy) => (copy.bad ? packStates.gone : this.packState(copy.pack));
    return all.sort((a, b) => rank(a) - rank(b));
  }

  /** The entry of the only copy there is; -1 when there are none or several. Makes no object: for walks over all. */
  soleEntry(id: Uint8Array): number {
    let sole = -1;
    const mask = this.#table.length - 1;
    for (let place = hashOf(id) & mask; ; place = (place + 1) & mask) {
      const entry = (this.#table[place] ?? 0) - 1;
      if (entry < 0) return sole;
      if (!this.#hasId(entry, id) || this.packState(this.packOf(entry)) === packStates.gone) continue;
      if (sole >= 0) return -1;
      sole = entry;
    }
  }

  /** The entry of the copy at this place. */
  entryAt(id: Uint8Array, pack: number, offset: number): number | undefined {
    for (const entry of this.#entriesOf(id)) {
      const copy = this.copy(entry);
      if (copy.pack === pack && copy.offset === offset) return entry;
    }
    return undefined;
  }

  packOf(entry: number): number {
    const { block, at } = this.#at(entry);
    return block.numbers[at * numbersPerEntry] ?? 0;
  }

  storedLengthOf(entry: number): number {
    const { block, at } = this.#at(entry);
    return block.numbers[at * numbersPerEntry + 2] ?? 0;
  }

  packState(pack: number): PackState {
    return (this.#packStates[pack] ?? packStates.kept) as PackState;
  }

  setPackState(pack: number, state: PackState): void {
    if (pack >= this.#packStates.length) {
      const grown = new Uint8Array(Math.max(pack + 1, this.#packStates.length * 2));
      grown.set(this.#packStates);
      this.#packStates = grown;
    }
    this.#packStates[pack] = state;
  }

  /** Gives back the entries of packs that are gone. Yields after every block, so that others get their turn. */
  *sweep(): Generator<void> {
    for (let from = 0; from < this.#entries; from += blockEntries) {
      const end = Math.min(this.#entries, from + blockEntries);
      for (let entry = from; entry < end; entry++) {
        if (!this.#isFree(entry) && this.packState(this.packOf(entry)) === packStates.gone) this.#drop(entry);
      }
      yield;
    }
  }

  copy(entry: number): ChunkCopy {
    const { block, at } = this.#at(entry);
    const [pack = 0, offset = 0, storedLength = 0, plainLength = 0, crc = 0] = block.numbers.subarray(
      at * numbersPerEntry,
      (at + 1) * numbersPerEntry,
    );
    const flags = block.flags[at] ?? 0;
    const kind = (flags & kindMask) as ChunkKind;
    const codec = ((flags >> codecShift) & 0x03) as Codec;
    return { entry, pack, offset, storedLength, plainLength, crc, kind, codec, bad: (flags & badFlag) !== 0 };
  }

  markBad(copy: ChunkCopy): void {
    if (this.#isStill(copy)) this.#setBad(copy.entry, true);
  }

  /** For a pack that turns out to be gone. Looks at every entry, which is nothing beside the news. */
  markPackBad(pack: number): void {
    for (let entry = 0; entry < this.#entries; entry++)
      if (!this.#isFree(entry) && this.packOf(entry) === pack) this.#setBad(entry, true);
  }

  markGood(copy: ChunkCopy): void {
    if (this.#isStill(copy)) this.#setBad(copy.entry, false);
  }

  /** An entry's number may have been given to another chunk since its copy was looked up. */
  #isStill({ entry, pack, offset }: ChunkCopy): boolean {
    if (this.#isFree(entry)) return false;
    const now = this.copy(entry);
    return now.pack === pack && now.offset === offset;
  }

  #setBad(entry: number, bad: boolean): void {
    const { block, at } = this.#at(entry);
    const flags = block.flags[at] ?? 0;
    if (((flags & badFlag) !== 0) === bad) return;
    const id = block.ids.subarray(at * 32, at * 32 + 32);
    const hadGood = this.#hasGood(id);
    block.flags[at] = flags ^ badFlag;
    this.#bad += bad ? 1 : -1;
    const hasGood = this.#hasGood(id);
    if (hadGood !== hasGood) this.#count(this.copy(entry).plainLength, hasGood ? 1 : -1);
  }

  /** For counting: a copy counts until it is swept. */
  #hasGood(id: Uint8Array): boolean {
    for (const entry of this.#entriesOf(id)) if (!this.copy(entry).bad) return true;
    return false;
  }

  #isFree(entry: number): boolean {
    const { block, at } = this.#at(entry);
    return ((block.flags[at] ?? 0) & freeFlag) !== 0;
  }

  #newNumber(): number {
    if (this.#firstFree < 0) return this.#entries++;
    const number = this.#firstFree;
    const { block, at } = this.#at(number);
    this.#firstFree = (block.numbers[at * numbersPerEntry] ?? 0) - 1;
    return number;
  }

  #drop(entry: number): void {
    const { block, at } = this.#at(entry);
    const { bad, plainLength } = this.copy(entry);
    const id = block.ids.slice(at * 32, at * 32 + 32);
    this.#displace(entry, id);
    block.flags[at] = freeFlag;
    block.numbers[at * numbersPerEntry] = this.#firstFree + 1;
    this.#firstFree = entry;
    if (bad) this.#bad--;
    else if (!this.#hasGood(id)) this.#count(plainLength, -1);
  }

  #count(plainLength: number, by: 1 | -1): void {
    this.#chunks += by;
    this.#uniqueBytes += by * plainLength;
  }

  *#entriesOf(id: Uint8Array): Generator<number> {
    const mask = this.#table.length - 1;
    for (let place = hashOf(id) & mask; ; place = (place + 1) & mask) {
      const entry = (this.#table[place] ?? 0) - 1;
      if (entry < 0) return;
      if (this.#hasId(entry, id)) yield entry;
    }
  }

  #hasId(entry: number, id: Uint8Array): boolean {
    const { block, at } = this.#at(entry);
    for (let byte = 0, from = at * 32; byte < 32; byte++) {
      if (block.ids[from + byte] !== id[byte]) return false;
    }
    return true;
  }

  #place(entry: number, id: Uint8Array): void {
    const mask = this.#table.length - 1;
    let place = hashOf(id) & mask;
    while (this.#table[place] !== 0) place = (place + 1) & mask;
    this.#table[place] = entry + 1;
  }

  /** Takes an entry out of the table and closes the gap: a look-up ends at the first free place. */
  #displace(entry: number, id: Uint8Array): void {
    const table = this.#table;
    const mask = table.length - 1;
    let gap = hashOf(id) & mask;
    while (table[gap] !== entry + 1) gap = (gap + 1) & mask;
    for (let place = (gap + 1) & mask; ; place = (place + 1) & mask) {
      const other = (table[place] ?? 0) - 1;
      if (other < 0) break;
      const { block, at } = this.#at(other);
      const home = hashOf(block.ids.subarray(at * 32, at * 32 + 4)) & mask;
      if (((place - home) & mask) < ((place - gap) & mask)) continue; // its look-up does not pass the gap
      table[gap] = other + 1;
      gap = place;
    }
    table[gap] = 0;
  }

  #growTable(): void {
    this.#table = new Uint32Array(this.#table.length * 2);
    for (let entry = 0; entry < this.#entries; entry++) {
      if (this.#isFree(entry)) continue;
      const { block, at } = this.#at(entry);
      this.#place(entry, block.ids.subarray(at * 32, at * 32 + 32));
    }
  }

  /** Blocks never move or grow: adding the hundred-millionth chunk copies none of the others. */
  #at(entry: number): { block: Block; at: number } {
    const number = Math.floor(entry / blockEntries);
    let block = this.#blocks[number];
    if (block === undefined) {
      block = {
        ids: new Uint8Array(blockEntries * 32),
        numbers: new Uint32Array(blockEntries * numbersPerEntry),
        flags: new Uint8Array(blockEntries),
      };
      this.#blocks[number] = block;
    }
    return { block, at: entry % blockEntries };
  }
}

function hashOf(id: Uint8Array): number {
  return ((id[0] ?? 0) | ((id[1] ?? 0) << 8) | ((id[2] ?? 0) << 16) | ((id[3] ?? 0) << 24)) >>> 0;
}
