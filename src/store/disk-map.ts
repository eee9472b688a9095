import { HoldfastError } from '../errors/index.ts';
import type { ChunkDamage, ChunkReader } from './chunk-reader.ts';
import { isChunkSize } from './store-config.ts';
import type { DiskRoot } from './types.ts';

/**
 * A disk's map is a tree of pages. A page has 256 entries of 32 bytes: content ids of data chunks at level 1, of pages
 * of the level below above that; an entry of zeros stands for nothing but zeros. The tree is exactly as high as the
 * number of chunks needs, and a page of zeros is not stored.
 */
export const entriesPerPage = 256;
export const idBytes = 32;
export const pageBytes = entriesPerPage * idBytes;

const noId = Buffer.alloc(idBytes);

export function chunkCountOf(sizeBytes: number, chunkSizeBytes: number): number {
  return Math.ceil(sizeBytes / chunkSizeBytes);
}

/** Level of the root page. */
export function levelsFor(chunkCount: number): number {
  let levels = 1;
  for (let reach = entriesPerPage; reach < chunkCount; reach *= entriesPerPage) levels++;
  return levels;
}

/** Chunks under one entry of a page of this level. */
export function spanOf(level: number): number {
  return entriesPerPage ** (level - 1);
}

/** The id in an entry; undefined where there is nothing but zeros. */
export function entryOf(page: Buffer, slot: number): Buffer | undefined {
  const id = page.subarray(slot * idBytes, (slot + 1) * idBytes);
  return id.equals(noId) ? undefined : id;
}

export function setEntry(page: Buffer, slot: number, id: Buffer | undefined): void {
  (id ?? noId).copy(page, slot * idBytes);
}

/** A damaged chunk or page, with the stretch of the disk that cannot be read because of it. */
export interface DiskDamage {
  offset: number;
  length: number;
  damage: ChunkDamage;
}

export function damagedDiskError({ offset, length, damage }: DiskDamage): HoldfastError {
  return new HoldfastError(
    'StoreDamaged',
    `Bytes ${offset} to ${offset + length - 1} of the disk cannot be read: ${damage.message}.`,
    { target: damage.chunkId },
  );
}

/** Throws a plain error for a root that no store has written. */
export function checkDiskRoot(disk: DiskRoot): void {
  const { root, sizeBytes, chunkSizeBytes } = disk;
  const rootIsId = root === undefined || /^[0-9a-f]{64}$/.test(root);
  if (!rootIsId || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || !isChunkSize(chunkSizeBytes))
    throw new Error(`not the root of a disk: ${JSON.stringify(disk)}`);
}

/** Pages kept at hand by one reader; a walk in order needs one per level. */
const cachedPages = 64;

/** Looks things up in a stored map. Every page is read once while it stays in the cache. */
export class MapReader {
  readonly disk: DiskRoot;
  readonly chunkCount: number;
  readonly levels: number;
  readonly rootId: Buffer | undefined;
  readonly #chunks: ChunkReader;
  readonly #pages = new Map<string, Promise<Buffer | undefined>>();

  constructor(disk: DiskRoot, chunks: ChunkReader) {
    checkDiskRoot(disk);
    this.disk = disk;
    this.chunkCount = chunkCountOf(disk.sizeBytes, disk.chunkSizeBytes);
    this.levels = levelsFor(this.chunkCount);
    this.rootId = disk.root === undefined ? undefined : Buffer.from(disk.root, 'hex');
    this.#chunks = chunks;
  }

  /** Content id of a chunk; undefined where the disk has zeros. @throws StoreDamaged */
  async chunkId(chunk: number): Promise<Buffer | undefined> {
    if (chunk >= this.chunkCount) return undefined;
    const page = await this.page(1, Math.floor(chunk / entriesPerPage));
    return page && entryOf(page, chunk % entriesPerPage);
  }

  /** Content id of a page, `index` counting the pages of its level; undefined where the disk has zeros. */
  async pageId(level: number, index: number): Promise<Buffer | undefined> {
    if (level > this.levels || (level === this.levels && index > 0)) return undefined;
    if (level === this.levels) return this.rootId;
    const parent = await this.page(level + 1, Math.floor(index / entriesPerPage));
    return parent && entryOf(parent, index % entriesPerPage);
  }

  /** Takes no signal: callers with different ones share the page. */
  page(level: number, index: number): Promise<Buffer | undefined> {
    const key = `${level}:${index}`;
    const known = this.#pages.get(key);
    if (known !== undefined) {
      this.#pages.delete(key);
      this.#pages.set(key, known); // youngest again
      return known;
    }
    const page = this.#load(level, index);
    this.#pages.set(key, page);
    page.catch(() => this.#pages.delete(key));
    const oldest = this.#pages.keys().next();
    if (this.#pages.size > cachedPages && !oldest.done) this.#pages.delete(oldest.value);
    return page;
  }

  async #load(level: number, index: number): Promise<Buffer | undefined> {
    const id = await this.pageId(level, index);
    if (id === undefined) return undefined;
    const { data, damage } = await this.#chunks.read(id, pageBytes);
    if (damage === undefined) return data;
    throw new DamagedPage(this.#stretch(level, index, damage));
  }

  #stretch(level: number, index: number, damage: ChunkDamage): DiskDamage {
    const { sizeBytes, chunkSizeBytes } = this.disk;
    const reach = spanOf(level) * entriesPerPage * chunkSizeBytes;
    const offset = index * reach;
    return { offset, length: Math.min(reach, sizeBytes - offset), damage };
  }

  /**
   * The level 1 pages that are not all zeros, in order. With `onDamage`, a page that cannot be read is reported and
   * what is under it left out; otherwise it is thrown.
   */
  async *leaves(
    options: { signal?: AbortSignal | undefined; onDamage?: (damage: DiskDamage) => void } = {},
  ): AsyncGenerator<{ firstChunk: number; page: Buffer }> {
    if (this.rootId !== undefined) yield* this.#leavesUnder(this.levels, 0, options);
  }

  async *#leavesUnder(
    level: number,
    index: number,
    options: { signal?: AbortSignal | undefined; onDamage?: (damage: DiskDamage) => void },
  ): AsyncGenerator<{ firstChunk: number; page: Buffer }> {
    options.signal?.throwIfAborted();
    let page: Buffer | undefined;
    try {
      page = await this.page(level, index);
    } catch (error) {
      if (!(error instanceof DamagedPage) || options.onDamage === undefined) throw error;
      options.onDamage(error.stretch);
    }
    if (page === undefined) return;
    if (level === 1) {
      yield { firstChunk: index * entriesPerPage, page };
      return;
    }
    for (let slot = 0; slot < entriesPerPage; slot++) {
      const child = index * entriesPerPage + slot;
      if (child * spanOf(level) >= this.chunkCount) return;
      if (entryOf(page, slot) !== undefined) yield* this.#leavesUnder(level - 1, child, options);
    }
  }
}

/** Carries the stretch for a walk that goes on; for everyone else it is the catalogue's error. */
class DamagedPage extends HoldfastError {
  readonly stretch: DiskDamage;

  constructor(stretch: DiskDamage) {
    const { message, target } = damagedDiskError(stretch);
    super('StoreDamaged', message, target === undefined ? {} : { target });
    this.stretch = stretch;
  }
}
