import {
  chunkCountOf,
  entriesPerPage,
  entryOf,
  levelsFor,
  type MapReader,
  pageBytes,
  setEntry,
  spanOf,
} from './disk-map.ts';

/** Chunks `first` to `end` (exclusive) now have this content; undefined: zeros. A range of more than one is zeros. */
export interface MapUpdate {
  first: number;
  end: number;
  id: Buffer | undefined;
}

export interface RebuildRequest {
  sizeBytes: number;
  chunkSizeBytes: number;
  /** The map to begin from, of the same chunk size; otherwise a disk of zeros. */
  base: MapReader | undefined;
  /** Ascending, not overlapping, inside the disk. */
  updates: AsyncIterable<MapUpdate>;
  /** Brings a page into the store and returns its id. */
  writePage(page: Buffer): Promise<Buffer>;
  signal: AbortSignal;
}

/**
 * The map of `base` with the updates made: its root's id, undefined when all is zeros. Reads and writes only pages on
 * the way to an update (or to the end, when the disk has become smaller); everything else is taken over by its id. It
 * holds one page per level.
 */
export async function rebuildMap(request: RebuildRequest): Promise<Buffer | undefined> {
  const { base, signal } = request;
  const chunkCount = chunkCountOf(request.sizeBytes, request.chunkSizeBytes);
  const baseLevels = base?.levels ?? 0;
  const hasShrunk = base !== undefined && base.chunkCount > chunkCount;
  const updates = request.updates[Symbol.asyncIterator]();
  let next: MapUpdate | undefined;
  const advance = async () => {
    const result = await updates.next();
    next = result.done ? undefined : result.value;
  };

  /** What is known of the child at `slot` without looking into it. */
  function baseEntry(page: Buffer, level: number, index: number, slot: number): Buffer | undefined {
    if (level <= baseLevels) return entryOf(page, slot);
    // Above the base's root there is nothing stored: the base is the very first child, all the way down to its root.
    return level === baseLevels + 1 && index === 0 && slot === 0 ? base?.rootId : undefined;
  }

  async function rebuildPage(level: number, index: number): Promise<Buffer | undefined> {
    signal.throwIfAborted();
    const stored = await base?.page(level, index);
    const page = Buffer.alloc(pageBytes);
    const span = spanOf(level);
    for (let slot = 0; slot < entriesPerPage; slot++) {
      const first = (index * entriesPerPage + slot) * span;
      if (first >= chunkCount) break; // what the base has beyond the end stays out
      const end = Math.min(first + span, chunkCount);
      const before = baseEntry(stored ?? page, level, index, slot);
      let entry = before;
      if (level === 1) {
        if (next !== undefined && next.first < end) entry = next.id;
      } else if (next !== undefined && next.id === undefined && next.first <= first && next.end >= end) {
        entry = undefined;
      } else {
        const isUpdated = next !== undefined && next.first < end;
        const losesItsEnd = hasShrunk && before !== undefined && end === chunkCount;
        const holdsTheBase =
          level > baseLevels + 1 && index === 0 && slot === 0 && base?.rootId !== undefined;
        if (isUpdated || losesItsEnd || holdsTheBase)
          entry = await rebuildPage(level - 1, index * entriesPerPage + slot);
      }
      setEntry(page, slot, entry);
      if (next !== undefined && next.end <= end) {
        await advance();
        if (next !== undefined && next.first < end)
          throw new Error('updates of a map overlap or go backwards');
      }
    }
    if (stored?.equals(page)) return await base?.pageId(level, index);
    return isZero(page) ? undefined : await request.writePage(page);
  }

  try {
    await advance();
    const root = await rebuildPage(levelsFor(chunkCount), 0);
    if (next !== undefined) throw new Error('an update of a map lies beyond the end of the disk');
    return root;
  } finally {
    await updates.return?.();
  }
}

const zeroPage = Buffer.alloc(pageBytes);

function isZero(page: Buffer): boolean {
  return page.equals(zeroPage);
}
