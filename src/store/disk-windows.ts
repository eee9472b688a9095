import type { DiskExtent } from './types.ts';

const smallestWindowBytes = 1024 * 1024;

/** The piece of a disk that is read, hashed and compressed together: 1 MiB, or one chunk if that is more. */
export function windowBytesFor(chunkSizeBytes: number): number {
  return Math.max(smallestWindowBytes, chunkSizeBytes);
}

/** A stretch of the disk that is written anew, inside one window. */
export interface Piece {
  offset: number;
  length: number;
  zero: boolean;
}

/** Pieces of one aligned window; `also` is an offset whose chunk has to be looked at though no piece may touch it. */
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

function checkExtent({ offset, length }: DiskExtent, reached: number, sizeBytes: number): void {
  const isInside = offset >= reached && length > 0 && offset + length <= sizeBytes;
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || !isInside)
    throw new RangeError(
      `extent ${offset}+${length} is empty, out of order or beyond the disk's ${sizeBytes} bytes`,
    );
}
