import { HoldfastError, isHoldfastError } from '../errors/index.ts';
import { directRoom } from '../platform/index.ts';
import type { Backend } from './backend.ts';
import type { ChunkIndex } from './chunk-index.ts';
import { ChunkReader } from './chunk-reader.ts';
import { ChunkWorkers } from './chunk-workers.ts';
import { decompressionRoom } from './codec.ts';
import { Generations } from './collect/generations.ts';
import { CondemnedPacks } from './condemned-packs.ts';
import { groupBytesFor } from './disk-reader.ts';
import { windowBytesFor } from './disk-windows.ts';
import { type Documents, documentsWith } from './document.ts';
import type { LoadedGeneration } from './generation-record.ts';
import type { IndexSection } from './index-segment.ts';
import { IndexTables } from './index-tables.ts';
import { sealBytes } from './keys/seal.ts';
import type { StoreKeys } from './keys/store-keys.ts';
import { KnownPoints } from './known-points.ts';
import { pointName } from './layout.ts';
import { Limiter } from './limiter.ts';
import { type LoadedIndex, saveSegment, trimSegments } from './load-index.ts';
import { packMemory } from './pack-memory.ts';
import type { PackSink } from './pack-writer.ts';
import { SlabPool, slabEntries } from './slab.ts';
import type { StoreConfig } from './store-config.ts';
import { Uses } from './uses.ts';
import type { Quarantine } from './verify/quarantine.ts';

/** How an open store works, as opposed to what is in it. */
export interface StoreSettings {
  packTargetBytes: number;
  /** What a collection sets aside. */
  reserveBytes: number;
  compressionLevel: number;
  tryOut: boolean;
  /** Aborted when others may change the store: see `StoreLock`. */
  lost: AbortSignal;
  /** See {@link chunksBeforeTable}. */
  chunksBeforeTable: number | undefined;
  /** Threads for work on bytes; undefined: one per core. */
  threads: number | undefined;
}

/** What the readers and writers of one open store share. */
export class StoreState {
  readonly backend: Backend;
  readonly config: StoreConfig;
  /** Of an encrypted store. */
  readonly keys: StoreKeys | undefined;
  readonly documents: Documents;
  readonly index: ChunkIndex;
  readonly settings: StoreSettings;
  readonly workers: ChunkWorkers;
  /** Room for the windows that are being written, all points together. */
  readonly windows: SlabPool;
  readonly reader: ChunkReader;
  readonly sink: PackSink;
  /** Point id to item id, of the points in the store and of those being written: an id is used once. */
  readonly points = new Map<string, string>();
  /** Of these, ids whose record may or may not be there, as putting it failed. */
  readonly doubtful = new Set<string>();
  readonly known = new KnownPoints();
  readonly uses = new Uses();
  readonly condemned: CondemnedPacks;
  readonly generations: Generations;
  readonly quarantine: Quarantine;
  /** Packs deleted since the store was opened: a commit that sees it change looks up what it relies on. */
  removals = 0;
  #unsaved: IndexSection[] = [];
  /** Held by a collection, and by whoever must not run beside one. */
  readonly oneCollection = new Limiter(1);
  readonly #saving = new Limiter(1);
  readonly #tables: IndexTables;
  /** Segments of which everything is in the index. */
  readonly #entered: Set<string>;
  readonly #withoutSegment: ReadonlySet<string>;
  #closed = false;

  constructor(
    backend: Backend,
    config: StoreConfig,
    keys: StoreKeys | undefined,
    { index, packs, tables, entered, withoutSegment }: LoadedIndex,
    generation: LoadedGeneration,
    quarantine: Quarantine,
    settings: StoreSettings,
  ) {
    this.backend = backend;
    this.config = config;
    this.keys = keys;
    this.documents = documentsWith(keys);
    this.index = index;
    this.#entered = entered;
    this.#withoutSegment = withoutSegment;
    this.#tables = new IndexTables(backend, index, tables, settings.chunksBeforeTable);
    this.settings = settings;
    this.workers = new ChunkWorkers({ threads: settings.threads, keys: keys?.content });
    const windowBytes = windowBytesFor(config.chunkSizeBytes);
    const groupBytes = groupBytesFor(config.chunkSizeBytes);
    const seals = keys === undefined ? 0 : slabEntries * sealBytes;
    // Each thread has one in hand and one waiting; the others are being read or put into packs.
    const slabs = this.workers.limit * 2 + 2;
    this.windows = new SlabPool(slabs, windowBytes, windowBytes + seals);
    const fetches = new SlabPool(slabs, directRoom(groupBytes + seals), decompressionRoom(groupBytes));
    this.quarantine = quarantine;
    this.reader = new ChunkReader(backend, index, packs, this.workers, fetches);
    const onPack = (section: IndexSection) => {
      this.#unsaved.push(section);
      quarantine.forget(section.packId); // it may be one that was damaged, and is whole again
    };
    this.condemned = new CondemnedPacks(index, packs);
    this.generations = new Generations(backend, this.documents, this.condemned, packs, generation);
    this.sink = {
      backend,
      index,
      packs,
      memory: packMemory,
      condemned: this.condemned,
      onPack,
    };
  }

  /** What was in a pack that cannot tell it any more: the next segment will know it. */
  remember(section: IndexSection): void {
    this.#unsaved.push(section);
  }

  /** Brings the index on the medium up to date with the packs written so far, whoever wrote them. */
  async saveIndex(): Promise<void> {
    await this.#saving.run(async () => {
      const sections = [...this.#unsaved]; // more may come while these are written
      if (sections.length === 0) return;
      // A pack that was collected before any segment had it needs none.
      const there = sections.filter(({ packId }) => this.sink.packs.sizeOf(packId) !== undefined);
      if (there.length > 0) await saveSegment(this.backend, there, this.#entered);
      this.#unsaved = this.#unsaved.slice(sections.length);
    });
  }

  /** See {@link trimSegments}; never while a segment is being written, which could mention what goes meanwhile. */
  async trimIndex(isGone: (packId: string) => boolean): Promise<boolean> {
    return await this.#saving.run(async () => {
      if (!(await trimSegments(this.backend, isGone, this.#entered))) return false;
      if (this.#tables.mentions(isGone)) await this.#saveTable(isGone);
      return true;
    });
  }

  /** Writes the index's table if the one on the medium lacks much, so that the next start is quick. */
  async saveTableIfDue(): Promise<void> {
    if (this.#tables.isDue) await this.#saving.run(() => this.#saveTable());
  }

  /** Whether a table was there, or was written, and is there no more. */
  async isTableMissing(): Promise<boolean> {
    return await this.#tables.isMissing();
  }

  /** Puts another table in the place of a damaged one; `tablePrefix`: of one that has gone. */
  async replaceTable(name: string): Promise<void> {
    await this.#saving.run(async () => {
      await this.#tables.discard(name);
      if (this.#tables.isDue) await this.#saveTable();
    });
  }

  /** A pack that no segment has yet stays out: it would never get one. */
  async #saveTable(isGone: (packId: string) => boolean = () => false): Promise<void> {
    const unsaved = new Set(this.#unsaved.map(({ packId }) => packId));
    const isOut = (packId: string) => unsaved.has(packId) || this.#withoutSegment.has(packId);
    await this.#tables.save(this.#entered, (packId) => isGone(packId) || isOut(packId));
  }

  /** No segment is written or deleted by anyone else meanwhile. */
  async whileIndexRests<T>(action: () => Promise<T>): Promise<T> {
    return await this.#saving.run(action);
  }

  /** As {@link saveIndex} at the end: the index is a cache, so a full store only means that the next open reads more. */
  async saveIndexIfRoom(): Promise<void> {
    try {
      await this.saveIndex();
    } catch (error) {
      if (!isHoldfastError(error, 'StoreFull')) throw error;
    }
  }

  close(): void {
    this.#closed = true;
  }

  throwIfClosed(): void {
    this.settings.lost.throwIfAborted();
    if (this.#closed) throw new Error('the store has been closed');
  }

  /** Frees the id of a point whose record could not be put, where it proves not to be there. */
  async settleDoubt(pointId: string): Promise<void> {
    const itemId = this.points.get(pointId);
    if (itemId === undefined || !this.doubtful.has(pointId)) return;
    if ((await this.backend.stat(pointName(itemId, pointId))) !== undefined) return;
    if (this.doubtful.delete(pointId)) this.points.delete(pointId);
  }

  /** A point id that is taken is a bug of the caller: ids are made up anew for every point. */
  reserve(itemId: string, pointId: string): void {
    const taken = this.points.get(pointId);
    if (taken !== undefined)
      throw new HoldfastError(
        'RecoveryPointExists',
        `The store already has a recovery point ${pointId} (of ${taken}).`,
        {
          target: pointId,
        },
      );
    this.points.set(pointId, itemId);
  }
}
