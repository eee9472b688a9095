import { randomUUID } from 'node:crypto';
import { isHoldfastError } from '../errors/index.ts';
import type { Backend } from './backend.ts';
import type { ChunkIndex } from './chunk-index.ts';
import { StaleTable, tableParts } from './index-table.ts';
import { indexPrefix, segmentSuffix, tablePrefix, tableSuffix } from './layout.ts';

/** What was found when the index was loaded. */
export interface FoundTables {
  /** Of all objects there are, the useful and the others. */
  names: string[];
  /** Numbers of the packs in the one that was used. */
  packs: Uint32Array;
  /** Entries in it. */
  chunks: number;
}

/** Chunks that no table has before one is worth writing: a sixteenth of a second of reading segments. */
export const chunksBeforeTable = 256 * 1024;

/**
 * The index's table on the medium, so that a large store is opened without reading what is in every pack. It is written
 * anew when it lacks a quarter of what there is, which makes 40 bytes a chunk in the long run, and whenever it mentions
 * packs that a collection wants to forget. Losing it costs a slower start.
 */
export class IndexTables {
  readonly #backend: Backend;
  readonly #index: ChunkIndex;
  readonly #chunksBefore: number;
  #names: readonly string[];
  #packs: Uint32Array;
  #chunks: number;

  constructor(backend: Backend, index: ChunkIndex, found: FoundTables, chunksBefore = chunksBeforeTable) {
    this.#backend = backend;
    this.#index = index;
    this.#chunksBefore = chunksBefore;
    this.#names = found.names;
    this.#packs = found.packs;
    this.#chunks = found.chunks;
  }

  get isDue(): boolean {
    const uncovered = this.#index.table.count - this.#chunks;
    return uncovered >= Math.max(this.#chunksBefore, this.#chunks / 4);
  }

  mentions(isGone: (packId: string) => boolean): boolean {
    return this.#packs.some((pack) => isGone(this.#index.packs.id(pack)));
  }

  /**
   * Writes a table of what there is now and drops the one before. Nothing may write or delete segments meanwhile;
   * `entered` are those whose packs the index has, `isOut` says which packs not to mention. Where a new one cannot be
   * had, for want of space or because packs went while it was written, the old one stays unless it mentions any of these.
   */
  async save(entered: ReadonlySet<string>, isOut: (packId: string) => boolean): Promise<void> {
    const segments: string[] = [];
    for await (const { name } of this.#backend.list(indexPrefix))
      if (name.endsWith(segmentSuffix) && entered.has(name)) segments.push(name);
    const packs = Uint32Array.from(this.#index.ranges(), ({ pack }) => pack);
    const chunks = this.#index.table.count;
    const name = `${tablePrefix}${randomUUID()}${tableSuffix}`;
    const isWritten = await this.#put(name, segments, isOut);
    if (!isWritten && !this.mentions(isOut)) return;
    await this.#drop(isWritten ? name : undefined);
    this.#packs = isWritten ? packs.filter((pack) => !isOut(this.#index.packs.id(pack))) : new Uint32Array();
    this.#chunks = isWritten ? chunks : 0;
  }

  /** Whether the table that was there is there no more. */
  async isMissing(): Promise<boolean> {
    // It may be replaced while it is looked for.
    for (;;) {
      const names = this.#names;
      for (const name of names) if ((await this.#backend.stat(name)) !== undefined) return false;
      if (names === this.#names) return names.length > 0;
    }
  }

  /** A damaged one goes (`tablePrefix`: whichever there were); another is written in its place when it is due. */
  async discard(name: string): Promise<void> {
    const gone = name === tablePrefix ? this.#names : [name];
    for (const one of gone) await this.#backend.delete(one);
    this.#names = this.#names.filter((other) => !gone.includes(other));
    if (this.#names.length > 0) return;
    this.#packs = new Uint32Array();
    this.#chunks = 0;
  }

  async #put(
    name: string,
    segments: readonly string[],
    isOut: (packId: string) => boolean,
  ): Promise<boolean> {
    let isStale = false;
    const parts = tableParts(this.#index, segments, (packId) => !isOut(packId));
    async function* watched() {
      try {
        yield* parts;
      } catch (error) {
        isStale = error instanceof StaleTable;
        throw error;
      }
    }
    try {
      await this.#backend.put(name, watched());
      return true;
    } catch (error) {
      if (isStale || isHoldfastError(error, 'StoreFull')) return false;
      throw error;
    }
  }

  /** All but the one to `keep`. */
  async #drop(keep: string | undefined): Promise<void> {
    const names = this.#names;
    // Should a deletion fail, the rest is tried again the next time.
    this.#names = keep === undefined ? names : [...names, keep];
    for (const name of names) await this.#backend.delete(name);
    this.#names = keep === undefined ? [] : [keep];
  }
}
