const blockEntries = 65_536;

/** Bits set in each byte. */
const bitsIn = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length);

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

  /** True when it was in the set. */
  delete(entry: number): boolean {
    if (!this.has(entry)) return false;
    const block = this.#blocks[Math.floor(entry / blockEntries)];
    const at = (entry % blockEntries) >> 3;
    if (block !== undefined) block[at] = (block[at] ?? 0) & ~(1 << (entry & 7));
    return true;
  }

  /** How many from `from` to `end` (exclusive) are in the set. */
  countIn(from: number, end: number): number {
    let count = 0;
    for (let entry = from; entry < end; ) {
      const block = this.#blocks[Math.floor(entry / blockEntries)];
      const isWholeByte = entry % 8 === 0 && entry + 8 <= end;
      if (block === undefined) {
        entry = (Math.floor(entry / blockEntries) + 1) * blockEntries;
      } else if (isWholeByte) {
        count += bitsIn[block[(entry % blockEntries) >> 3] ?? 0] ?? 0;
        entry += 8;
      } else {
        if (this.has(entry)) count++;
        entry++;
      }
    }
    return count;
  }
}
