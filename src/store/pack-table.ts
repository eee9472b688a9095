/** The packs of a store, numbered, so that an index entry needs 4 bytes for its pack. */
export class PackTable {
  readonly #ids: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #sizes = new Map<string, number>();
  readonly #unreadable = new Map<string, string>();
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
    this.#storedBytes += sizeBytes - (this.#sizes.get(packId) ?? 0);
    this.#sizes.set(packId, sizeBytes);
    this.#unreadable.delete(packId);
  }

  setMissing(packId: string): void {
    this.#storedBytes -= this.#sizes.get(packId) ?? 0;
    this.#sizes.delete(packId);
  }

  sizeOf(packId: string): number | undefined {
    return this.#sizes.get(packId);
  }

  /** A pack whose trailer cannot be read: nobody knows what was in it. */
  setUnreadable(packId: string, why: string): void {
    this.#unreadable.set(packId, why);
  }

  get unreadable(): ReadonlyMap<string, string> {
    return this.#unreadable;
  }

  get present(): ReadonlyMap<string, number> {
    return this.#sizes;
  }

  /** Every pack that was ever heard of since the store was opened. */
  known(): readonly string[] {
    return this.#ids;
  }

  get storedBytes(): number {
    return this.#storedBytes;
  }
}
