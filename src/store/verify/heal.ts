import { isHoldfastError } from '../../errors/index.ts';
import { ChunkWriter } from '../chunk-writer.ts';
import {
  checkDiskRoot,
  chunkCountOf,
  entriesPerPage,
  entryOf,
  levelsFor,
  pageBytes,
  setEntry,
  spanOf,
} from '../disk-map.ts';
import { PackWriter } from '../pack-writer.ts';
import type { StoreState } from '../store-state.ts';
import type { DiskRoot, DiskSource } from '../types.ts';
import { GapList } from './locate-damage.ts';
import type { HealReport, UpkeepOptions } from './types.ts';

/**
 * Stores anew what a disk refers to and cannot be read, from a source that has the same content: a copy of the point in
 * another store, the frozen layers. Reads of the source only what is damaged. Content proves itself by its id; what is
 * not the same is garbage for a collection, and reported as lost. Pages of the map are made again from what is under them.
 */
export async function healDisk(
  state: StoreState,
  disk: DiskRoot,
  source: DiskSource,
  options: UpkeepOptions,
): Promise<HealReport> {
  checkDiskRoot(disk);
  const { signal } = options;
  const use = state.uses.beginWriter();
  use.hold(disk);
  const packs = new PackWriter(state.sink, state.settings.packTargetBytes, use.wrote);
  const writer = new ChunkWriter(state.index, state.workers, state.settings, packs, state.keys?.content);
  try {
    const healer = new Healer(state, disk, source, writer, options);
    await healer.healAll();
    signal?.throwIfAborted();
    await packs.flush();
    await state.saveIndex();
    return healer.report();
  } finally {
    await packs.discard();
    use.end();
  }
}

/** Chunks `first` and on are to have these ids. */
interface Wanted {
  first: number;
  ids: Buffer[];
}

class Healer {
  readonly #state: StoreState;
  readonly #disk: DiskRoot;
  readonly #source: DiskSource;
  readonly #writer: ChunkWriter;
  readonly #options: UpkeepOptions;
  readonly #chunkCount: number;
  readonly #lost = new GapList('');
  #healedChunks = 0;
  #healedBytes = 0;

  constructor(
    state: StoreState,
    disk: DiskRoot,
    source: DiskSource,
    writer: ChunkWriter,
    options: UpkeepOptions,
  ) {
    this.#state = state;
    this.#disk = disk;
    this.#source = source;
    this.#writer = writer;
    this.#options = options;
    this.#chunkCount = chunkCountOf(disk.sizeBytes, disk.chunkSizeBytes);
  }

  report(): HealReport {
    const healed = { healedChunks: this.#healedChunks, healedBytes: this.#healedBytes };
    return { ...healed, lost: this.#lost.result().gaps };
  }

  async healAll(): Promise<void> {
    const { root } = this.#disk;
    if (root !== undefined) await this.#page(Buffer.from(root, 'hex'), levelsFor(this.#chunkCount), 0);
  }

  async #page(id: Buffer, level: number, index: number): Promise<void> {
    const { signal } = this.#options;
    signal?.throwIfAborted();
    const { data } = await this.#state.reader.read(id, pageBytes, signal);
    const page = data ?? (await this.#remake(id, level, index));
    if (page === undefined) return;
    const absent: Wanted = { first: 0, ids: [] };
    const children: { id: Buffer; index: number }[] = [];
    for (let slot = 0; slot < entriesPerPage; slot++) {
      const child = entryOf(page, slot);
      if (child !== undefined) children.push({ id: child, index: index * entriesPerPage + slot });
    }
    if (level > 1) {
      for (const child of children) await this.#page(child.id, level - 1, child.index);
      return;
    }
    const damages = await this.#state.reader.absences(
      children.map((child) => child.id),
      this.#disk.chunkSizeBytes,
    );
    for (const [number, child] of children.entries()) {
      if (damages[number] === undefined) continue;
      const follows = absent.first + absent.ids.length === child.index;
      if (!follows || absent.ids.length === this.#perWindow) {
        await this.#chunks(absent);
        absent.first = child.index;
        absent.ids = [];
      }
      absent.ids.push(child.id);
    }
    await this.#chunks(absent);
  }

  /** A page that cannot be read, from the content under it. Undefined when that comes to another page. */
  async #remake(id: Buffer, level: number, index: number): Promise<Buffer | undefined> {
    const made = await this.#orLost(level, index, () => this.#make(level, index));
    if (made === undefined) return undefined;
    if (made.id?.equals(id) === true) {
      this.#count(1, pageBytes);
      return made.page;
    }
    this.#lose(index * this.#reach(level), this.#reach(level), 'the source has other content there');
    return undefined;
  }

  async #make(level: number, index: number): Promise<{ id: Buffer | undefined; page: Buffer }> {
    const page = Buffer.alloc(pageBytes);
    const firstChild = index * entriesPerPage;
    const span = spanOf(level);
    const count = Math.min(entriesPerPage, Math.ceil(this.#chunkCount / span) - firstChild);
    if (level > 1) {
      for (let slot = 0; slot < count; slot++)
        setEntry(page, slot, (await this.#make(level - 1, firstChild + slot)).id);
    } else {
      for (let slot = 0; slot < count; slot += this.#perWindow) {
        const ids = await this.#write(firstChild + slot, Math.min(this.#perWindow, count - slot));
        ids.forEach((id, number) => {
          setEntry(page, slot + number, id);
        });
      }
    }
    if (page.every((byte) => byte === 0)) return { id: undefined, page };
    return { id: (await this.#writer.writePage(page)).id, page };
  }

  async #chunks({ first, ids }: Wanted): Promise<void> {
    if (ids.length === 0) return;
    const { chunkSizeBytes } = this.#disk;
    const written = await this.#orLost(0, first, () => this.#write(first, ids.length), ids.length);
    ids.forEach((id, number) => {
      if (written === undefined) return;
      if (written[number]?.equals(id) === true) this.#count(1, chunkSizeBytes);
      else
        this.#lose((first + number) * chunkSizeBytes, chunkSizeBytes, 'the source has other content there');
    });
  }

  /** Brings chunks from the source into the store; their ids, undefined for zeros. */
  async #write(first: number, count: number): Promise<(Buffer | undefined)[]> {
    const { chunkSizeBytes, sizeBytes } = this.#disk;
    const { signal, pace } = this.#options;
    const offset = first * chunkSizeBytes;
    const length = Math.min(count * chunkSizeBytes, sizeBytes - offset);
    await pace?.(length, signal);
    return await this.#state.windows.use(async (slab) => {
      const into = slab.input.subarray(0, length);
      const data = await this.#source.read(offset, length, signal, into);
      if (data.length !== length)
        throw new Error(`the source gave ${data.length} bytes at ${offset} where ${length} were asked for`);
      if (data.buffer !== into.buffer || data.byteOffset !== into.byteOffset) into.set(data);
      slab.input.fill(0, length, count * chunkSizeBytes);
      const chunks = { count, chunkBytes: chunkSizeBytes, isScattered: false };
      return (await this.#writer.writeData(slab, chunks)).ids;
    });
  }

  /** A source that has lost the stretch, too, is no reason to leave the others. */
  async #orLost<T>(
    level: number,
    index: number,
    action: () => Promise<T>,
    count = 1,
  ): Promise<T | undefined> {
    try {
      return await action();
    } catch (error) {
      if (!isHoldfastError(error, 'StoreDamaged')) throw error;
      const reach = level === 0 ? this.#disk.chunkSizeBytes : this.#reach(level);
      this.#lose(index * reach, count * reach, error.message);
      return undefined;
    }
  }

  #lose(offset: number, length: number, reason: string): void {
    this.#lost.add(offset, Math.min(length, this.#disk.sizeBytes - offset), reason);
  }

  #count(chunks: number, bytes: number): void {
    this.#healedChunks += chunks;
    this.#healedBytes += bytes;
  }

  /** Bytes of disk under a page. */
  #reach(level: number): number {
    return spanOf(level) * entriesPerPage * this.#disk.chunkSizeBytes;
  }

  get #perWindow(): number {
    const chunks = Math.floor(this.#state.windows.inputBytes / this.#disk.chunkSizeBytes);
    if (chunks === 0) throw new Error('the disk has larger chunks than this store writes');
    return chunks;
  }
}
