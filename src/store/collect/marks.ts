import type { ChunkCopy, ChunkIndex } from '../chunk-index.ts';
import { packStates } from '../chunk-index.ts';
import { packEntryBytes, packFooterBytes, packHeaderBytes, trailerEntries } from '../pack-format.ts';
import type { PackRange } from '../pack-ranges.ts';
import { EntrySet } from './entry-set.ts';

/**
 * Which copies of chunks something refers to: three bits an entry of the index. Of a chunk with several good copies the
 * one in the lowest-numbered pack is needed and the others are spare; a spare one may go only when another has been read
 * and found good.
 *
 * An entry that may be a chunk's and is the only one is marked without a look into its pack: it is the chunk's, or the
 * chunk is nowhere and a stranger is kept once too often. Only where there are several does it matter which is which, and
 * one of which that cannot be told any more counts as needed.
 */
export class Marks {
  readonly #index: ChunkIndex;
  readonly #needed = new EntrySet();
  readonly #spare = new EntrySet();
  /** Pages under which everything has been marked. */
  readonly #walked = new EntrySet();
  /** By pack number: what the needed entries came to when they were last weighed. */
  readonly #weighed = new Map<number, { needed: number; bytes: number }>();
  #chunks = 0;

  constructor(index: ChunkIndex) {
    this.#index = index;
  }

  /** Copies marked as needed, which is about the number of chunks. */
  get chunks(): number {
    return this.#chunks;
  }

  /** How many of the chunks have no copy at all. */
  async mark(ids: readonly Uint8Array[]): Promise<number> {
    let missing = 0;
    const several: Uint8Array[] = [];
    for (const id of ids) {
      const entries = this.#index.candidates(id);
      const [sole] = entries;
      if (sole === undefined) missing++;
      else if (entries.length === 1) this.#need(sole);
      else several.push(id);
    }
    if (several.length === 0) return missing;
    for (const { copies, doubtful } of await this.#index.lookUp(several)) {
      this.#markCopies(copies);
      for (const entry of doubtful) this.#need(entry);
      if (copies.length + doubtful.length === 0) missing++;
    }
    return missing;
  }

  #markCopies(copies: readonly ChunkCopy[]): void {
    const good = copies.filter(({ bad }) => !bad);
    const kept = good.filter(({ pack }) => this.#index.packState(pack) === packStates.kept);
    if (kept.length > 0) {
      const first = lowestPack(kept);
      this.#need(first.entry);
      for (const copy of good) if (copy !== first) this.#spareOne(copy.entry);
    } else {
      // Nothing to choose from: all of the condemned ones count; or the bad ones, for what they are still worth.
      for (const { entry } of good.length > 0 ? good : copies) this.#need(entry);
    }
  }

  /** Of a page that has been read. */
  async setWalked(page: Uint8Array): Promise<void> {
    for (const entry of await this.#pageEntries(page)) this.#walked.add(entry);
  }

  async unwalked(pages: readonly Buffer[]): Promise<Buffer[]> {
    const rest: Buffer[] = [];
    for (const page of pages)
      if (!(await this.#pageEntries(page)).some((entry) => this.#walked.has(entry))) rest.push(page);
    return rest;
  }

  /** Where there is one candidate, it is the page's if the page is anywhere. */
  async #pageEntries(page: Uint8Array): Promise<readonly number[]> {
    const entries = this.#index.candidates(page);
    if (entries.length <= 1) return entries;
    const [copies = []] = await this.#index.copies([page]);
    return copies.map(({ entry }) => entry);
  }

  isNeeded(entry: number): boolean {
    return this.#needed.has(entry);
  }

  isSpare(entry: number): boolean {
    return this.#spare.has(entry);
  }

  /** Copies in a pack that are needed, and others that are spare. */
  countsIn(pack: number): { needed: number; spare: number } {
    const range = this.#index.rangeOf(pack);
    if (range === undefined) return { needed: 0, spare: 0 };
    const end = range.first + range.entries;
    return {
      needed: this.#needed.countIn(range.first, end),
      spare: this.#spare.countIn(range.first, end),
    };
  }

  /**
   * Bytes of a pack that are needed, with what they take in its table of contents: exact for a pack that has been
   * weighed since, or is needed as a whole or not at all; else by the average of its chunks.
   */
  neededBytesIn(pack: number): number {
    const range = this.#index.rangeOf(pack);
    const { needed } = this.countsIn(pack);
    if (range === undefined || needed === 0) return 0;
    const weighed = this.#weighed.get(pack);
    if (weighed?.needed === needed) return weighed.bytes;
    return Math.round((framesAndTrailer(range) * needed) / range.entries);
  }

  /** Adds up what is needed of a pack, if only a part of it is. Reads its table of contents. @throws StoreUnavailable */
  async weigh(pack: number): Promise<void> {
    const range = this.#index.rangeOf(pack);
    const { needed } = this.countsIn(pack);
    if (range === undefined || needed === 0 || needed === range.entries) return;
    await this.#index.trailers.use(pack, range.entries, (trailer) => {
      if (trailer === undefined) return; // it stays as it is
      let count = 0;
      let bytes = 0;
      for (const { number, storedLength } of trailerEntries(trailer)) {
        if (!this.isNeeded(range.first + number)) continue;
        count++;
        bytes += storedLength + packEntryBytes;
      }
      this.#weighed.set(pack, { needed: count, bytes });
    });
  }

  #need(entry: number): void {
    if (!this.#needed.add(entry)) return;
    this.#chunks++;
    this.#spare.delete(entry);
  }

  #spareOne(entry: number): void {
    if (!this.#needed.has(entry)) this.#spare.add(entry);
  }
}

function framesAndTrailer({ packBytes }: PackRange): number {
  return packBytes - packHeaderBytes - packFooterBytes;
}

function lowestPack(copies: readonly ChunkCopy[]): ChunkCopy {
  return copies.reduce((lowest, copy) => (copy.pack < lowest.pack ? copy : lowest));
}
