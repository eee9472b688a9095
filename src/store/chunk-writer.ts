import type { ChunkIndex } from './chunk-index.ts';
import { chunkIdOf, frameOf, type Packing } from './chunk-jobs.ts';
import type { ChunkWorkers } from './chunk-workers.ts';
import type { ContentKeys } from './keys/store-keys.ts';
import { chunkKinds, codecs } from './pack-format.ts';
import type { PackWriter } from './pack-writer.ts';
import type { Slab } from './slab.ts';

export interface NewBytes {
  /** Content that was not in the store, before and after compression. */
  newBytes: number;
  storedBytes: number;
}

/**
 * Of zstd, for chunks of which a part was written, where it pays: they are few, fetching the rest of each costs as much as
 * compressing it does, and what they take is taken again with every point. See `docs/store-format.md`, "Why so".
 */
const scatteredLevel = 6;

/**
 * Brings chunks into the store of which it has no good copy. A copy counts when its pack is durable and not condemned, or
 * pending in this same writer: another writer's pending pack may never be written.
 */
export class ChunkWriter {
  readonly #index: ChunkIndex;
  readonly #workers: ChunkWorkers;
  readonly #packing: Packing;
  readonly #packs: PackWriter;
  readonly #keys: ContentKeys | undefined;
  /** All of the last window was new. The next one mostly is, too: what is new comes in long stretches, or in small pieces. */
  #expectsNew = false;

  /** `keys`: those of `workers`. */
  constructor(
    index: ChunkIndex,
    workers: ChunkWorkers,
    packing: Packing,
    packs: PackWriter,
    keys: ContentKeys | undefined,
  ) {
    this.#keys = keys;
    this.#index = index;
    this.#workers = workers;
    this.#packing = packing;
    this.#packs = packs;
  }

  /** The first `count` chunks in the slab's input, `isScattered`: most of them changed only in part. Ids; undefined for zeros. */
  async writeData(
    slab: Slab,
    { count, chunkBytes, isScattered }: { count: number; chunkBytes: number; isScattered: boolean },
  ): Promise<{ ids: (Buffer | undefined)[]; added: NewBytes }> {
    const { compressionLevel } = this.#packing;
    const denserLevel = isScattered && compressionLevel < scatteredLevel ? scatteredLevel : undefined;
    const packing = { ...this.#packing, denserLevel };
    const isPacked = this.#expectsNew;
    const scan = { kind: 'scan', count, chunkBytes } as const;
    await this.#workers.run(slab, isPacked ? { ...scan, packing } : scan);
    const ids: (Buffer | undefined)[] = [];
    for (let number = 0; number < count; number++)
      ids.push(slab.isZero(number) ? undefined : Buffer.from(slab.id(number)));
    const numbers = await this.#claimNew(ids, chunkBytes);
    const added = { newBytes: 0, storedBytes: 0 };
    const notZero = ids.filter((id) => id !== undefined).length;
    if (notZero > 0) this.#expectsNew = numbers.length === notZero;
    if (numbers.length === 0) return { ids, added };
    if (!isPacked) await this.#workers.run(slab, { kind: 'pack', numbers, chunkBytes, packing });
    for (const number of numbers) {
      const id = ids[number];
      if (id === undefined) continue;
      const { codec, offset, length, crc } = slab.frame(number);
      const bytes = (codec === codecs.plain ? slab.input : slab.output).subarray(offset, offset + length);
      await this.#packs.append(id, chunkKinds.data, { codec, bytes, crc }, chunkBytes);
      added.newBytes += chunkBytes;
      added.storedBytes += length;
    }
    return { ids, added };
  }

  async writePage(page: Buffer): Promise<{ id: Buffer; added: NewBytes }> {
    const id = chunkIdOf(page, this.#keys);
    const isNew = (await this.#claimNew([id], page.length)).length > 0;
    if (!isNew) return { id, added: { newBytes: 0, storedBytes: 0 } };
    const frame = frameOf(page, id, this.#packing.compressionLevel, this.#keys);
    await this.#packs.append(id, chunkKinds.map, frame, page.length);
    return { id, added: { newBytes: page.length, storedBytes: frame.bytes.length } };
  }

  /**
   * The numbers of those that the caller has to append. They are claimed first and looked up then: of two who meet a
   * chunk at once one leaves it to the other, who finds it in the store, appends it, or fails the point of both.
   */
  async #claimNew(ids: readonly (Buffer | undefined)[], length: number): Promise<number[]> {
    const numbers: number[] = [];
    const claimed: Buffer[] = [];
    for (const [number, id] of ids.entries()) {
      if (id === undefined || !this.#packs.claim(id)) continue;
      numbers.push(number);
      claimed.push(id);
    }
    if (numbers.length === 0) return numbers;
    const found = await this.#index.findLasting(claimed, length);
    for (const [at, id] of claimed.entries()) if (found[at] !== undefined) this.#packs.release(id);
    return numbers.filter((_, at) => found[at] === undefined);
  }
}
