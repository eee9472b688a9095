import type { ChunkReader } from './chunk-reader.ts';
import type { ChunkWriter, NewBytes } from './chunk-writer.ts';
import { damagedDiskError, MapReader } from './disk-map.ts';
import {
  cutIntoWindows,
  type DiskWindow,
  type DiskWork,
  gatherWindows,
  type Piece,
  windowBytesFor,
} from './disk-windows.ts';
import { Limiter } from './limiter.ts';
import { mapOrdered } from './map-ordered.ts';
import { type MapUpdate, rebuildMap } from './rebuild-map.ts';
import type { Slab, SlabPool } from './slab.ts';
import type { WriteDiskRequest, WriteProgress, WrittenDisk } from './types.ts';

/** Asked of the source in one call, and calls open at once. */
const longestReadBytes = 2 * 1024 * 1024;
const readsInFlight = 8;

export interface DiskWriterParts {
  chunkSizeBytes: number;
  /** Memory for the windows under way, of all disks that are being written. */
  windows: SlabPool;
  reader: ChunkReader;
  writer: ChunkWriter;
  signal: AbortSignal;
}

/** Writes one disk: windows are worked on side by side, their chunks go into the map in order. */
export async function writeDisk(request: WriteDiskRequest, parts: DiskWriterParts): Promise<WrittenDisk> {
  const { chunkSizeBytes, reader, writer, signal } = parts;
  const { sizeBytes } = request;
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0)
    throw new RangeError(`not a disk size: ${sizeBytes}`);
  if (request.base !== undefined && request.base.chunkSizeBytes !== chunkSizeBytes)
    throw new Error(
      `the base has chunks of ${request.base.chunkSizeBytes} bytes, this store writes ${chunkSizeBytes}: write the disk without it`,
    );
  const base = request.base && new MapReader(request.base, reader);
  const progress: WriteProgress = { processedBytes: 0, readBytes: 0, newBytes: 0, storedBytes: 0 };
  const count = (added: NewBytes) => {
    progress.newBytes += added.newBytes;
    progress.storedBytes += added.storedBytes;
  };
  const window = new WindowWriter(request, parts, base, progress, count);
  const endsInChunk = sizeBytes % chunkSizeBytes !== 0;
  const windowBytes = windowBytesFor(chunkSizeBytes);
  const cut = cutIntoWindows(request.extents, {
    sizeBytes,
    windowBytes,
    tail: base !== undefined && base.disk.sizeBytes > sizeBytes && endsInChunk ? sizeBytes - 1 : undefined,
  });
  const work = gatherWindows(cut, { windowBytes, chunkSizeBytes });

  async function* updates(): AsyncGenerator<MapUpdate> {
    for await (const changed of mapOrdered(work, parts.windows.count, (item) => window.write(item))) {
      request.onProgress?.({ ...progress });
      yield* changed;
    }
  }

  const root = await rebuildMap({
    sizeBytes,
    chunkSizeBytes,
    base,
    updates: updates(),
    signal,
    async writePage(page) {
      const { id, added } = await writer.writePage(page);
      count(added);
      return id;
    },
  });
  return { ...progress, disk: { root: root?.toString('hex'), sizeBytes, chunkSizeBytes } };
}

/** A chunk of the disk with the place of its content in the slab; without one it becomes zeros. */
interface PlannedChunk {
  chunk: number;
  slot: number | undefined;
  pieces: readonly Piece[];
}

/** A chunk that needs something of the base: its `gaps`, as places in it, in its `content`. */
interface BaseContent {
  chunk: number;
  content: Buffer;
  gaps: readonly { from: number; to: number }[];
}

class WindowWriter {
  readonly #request: WriteDiskRequest;
  readonly #parts: DiskWriterParts;
  readonly #base: MapReader | undefined;
  readonly #progress: WriteProgress;
  readonly #count: (added: NewBytes) => void;
  readonly #reads = new Limiter(readsInFlight);

  constructor(
    request: WriteDiskRequest,
    parts: DiskWriterParts,
    base: MapReader | undefined,
    progress: WriteProgress,
    count: (added: NewBytes) => void,
  ) {
    this.#request = request;
    this.#parts = parts;
    this.#base = base;
    this.#progress = progress;
    this.#count = count;
  }

  async write(work: DiskWork): Promise<MapUpdate[]> {
    const { signal, windows, chunkSizeBytes } = this.#parts;
    signal.throwIfAborted();
    if (work.kind === 'zeros') {
      this.#progress.processedBytes += work.length;
      const first = work.offset / chunkSizeBytes;
      const end = Math.ceil((work.offset + work.length) / chunkSizeBytes);
      return this.#base === undefined ? [] : [{ first, end, id: undefined }];
    }
    const updates = await windows.use((slab) => this.#writeWindow(work, slab));
    for (const { length } of work.pieces) this.#progress.processedBytes += length;
    return updates;
  }

  async #writeWindow(work: DiskWindow, slab: Slab): Promise<MapUpdate[]> {
    const { signal, writer, chunkSizeBytes } = this.#parts;
    const planned = this.#plan(work);
    const count = planned.filter(({ slot }) => slot !== undefined).length;
    const fromBase = await this.#fill(work.pieces, planned, slab);
    signal.throwIfAborted();
    const isScattered = fromBase * 2 > count;
    const { ids, added } = await writer.writeData(slab, { count, chunkBytes: chunkSizeBytes, isScattered });
    this.#count(added);
    return planned.map(({ chunk, slot }) => ({
      first: chunk,
      end: chunk + 1,
      id: slot === undefined ? undefined : ids[slot],
    }));
  }

  /** Neighbouring chunks have neighbouring slots wherever something is read, so that one read fills several. */
  #plan(work: DiskWindow): PlannedChunk[] {
    let slots = 0;
    return [...this.#chunksOf(work)].map((chunk) => {
      const { start, end } = this.#boundsOf(chunk);
      const pieces = work.pieces.flatMap((piece) => {
        const from = Math.max(piece.offset, start);
        const to = Math.min(piece.offset + piece.length, end);
        return from < to ? [{ offset: from, length: to - from, zero: piece.zero }] : [];
      });
      const zeroBytes = pieces.reduce((sum, { length, zero }) => sum + (zero ? length : 0), 0);
      return { chunk, slot: zeroBytes === end - start ? undefined : slots++, pieces };
    });
  }

  *#chunksOf({ start, pieces, also }: DiskWindow): Generator<number> {
    const { chunkSizeBytes } = this.#parts;
    let next = start / chunkSizeBytes;
    for (const { offset, length } of pieces) {
      next = Math.max(next, Math.floor(offset / chunkSizeBytes));
      for (; next * chunkSizeBytes < offset + length; next++) yield next;
    }
    if (also !== undefined && Math.floor(also / chunkSizeBytes) >= next)
      yield Math.floor(also / chunkSizeBytes);
  }

  #boundsOf(chunk: number): { start: number; end: number } {
    const start = chunk * this.#parts.chunkSizeBytes;
    return { start, end: Math.min(start + this.#parts.chunkSizeBytes, this.#request.sizeBytes) };
  }

  /**
   * Brings the content of the planned chunks into the slab; of how many a part is the base's. Nothing touches it any more
   * when this has settled.
   */
  async #fill(pieces: readonly Piece[], planned: readonly PlannedChunk[], slab: Slab): Promise<number> {
    const { chunkSizeBytes } = this.#parts;
    const work: Promise<void>[] = [];
    const fromBase: BaseContent[] = [];
    for (const { chunk, slot, pieces: inside } of planned) {
      if (slot === undefined) continue;
      const { start, end } = this.#boundsOf(chunk);
      const content = slab.input.subarray(slot * chunkSizeBytes, (slot + 1) * chunkSizeBytes);
      content.fill(0, end - start);
      for (const { offset, length, zero } of inside)
        if (zero) content.fill(0, offset - start, offset - start + length);
      const gaps = gapsBetween(inside, start, end);
      if (gaps.length > 0) fromBase.push({ chunk, content, gaps });
    }
    if (fromBase.length > 0) work.push(this.#fillFromBase(fromBase));
    const slotOf = new Map(planned.map(({ chunk, slot }) => [chunk, slot]));
    for (const { offset, length } of readsOf(pieces)) {
      const chunk = Math.floor(offset / chunkSizeBytes);
      const at = (slotOf.get(chunk) ?? 0) * chunkSizeBytes + offset - chunk * chunkSizeBytes;
      const into = slab.input.subarray(at, at + length);
      work.push(this.#reads.run(() => this.#read(offset, into)));
    }
    await settleAll(work);
    return this.#base === undefined ? 0 : fromBase.length;
  }

  async #read(offset: number, into: Buffer): Promise<void> {
    const { signal } = this.#parts;
    signal.throwIfAborted();
    const data = await this.#request.source.read(offset, into.length, signal, into);
    if (data.length !== into.length)
      throw new Error(
        `the source gave ${data.length} bytes at ${offset} where ${into.length} were asked for`,
      );
    if (data.buffer !== into.buffer || data.byteOffset !== into.byteOffset) into.set(data);
    this.#progress.readBytes += into.length;
  }

  /** What is written only in part has the rest from the base: all such chunks of a window at once. */
  async #fillFromBase(wanted: readonly BaseContent[]): Promise<void> {
    const { reader, signal, chunkSizeBytes } = this.#parts;
    const stored: BaseContent[] = [];
    const ids: Buffer[] = [];
    for (const one of wanted) {
      const id = await this.#base?.chunkId(one.chunk);
      if (id === undefined) for (const { from, to } of one.gaps) one.content.fill(0, from, to);
      else {
        stored.push(one);
        ids.push(id);
      }
    }
    const use = (number: number, data: Buffer) => {
      const { content, gaps } = stored[number] ?? { content: data, gaps: [] };
      for (const { from, to } of gaps) data.copy(content, from, from, to);
    };
    const [first] = await reader.lendScattered(ids, chunkSizeBytes, use, signal);
    if (first === undefined) return;
    const offset = (stored[first.number]?.chunk ?? 0) * chunkSizeBytes;
    throw damagedDiskError({ offset, length: chunkSizeBytes, damage: first.damage });
  }
}

/** What ascending pieces leave out of a chunk, as places in it. */
function gapsBetween(pieces: readonly Piece[], start: number, end: number): { from: number; to: number }[] {
  const gaps: { from: number; to: number }[] = [];
  let reached = start;
  for (const { offset, length } of [...pieces, { offset: end, length: 0 }]) {
    if (offset > reached) gaps.push({ from: reached - start, to: offset - start });
    reached = offset + length;
  }
  return gaps;
}

/** What is not zeros, neighbours together, and never a byte more. */
function readsOf(pieces: readonly Piece[]): { offset: number; length: number }[] {
  const stretches: { offset: number; length: number }[] = [];
  for (const { offset, length, zero } of pieces) {
    if (zero) continue;
    const last = stretches.at(-1);
    if (last !== undefined && last.offset + last.length === offset) last.length += length;
    else stretches.push({ offset, length });
  }
  return stretches.flatMap(({ offset, length }) => {
    const cut: { offset: number; length: number }[] = [];
    for (let at = 0; at < length; at += longestReadBytes)
      cut.push({ offset: offset + at, length: Math.min(longestReadBytes, length - at) });
    return cut;
  });
}

/** As `Promise.all`, but nothing is still running when it rejects. */
async function settleAll<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return await Promise.all(promises);
}
