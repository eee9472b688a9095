import { slabEntries } from './slab.ts';
import type { DiskExtent } from './types.ts';

const usualWindowBytes = 2 * 1024 * 1024;

/**
 * How much of a disk is read, hashed and compressed together: 2 MiB, but at least one chunk, and no more chunks than a
 * slab describes. See "Why so" in docs/store-format.md.
 */
export function windowBytesFor(chunkSizeBytes: number): number {
  return Math.max(Math.min(usualWindowBytes, slabEntries * chunkSizeBytes), chunkSizeBytes);
}

/** A stretch of the disk that is written anew, inside one window. */
export interface Piece {
  offset: number;
  length: number;
  zero: boolean;
}

/**
 * Pieces of one aligned window, or of several that together touch no more chunks than one has; `also` is an offset whose
 * chunk has to be looked at though no piece may touch it.
 */
export interface DiskWindow {
  kind: 'window';
  start: number;
  pieces: Piece[];
  also?: number;
}

/** What is to be done next, ascending; `zeros` is a run of whole windows that become zeros. */
export type DiskWork = DiskWindow | { kind: 'zeros'; offset: number; length: number };

/**
 * Cuts extents into windows. `tail` is the last byte of a disk that has become smaller in the middle of a chunk: that
 * chunk has to be looked at in any case, for the base has something behind the new end.
 */
export async function* cutIntoWindows(
  extents: AsyncIterable<DiskExtent>,
  options: { sizeBytes: number; windowBytes: number; tail?: number | undefined },
): AsyncGenerator<DiskWork> {
  const { sizeBytes, windowBytes, tail } = options;
  const startOf = (offset: number) => offset - (offset % windowBytes);
  let open: DiskWindow | undefined;
  let reached = 0;
  let tailDone = tail === undefined;
  const windowAt = (start: number): DiskWindow => {
    if (tail === undefined || startOf(tail) !== start) return { kind: 'window', start, pieces: [] };
    tailDone = true;
    return { kind: 'window', start, pieces: [], also: tail };
  };
  for await (const extent of extents) {
    checkExtent(extent, reached, sizeBytes);
    reached = extent.offset + extent.length;
    let at = extent.offset;
    while (at < reached) {
      const start = startOf(at);
      if (open !== undefined && open.start !== start) {
        yield open;
        open = undefined;
      }
      const wholeEnd = reached === sizeBytes ? reached : startOf(reached);
      if (extent.zero && open === undefined && at === start && wholeEnd > at) {
        yield { kind: 'zeros', offset: at, length: wholeEnd - at };
        if (tail !== undefined && tail >= at && tail < wholeEnd) tailDone = true;
        at = wholeEnd;
        continue;
      }
      open ??= windowAt(start);
      const end = Math.min(reached, start + windowBytes);
      open.pieces.push({ offset: at, length: end - at, zero: extent.zero });
      at = end;
    }
  }
  if (open !== undefined) yield open;
  if (!tailDone && tail !== undefined) yield windowAt(startOf(tail));
}

/**
 * Puts windows that follow each other together while the chunks they touch fit into one: scattered changes are then worked
 * on as many at a time as changes that lie side by side.
 */
export async function* gatherWindows(
  work: AsyncIterable<DiskWork>,
  options: { windowBytes: number; chunkSizeBytes: number },
): AsyncGenerator<DiskWork> {
  const { windowBytes, chunkSizeBytes } = options;
  const mostChunks = windowBytes / chunkSizeBytes;
  let open: DiskWindow | undefined;
  let openChunks = 0;
  for await (const item of work) {
    const chunks = item.kind === 'window' ? chunksTouched(item, chunkSizeBytes) : 0;
    if (open !== undefined && item.kind === 'window' && openChunks + chunks <= mostChunks) {
      for (const piece of item.pieces) open.pieces.push(piece);
      if (item.also !== undefined) open.also = item.also; // only the last window of a disk has one
      openChunks += chunks;
      continue;
    }
    if (open !== undefined) yield open;
    open = undefined;
    if (item.kind === 'window') {
      open = item;
      openChunks = chunks;
    } else yield item;
  }
  if (open !== undefined) yield open;
}

function chunksTouched({ pieces, also }: DiskWindow, chunkSizeBytes: number): number {
  const touched = new Set<number>();
  for (const { offset, length } of pieces)
    for (let at = Math.floor(offset / chunkSizeBytes); at * chunkSizeBytes < offset + length; at++)
      touched.add(at);
  if (also !== undefined) touched.add(Math.floor(also / chunkSizeBytes));
  return touched.size;
}

function checkExtent({ offset, length }: DiskExtent, reached: number, sizeBytes: number): void {
  const isInside = offset >= reached && length > 0 && offset + length <= sizeBytes;
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || !isInside)
    throw new RangeError(
      `extent ${offset}+${length} is empty, out of order or beyond the disk's ${sizeBytes} bytes`,
    );
}
