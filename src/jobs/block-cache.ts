/** Reads a disk in blocks that are kept for a while. */
export interface BlockSource {
  sizeBytes: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}

export interface BlockCacheOptions {
  blockBytes: number;
  /** Blocks kept at most, those under way included. */
  blocks: number;
  /** Blocks fetched ahead of one who reads in order. */
  ahead: number;
}

/**
 * A disk for somebody who asks for a few sectors here and there, over a source that is dear to ask and gives whole
 * blocks at no extra cost. What lies next to a read is likely to be wanted next: the block is kept, and who reads one
 * block after the other finds the following ones fetched already.
 */
export class BlockCache {
  readonly #source: BlockSource;
  readonly #options: BlockCacheOptions;
  /** By number, the least recently used first. */
  readonly #blocks = new Map<number, Promise<Uint8Array>>();
  /** The block that a reader in order would want next. */
  #expected = -1;

  constructor(source: BlockSource, options: BlockCacheOptions) {
    this.#source = source;
    this.#options = options;
  }

  /** The content, whole; in memory that may be shared with other reads. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const { blockBytes, ahead } = this.#options;
    const first = Math.floor(offset / blockBytes);
    const last = Math.floor((offset + length - 1) / blockBytes);
    const wanted: Promise<Uint8Array>[] = [];
    for (let block = first; block <= last; block++) wanted.push(this.#block(block));
    const inOrder = first === this.#expected || first + 1 === this.#expected;
    this.#expected = last + 1;
    if (inOrder) for (let block = last + 1; block <= last + ahead; block++) this.#fetchAhead(block);
    const blocks = await Promise.all(wanted);
    const [only] = blocks;
    if (blocks.length === 1 && only !== undefined)
      return only.subarray(offset - first * blockBytes, offset - first * blockBytes + length);
    const result = Buffer.allocUnsafeSlow(length);
    blocks.forEach((data, index) => {
      const start = (first + index) * blockBytes;
      const from = Math.max(offset, start);
      const until = Math.min(offset + length, start + data.length);
      result.set(data.subarray(from - start, until - start), from - offset);
    });
    return result;
  }

  #fetchAhead(block: number): void {
    if (block * this.#options.blockBytes >= this.#source.sizeBytes || this.#blocks.has(block)) return;
    this.#block(block).catch(() => {}); // whoever reads it will ask, and be told
  }

  #block(block: number): Promise<Uint8Array> {
    const known = this.#blocks.get(block);
    if (known !== undefined) {
      this.#blocks.delete(block);
      this.#blocks.set(block, known);
      return known;
    }
    const { blockBytes, blocks } = this.#options;
    const offset = block * blockBytes;
    const length = Math.min(blockBytes, this.#source.sizeBytes - offset);
    const fetched = this.#source.read(offset, length);
    this.#blocks.set(block, fetched);
    // A failure is told to those who wait for it; the next one asks anew.
    fetched.catch(() => {
      if (this.#blocks.get(block) === fetched) this.#blocks.delete(block);
    });
    const [oldest] = this.#blocks.keys();
    if (this.#blocks.size > blocks && oldest !== undefined) this.#blocks.delete(oldest);
    return fetched;
  }
}
