import { float64Column } from './number-column.ts';
import { PackIds } from './pack-ids.ts';

/** Packs that are there, as ids and sizes. Made up as they are asked for: a large store has hundreds of thousands. */
export interface PresentPacks extends Iterable<[packId: string, sizeBytes: number]> {
  readonly size: number;
  keys(): Iterable<string>;
}

/** The packs of a store, numbered, and what is known of each from outside. */
export class PackTable {
  readonly #ids = new PackIds();
  /** By number: the size plus one; 0: it is not there. */
  readonly #sizes = float64Column();
  readonly #unreadable = new Map<string, string>();
  readonly #lost = new Set<string>();
  readonly #short = new Set<string>();
  #presentCount = 0;
  #storedBytes = 0;

  /** The number of a pack, new or known; it says nothing about the pack being there. */
  number(packId: string): number {
    return this.#ids.number(packId);
  }

  id(number: number): string {
    return this.#ids.id(number);
  }

  setPresent(packId: string, sizeBytes: number): void {
    this.setMissing(packId);
    this.#storedBytes += sizeBytes;
    this.#presentCount++;
    this.#sizes.set(this.#ids.number(packId), sizeBytes + 1);
    this.#unreadable.delete(packId);
    this.#lost.delete(packId);
    this.#short.delete(packId);
  }

  /** It is not there, as it should be: it was collected, or is about to be. */
  setMissing(packId: string): void {
    const number = this.#ids.find(packId);
    const sizeBytes = number === undefined ? undefined : this.sizeAt(number);
    if (number === undefined || sizeBytes === undefined) return;
    this.#storedBytes -= sizeBytes;
    this.#presentCount--;
    this.#sizes.set(number, 0);
  }

  /** It should be there and is not: every copy in it is bad. */
  setLost(packId: string): void {
    this.setMissing(packId);
    this.#lost.add(packId);
  }

  /** It is there, but shorter than it was written. */
  setShort(packId: string): void {
    this.#short.add(packId);
  }

  /** It is no more, and nobody misses it. */
  forget(packId: string): void {
    this.setMissing(packId);
    this.#unreadable.delete(packId);
    this.#lost.delete(packId);
    this.#short.delete(packId);
  }

  /** Whether any pack is not what it was when it was written, as far as that can be told without reading its frames. */
  get hasDamage(): boolean {
    return this.#lost.size + this.#short.size + this.#unreadable.size > 0;
  }

  /** Undefined for one that is not there. */
  sizeOf(packId: string): number | undefined {
    const number = this.#ids.find(packId);
    return number === undefined ? undefined : this.sizeAt(number);
  }

  /** As {@link sizeOf}, by number. */
  sizeAt(number: number): number | undefined {
    const size = this.#sizes.get(number);
    return size === 0 ? undefined : size - 1;
  }

  /** A pack whose table of contents cannot be read: nobody knows what was in it. */
  setUnreadable(packId: string, why: string): void {
    this.#unreadable.set(packId, why);
  }

  setReadable(packId: string): void {
    this.#unreadable.delete(packId);
  }

  /** What should be there and is not. */
  get lost(): ReadonlySet<string> {
    return this.#lost;
  }

  get unreadable(): ReadonlyMap<string, string> {
    return this.#unreadable;
  }

  get present(): PresentPacks {
    const walk = this.#walk.bind(this);
    return {
      size: this.#presentCount,
      *keys() {
        for (const [packId] of walk()) yield packId;
      },
      [Symbol.iterator]: walk,
    };
  }

  get storedBytes(): number {
    return this.#storedBytes;
  }

  *#walk(): Generator<[packId: string, sizeBytes: number]> {
    for (let number = 0; number < this.#ids.count; number++) {
      const sizeBytes = this.sizeAt(number);
      if (sizeBytes !== undefined) yield [this.id(number), sizeBytes];
    }
  }
}
