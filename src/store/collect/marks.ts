import type { ChunkCopy, ChunkIndex } from '../chunk-index.ts';
import { packStates } from '../chunk-index.ts';
import { packEntryBytes } from '../pack-format.ts';
import { EntrySet } from './entry-set.ts';

/**
 * Which copies of chunks something refers to, and what that comes to in each pack: three bits an entry of the index and
 * two numbers a pack. Of a chunk with several good copies the one in the lowest-numbered pack is needed and the others
 * are spare; a spare one may go only when another has been read and found good.
 */
export class Marks {
  readonly #index: ChunkIndex;
  readonly #needed = new EntrySet();
  readonly #spare = new EntrySet();
  /** Pages under which everything has been marked. */
  readonly #walked = new EntrySet();
  readonly #neededBytes: number[] = [];
  readonly #spareBytes: number[] = [];
  #chunks = 0;

  constructor(index: ChunkIndex) {
    this.#index = index;
  }

  /** Copies marked as needed, which is about the number of chunks. */
  get chunks(): number {
    return this.#chunks;
  }

  /** False when there is no copy at all. */
  mark(id: Uint8Array): boolean {
    const sole = this.#index.soleEntry(id);
    if (sole >= 0) {
      this.#need(sole);
      return true;
    }
    const copies = this.#index.copies(id);
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
    return copies.length > 0;
  }

  setWalked(page: Uint8Array): void {
    for (const { entry } of this.#index.copies(page)) this.#walked.add(entry);
  }

  isWalked(page: Uint8Array): boolean {
    const sole = this.#index.soleEntry(page);
    if (sole >= 0) return this.#walked.has(sole);
    return this.#index.copies(page).some(({ entry }) => this.#walked.has(entry));
  }

  isNeeded(entry: number): boolean {
    return this.#needed.has(entry);
  }

  isSpare(entry: number): boolean {
    return this.#spare.has(entry) && !this.#needed.has(entry);
  }

  /** Bytes of a pack that are needed or spare, with what they take in its table of contents. */
  bytesIn(pack: number): { neededBytes: number; spareBytes: number } {
    return { neededBytes: this.#neededBytes[pack] ?? 0, spareBytes: this.#spareBytes[pack] ?? 0 };
  }

  #need(entry: number): void {
    if (!this.#needed.add(entry)) return;
    this.#chunks++;
    const pack = this.#index.packOf(entry);
    const bytes = this.#index.storedLengthOf(entry) + packEntryBytes;
    this.#neededBytes[pack] = (this.#neededBytes[pack] ?? 0) + bytes;
    if (this.#spare.has(entry)) this.#spareBytes[pack] = (this.#spareBytes[pack] ?? 0) - bytes;
  }

  #spareOne(entry: number): void {
    if (this.#needed.has(entry) || !this.#spare.add(entry)) return;
    const pack = this.#index.packOf(entry);
    const bytes = this.#index.storedLengthOf(entry) + packEntryBytes;
    this.#spareBytes[pack] = (this.#spareBytes[pack] ?? 0) + bytes;
  }
}

function lowestPack(copies: readonly ChunkCopy[]): ChunkCopy {
  return copies.reduce((lowest, copy) => (copy.pack < lowest.pack ? copy : lowest));
}
