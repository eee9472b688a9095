import type { EntryMap } from './entry-map.ts';
import { FingerprintTable } from './fingerprint-table.ts';
import type { IndexSection } from './index-segment.ts';
import { type PackEntry, packEntryBytes, plainLengthIn, trailerEntry } from './pack-format.ts';
import { type PackRange, PackRanges } from './pack-ranges.ts';
import type { PackTable } from './pack-table.ts';
import type { PackTrailers } from './pack-trailers.ts';
import type { Quarantine } from './verify/quarantine.ts';

/** Where a copy of a chunk is. */
export interface ChunkCopy extends Omit<PackEntry, 'id'> {
  /** Names the copy as long as the store is open; the number is not used again. */
  entry: number;
  pack: number;
  bad: boolean;
}

/** What is known of one chunk. */
export interface FoundCopies {
  /** Good ones first, of these the ones in condemned packs last. */
  copies: ChunkCopy[];
  /** Entries that may be of the chunk, in packs of which nobody can tell any more what is in them. */
  doubtful: number[];
}

/**
 * What a collection has made of a pack. `condemned`: read from, but nothing new may rely on it. `gone`: it is being
 * deleted or has been, and its entries are only waiting to be swept.
 */
export const packStates = { kept: 0, condemned: 1, gone: 2 } as const;
export type PackState = (typeof packStates)[keyof typeof packStates];

const nothing: FoundCopies = { copies: [], doubtful: [] };

/**
 * Chunk id to the places that hold it. In memory is only which entries may be of a chunk (`FingerprintTable`, about eight
 * bytes a chunk); the rest is in the packs' tables of contents, of which the ones used last are at hand. So look-ups are
 * asynchronous and for many ids at once; one that has no candidate reads nothing, and no candidate is believed before its
 * whole id has been compared. A copy in the
 * quarantine is bad, and does not count as being there.
 */
export class ChunkIndex {
  readonly packs: PackTable;
  readonly trailers: PackTrailers;
  readonly table = new FingerprintTable();
  readonly #ranges = new PackRanges();
  readonly #states: PackState[] = [];
  readonly #quarantine: Quarantine;

  constructor(packs: PackTable, trailers: PackTrailers, quarantine: Quarantine) {
    this.packs = packs;
    this.trailers = trailers;
    this.#quarantine = quarantine;
  }

  /** Copies of chunks in packs that are there, the bad ones among them. */
  get chunks(): number {
    return this.#sumOfPresent(({ entries }) => entries);
  }

  /** Their bytes before compression. */
  get plainBytes(): number {
    return this.#sumOfPresent(({ plainBytes }) => plainBytes);
  }

  /** Whether any copy is known to be bad: then what an old map refers to has to be looked at, not assumed. */
  get hasDamage(): boolean {
    return this.#quarantine.hasBadFrames || this.packs.hasDamage;
  }

  /** Enters what is in a pack, whether it is there or not; a pack that is known is taken as written anew. */
  addPack({ packId, packBytes, trailer }: IndexSection): void {
    const pack = this.packs.number(packId);
    this.trailers.keep(pack, trailer);
    const known = this.#ranges.of(pack);
    if (known !== undefined) {
      this.#compareSize(known);
      return;
    }
    const entries = Math.floor(trailer.length / packEntryBytes);
    const first = this.addRange({ pack, entries, packBytes, plainBytes: 0 });
    let plainBytes = 0;
    for (let number = 0; number < entries; number++) {
      const plainLength = plainLengthIn(trailer, number);
      if (plainLength === undefined) continue;
      plainBytes += plainLength;
      this.table.insert(trailer, number * packEntryBytes, first + number);
    }
    this.#ranges.addPlainBytes(pack, plainBytes);
  }

  /** Numbers for the entries of a pack that has none; whoever asks brings them into the table. Returns the first. */
  addRange(range: Omit<PackRange, 'first'>): number {
    const first = this.#ranges.add(range);
    this.#compareSize(range);
    return first;
  }

  /** Of a pack that is gone for good. Its entries are ignored from now on, and swept later. */
  removePack(pack: number): void {
    this.#ranges.remove(pack);
    this.trailers.forget(pack);
  }

  /** All entries so far have lower numbers. */
  get nextEntry(): number {
    return this.#ranges.end;
  }

  rangeOf(pack: number): PackRange | undefined {
    return this.#ranges.of(pack);
  }

  /** In the order of their entries, without those of packs that have gone or have none. */
  *ranges(): Generator<PackRange> {
    for (const range of this.#ranges.live()) if (range.entries > 0) yield range;
  }

  /** The range with this entry; undefined when its pack has gone. */
  rangeWith(entry: number): PackRange | undefined {
    return this.#ranges.with(entry);
  }

  /** Every entry so far whose pack has not gone, as it is. */
  liveEntries(): EntryMap {
    return this.#ranges.liveEntries();
  }

  /** Everything that is known of each chunk, in order. @throws StoreUnavailable */
  async lookUp(ids: readonly Uint8Array[]): Promise<FoundCopies[]> {
    const waiting = new Map<number, { id: Uint8Array; entry: number; found: FoundCopies }[]>();
    const all = ids.map((id) => {
      const entries = this.candidates(id);
      if (entries.length === 0) return nothing;
      const found: FoundCopies = { copies: [], doubtful: [] };
      for (const entry of entries) {
        const range = this.rangeWith(entry);
        if (range === undefined) continue;
        const trailer = this.trailers.cached(range.pack);
        if (trailer !== undefined) {
          this.#compare(id, entry, range, trailer, found);
          continue;
        }
        const others = waiting.get(range.pack);
        if (others === undefined) waiting.set(range.pack, [{ id, entry, found }]);
        else others.push({ id, entry, found });
      }
      return found;
    });
    if (waiting.size > 0) {
      const loads = [...waiting].map(async ([pack, asked]) => {
        const range = this.#ranges.of(pack);
        if (range === undefined) return;
        await this.trailers.use(pack, range.entries, (trailer) => {
          for (const { id, entry, found } of asked) this.#compare(id, entry, range, trailer, found);
        });
      });
      await Promise.allSettled(loads);
      await Promise.all(loads);
    }
    for (const found of all) if (found !== nothing) this.#sort(found);
    return all;
  }

  /** Every copy there is of each chunk: good ones first, of these the ones in condemned packs last. */
  async copies(ids: readonly Uint8Array[]): Promise<ChunkCopy[][]> {
    return (await this.lookUp(ids)).map(({ copies }) => copies);
  }

  /**
   * Of each chunk a good copy, not in a condemned pack if there is another; with `plainLength`, only one of that
   * length, for existence alone is not validity.
   */
  async find(ids: readonly Uint8Array[], plainLength?: number): Promise<(ChunkCopy | undefined)[]> {
    const isIt = (copy: ChunkCopy) =>
      !copy.bad && (plainLength === undefined || copy.plainLength === plainLength);
    return (await this.lookUp(ids)).map(({ copies }) => copies.find(isIt));
  }

  /** As {@link find}, but only what may be relied upon from now on: condemned packs do not count. */
  async findLasting(ids: readonly Uint8Array[], plainLength: number): Promise<(ChunkCopy | undefined)[]> {
    return (await this.find(ids, plainLength)).map((copy) =>
      copy !== undefined && this.packState(copy.pack) === packStates.kept ? copy : undefined,
    );
  }

  /**
   * Entries that may be of the chunk; if the chunk is in the store, its own are among them. So one that is alone and not
   * the chunk's says that the chunk is nowhere.
   */
  candidates(id: Uint8Array): readonly number[] {
    const entries = this.table.candidates(id);
    return entries.length === 0 ? entries : entries.filter((entry) => this.#counts(entry));
  }

  packState(pack: number): PackState {
    return this.#states[pack] ?? packStates.kept;
  }

  setPackState(pack: number, state: PackState): void {
    for (let next = this.#states.length; next < pack; next++) this.#states[next] = packStates.kept;
    this.#states[pack] = state;
  }

  /** Gives back the memory of entries whose packs are gone. Yields now and then, so that others get their turn. */
  sweep(): Generator<void> {
    const live = this.liveEntries();
    // What comes while others have their turn has higher numbers, and stays.
    return this.table.retain((entry) => entry >= live.end || live.get(entry) !== undefined);
  }

  /** What is in a pack that is missing needs no mark: its absence shows. */
  markBad({ pack, offset }: Pick<ChunkCopy, 'pack' | 'offset'>): void {
    const packId = this.packs.id(pack);
    if (this.packs.sizeOf(packId) !== undefined) this.#quarantine.note(packId, offset);
  }

  markGood({ pack, offset }: Pick<ChunkCopy, 'pack' | 'offset'>): void {
    this.#quarantine.clear(this.packs.id(pack), offset);
  }

  #counts(entry: number): boolean {
    const range = this.rangeWith(entry);
    return range !== undefined && this.packState(range.pack) !== packStates.gone;
  }

  #compare(
    id: Uint8Array,
    entry: number,
    { pack, first }: PackRange,
    trailer: Buffer | undefined,
    { copies, doubtful }: FoundCopies,
  ): void {
    const at = (entry - first) * packEntryBytes;
    if (trailer === undefined) doubtful.push(entry);
    else if (trailer.compare(id, 0, id.length, at, at + id.length) === 0) {
      const found = trailerEntry(trailer, entry - first);
      if (found === undefined) return;
      const { kind, codec, offset, storedLength, plainLength, crc } = found;
      copies.push({ entry, pack, kind, codec, offset, storedLength, plainLength, crc, bad: false });
    }
  }

  /** As things are now: others may have gone on while trailers were read. */
  #sort(found: FoundCopies): void {
    found.copies = found.copies.filter(({ entry }) => this.#counts(entry));
    for (const copy of found.copies) copy.bad = this.#isBad(copy);
    const rank = (copy: ChunkCopy) => (copy.bad ? packStates.gone : this.packState(copy.pack));
    found.copies.sort((a, b) => rank(a) - rank(b) || a.entry - b.entry);
  }

  /** What is in packs that have gone or been cut short is bad without a mark. */
  #isBad({ pack, offset, storedLength }: ChunkCopy): boolean {
    if (offset + storedLength > (this.packs.sizeAt(pack) ?? 0)) return true;
    return this.#quarantine.packs > 0 && this.#quarantine.isBad(this.packs.id(pack), offset);
  }

  #compareSize({ pack, packBytes }: Omit<PackRange, 'first'>): void {
    if ((this.packs.sizeAt(pack) ?? packBytes) < packBytes) this.packs.setShort(this.packs.id(pack));
  }

  #sumOfPresent(amountOf: (range: PackRange) => number): number {
    let sum = 0;
    for (const range of this.#ranges.live())
      if (this.packs.sizeAt(range.pack) !== undefined) sum += amountOf(range);
    return sum;
  }
}
