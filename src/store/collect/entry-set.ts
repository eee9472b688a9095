const blockEntries = 65_536;

/** A set of entry numbers of the index, one bit each; it grows by 8 KiB where it is touched. */
export class EntrySet {
  readonly #blocks: (Uint8Array | undefined)[] = [];

  has(entry: number): boolean {
    const block = this.#blocks[Math.floor(entry / blockEntries)];
    return block !== undefined && ((block[(entry % blockEntries) >> 3] ?? 0) & (1 << (entry & 7))) !== 0;
  }

  /** True when it was not in the set. */
  add(entry: number): boolean {
    const number = Math.floor(entry / blockEntries);
    let block = this.#blocks[number];
    if (block === undefined) {
      block = new Uint8Array(blockEntries / 8);
      this.#blocks[number] = block;
    }
    const at = (entry % blockEntries) >> 3;
    const before = block[at] ?? 0;
    block[at] = before | (1 << (entry & 7));
    return block[at] !== before;
  }
}
