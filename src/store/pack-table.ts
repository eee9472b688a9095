/** The packs of a store, numbered, and what is known of each from outside. */
export class PackTable {
  readonly #ids: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #sizes = new Map<string, number>();
  readonly #unreadable = new Map<string, string>();
  readonly #lost = new Set<string>();
  readonly #short = new Set<string>();
  #storedBytes = 0;

  /** The number of a pack, new or known; it says nothing about the pack being there. */
  number(packId: string): number {
    const known = this.#numbers.get(packId);
    if (known !== undefined) return known;
    const number = this.#ids.push(packId) - 1;
    this.#numbers.set(packId, number);
    return number;
  }

  id(number: number): string {
    const id = this.#ids[number];
    if (id === undefined) throw new Error(`no pack has number ${number}`);
    return id;
  }

  setPresent(packId: string, sizeBytes: number): void {
    this.setMissing(packId);
    this.#storedBytes += sizeBytes;
    this.#sizes.set(packId, sizeBytes);
    this.#unreadable.delete(packId);
    this.#lost.delete(packId);
    this.#short.delete(packId);
  }

  /** It is not there, as it should be: it was collected, or is about to be. */
  setMissing(packId: string): void {
    this.#storedBytes -= this.#sizes.get(packId) ?? 0;
    this.#sizes.delete(packId);
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

  sizeOf(packId: string): number | undefined {
    return this.#sizes.get(packId);
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

  get present(): ReadonlyMap<string, number> {
    return this.#sizes;
  }

  get storedBytes(): number {
    return this.#storedBytes;
  }
}
