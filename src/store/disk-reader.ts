import type { ChunkReader } from './chunk-reader.ts';
import { type DiskDamage, damagedDiskError, entriesPerPage, entryOf, MapReader } from './disk-map.ts';
import { Limiter } from './limiter.ts';
import { mapOrdered } from './map-ordered.ts';
import type { DiskReader, OnGap } from './store.ts';
import type { DiskRoot } from './types.ts';
import type { Hold } from './uses.ts';

/** Chunks fetched and checked together, and such groups under way at once. */
const groupBytes = 1024 * 1024;
const groupsInFlight = 8;

/** What a group holds at most: 1 MiB, or one chunk if that is more. */
export function groupBytesFor(chunkSizeBytes: number): number {
  return Math.max(groupBytes, chunkSizeBytes);
}

/** A file takes one write at a time through the page cache, and others burn a processor waiting; a second fills the gap. */
const writesInFlight = 2;

/** Neighbouring chunks of a disk: chunk `first` has `ids[0]`. */
export interface ChunkGroup {
  first: number;
  ids: Buffer[];
}

/** Groups of neighbouring stored chunks, ascending, at most `groupBytes` of disk each. */
export async function* chunkGroups(
  map: MapReader,
  options: Parameters<MapReader['leaves']>[0],
): AsyncGenerator<ChunkGroup> {
  const most = groupBytesFor(map.disk.chunkSizeBytes) / map.disk.chunkSizeBytes;
  for await (const { firstChunk, page } of map.leaves(options)) {
    let group: ChunkGroup = { first: 0, ids: [] };
    const count = Math.min(entriesPerPage, map.chunkCount - firstChunk);
    for (let slot = 0; slot < count; slot++) {
      const id = entryOf(page, slot);
      if (group.ids.length > 0 && (id === undefined || group.ids.length === most)) {
        yield group;
        group = { first: 0, ids: [] };
      }
      if (id === undefined) continue;
      if (group.ids.length === 0) group.first = firstChunk + slot;
      group.ids.push(id);
    }
    if (group.ids.length > 0) yield group;
  }
}

/** As {@link chunkGroups}, of the chunks that a stretch of the disk touches. */
export async function* groupsWithin(
  map: MapReader,
  { offset, length }: { offset: number; length: number },
): AsyncGenerator<ChunkGroup> {
  const { chunkSizeBytes } = map.disk;
  const most = groupBytesFor(chunkSizeBytes) / chunkSizeBytes;
  const end = Math.ceil((offset + length) / chunkSizeBytes);
  let group: ChunkGroup = { first: 0, ids: [] };
  for (let chunk = Math.floor(offset / chunkSizeBytes); length > 0 && chunk < end; chunk++) {
    const id = await map.chunkId(chunk);
    if (group.ids.length > 0 && (id === undefined || group.ids.length === most)) {
      yield group;
      group = { first: 0, ids: [] };
    }
    if (id === undefined) continue;
    if (group.ids.length === 0) group.first = chunk;
    group.ids.push(id);
  }
  if (group.ids.length > 0) yield group;
}

/** `hold` keeps the disk from being collected; the reader lets go of it when it is disposed. */
export function openDisk(disk: DiskRoot, chunks: ChunkReader, hold: Hold): DiskReader {
  const map = new MapReader(disk, chunks);
  const { sizeBytes, chunkSizeBytes } = disk;

  async function readGroup(
    { first, ids }: ChunkGroup,
    signal: AbortSignal | undefined,
    onDamage?: (damage: DiskDamage) => void,
  ): Promise<{ offset: number; data: Buffer }[]> {
    const results = await chunks.readMany(ids, chunkSizeBytes, signal);
    const pieces: { offset: number; data: Buffer }[] = [];
    results.forEach(({ data, damage }, number) => {
      const offset = (first + number) * chunkSizeBytes;
      const length = Math.min(chunkSizeBytes, sizeBytes - offset);
      if (damage !== undefined) {
        if (onDamage === undefined) throw damagedDiskError({ offset, length, damage });
        onDamage({ offset, length, damage });
        return;
      }
      const last = pieces.at(-1);
      // Chunks that were decompressed together are one stretch of memory already.
      if (last !== undefined && last.offset + last.data.length === offset && follows(last.data, data))
        last.data = Buffer.from(last.data.buffer, last.data.byteOffset, last.data.length + length);
      else pieces.push({ offset, data: data.subarray(0, length) });
    });
    return pieces;
  }

  function checkRange(offset: number, length: number): void {
    if (offset < 0 || length < 0 || offset + length > sizeBytes)
      throw new RangeError(`${offset}+${length} is beyond the disk's ${sizeBytes} bytes`);
  }

  /** Named by everything that reads, at its end too: a hold that is out of sight may be taken for forgotten. */
  function throwIfDisposed(): void {
    if (hold.released) throw new Error('the disk reader has been disposed');
  }

  return {
    sizeBytes,
    async *extents(signal, onGap) {
      throwIfDisposed();
      let open: { offset: number; length: number } | undefined;
      for await (const { first, ids } of chunkGroups(map, { signal, ...passingOn(onGap) })) {
        const offset = first * chunkSizeBytes;
        const length = Math.min(ids.length * chunkSizeBytes, sizeBytes - offset);
        if (open !== undefined && open.offset + open.length === offset) {
          open.length += length;
          continue;
        }
        if (open !== undefined) yield open;
        open = { offset, length };
      }
      throwIfDisposed();
      if (open !== undefined) yield open;
    },
    async extentsWithin(offset, length) {
      checkRange(offset, length);
      throwIfDisposed();
      const extents: { offset: number; length: number }[] = [];
      for await (const { first, ids } of groupsWithin(map, { offset, length })) {
        const start = Math.max(offset, first * chunkSizeBytes);
        const end = Math.min(offset + length, (first + ids.length) * chunkSizeBytes);
        const last = extents.at(-1);
        if (last !== undefined && last.offset + last.length === start) last.length += end - start;
        else extents.push({ offset: start, length: end - start });
      }
      throwIfDisposed();
      return extents;
    },
    async read(offset, length, signal, into) {
      checkRange(offset, length);
      const result = into?.subarray(0, length).fill(0) ?? Buffer.alloc(length);
      const fill = async ({ first, ids }: ChunkGroup) => {
        const use = async (from: number, _: number, data: Buffer) => {
          const start = (first + from) * chunkSizeBytes;
          const end = offset + length - start;
          data.copy(result, Math.max(0, start - offset), Math.max(0, offset - start), Math.max(0, end));
        };
        const [damaged] = await chunks.lendMany(ids, chunkSizeBytes, use, signal);
        if (damaged === undefined) return;
        const at = (first + damaged.number) * chunkSizeBytes;
        const stretch = { offset: at, length: Math.min(chunkSizeBytes, sizeBytes - at) };
        throw damagedDiskError({ ...stretch, damage: damaged.damage });
      };
      throwIfDisposed();
      for await (const _ of mapOrdered(groupsWithin(map, { offset, length }), groupsInFlight, fill));
      throwIfDisposed();
      return result;
    },
    async *stream({ signal, onGap } = {}) {
      throwIfDisposed();
      const { onDamage } = passingOn(onGap);
      const groups = chunkGroups(map, { signal, ...passingOn(onGap) });
      for await (const pieces of mapOrdered(groups, groupsInFlight, (group) =>
        readGroup(group, signal, onDamage),
      )) {
        signal?.throwIfAborted();
        yield* pieces;
      }
      throwIfDisposed();
    },
    async copyTo(write, { signal, onGap } = {}) {
      throwIfDisposed();
      const { onDamage } = passingOn(onGap);
      const writes = new Limiter(writesInFlight);
      const groups = chunkGroups(map, { signal, ...passingOn(onGap) });
      const copied = mapOrdered(groups, groupsInFlight, async ({ first, ids }) => {
        const use = async (from: number, count: number, data: Buffer) => {
          signal?.throwIfAborted();
          const offset = (first + from) * chunkSizeBytes;
          const length = Math.min(count * chunkSizeBytes, sizeBytes - offset);
          await writes.run(() => write(offset, data.subarray(0, length)));
        };
        for (const { number, damage } of await chunks.lendMany(ids, chunkSizeBytes, use, signal)) {
          const offset = (first + number) * chunkSizeBytes;
          const length = Math.min(chunkSizeBytes, sizeBytes - offset);
          if (onDamage === undefined) throw damagedDiskError({ offset, length, damage });
          onDamage({ offset, length, damage });
        }
      });
      for await (const _ of copied) signal?.throwIfAborted();
      throwIfDisposed();
    },
    [Symbol.dispose]() {
      hold.release();
    },
  };
}

function passingOn(onGap: OnGap | undefined): { onDamage?: (damage: DiskDamage) => void } {
  if (onGap === undefined) return {};
  return { onDamage: ({ offset, length, damage }) => onGap({ offset, length, reason: damage.message }) };
}

function follows(data: Buffer, next: Buffer): boolean {
  return data.buffer === next.buffer && data.byteOffset + data.length === next.byteOffset;
}
