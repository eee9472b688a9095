import { entriesPerPage, entryOf, type MapReader, spanOf } from './disk-map.ts';
import type { DiskExtent } from './types.ts';

/**
 * Where a disk is not what `base` says, by their maps alone, ascending and joined: whole chunks, cut at the end of the
 * disk. Parts of the maps that have the same page are not looked into, so the cost follows the difference. A stretch
 * with `zero` may have been zeros in the base, too. Both disks must have the same chunk size; with `base` undefined
 * everything that is not zeros is yielded.
 * @throws StoreDamaged for a page of either map that cannot be read
 */
export async function* changedExtents(
  base: MapReader | undefined,
  disk: MapReader,
  signal?: AbortSignal,
): AsyncGenerator<DiskExtent> {
  const { chunkSizeBytes, sizeBytes } = disk.disk;
  if (base !== undefined && base.disk.chunkSizeBytes !== chunkSizeBytes)
    throw new Error(
      `disks with chunks of ${base.disk.chunkSizeBytes} and of ${chunkSizeBytes} bytes have no map in common`,
    );
  let open: DiskExtent | undefined;
  for await (const { first, end, zero } of changedChunks(base, disk, signal)) {
    const offset = first * chunkSizeBytes;
    const length = Math.min(end * chunkSizeBytes, sizeBytes) - offset;
    if (open !== undefined && open.zero === zero && open.offset + open.length === offset) {
      open.length += length;
      continue;
    }
    if (open !== undefined) yield open;
    open = { offset, length, zero };
  }
  if (open !== undefined) yield open;
}

/** Chunks `first` to `end` (exclusive). */
interface ChunkRun {
  first: number;
  end: number;
  zero: boolean;
}

async function* changedChunks(
  base: MapReader | undefined,
  disk: MapReader,
  signal: AbortSignal | undefined,
): AsyncGenerator<ChunkRun> {
  /** Below a page at `level`, the `index`-th of its level, in both trees; either may be lower than that. */
  async function* under(level: number, index: number): AsyncGenerator<ChunkRun> {
    signal?.throwIfAborted();
    const span = spanOf(level);
    const first = index * entriesPerPage * span;
    if (first >= disk.chunkCount) return;
    const [was, is] = [base && (await treeAt(base, level, index)), await treeAt(disk, level, index)];
    if (was === is || (Buffer.isBuffer(was) && Buffer.isBuffer(is) && was.equals(is))) return;
    if (is === undefined) {
      yield { first, end: Math.min(first + entriesPerPage * span, disk.chunkCount), zero: true };
      return;
    }
    if (level > 1) {
      for (let slot = 0; slot < entriesPerPage; slot++)
        yield* under(level - 1, index * entriesPerPage + slot);
      return;
    }
    const [wasPage, isPage] = [await base?.page(1, index), await disk.page(1, index)];
    for (let slot = 0; slot < entriesPerPage && first + slot < disk.chunkCount; slot++) {
      const wasId = wasPage && entryOf(wasPage, slot);
      const isId = isPage && entryOf(isPage, slot);
      const isSame = wasId === undefined || isId === undefined ? wasId === isId : wasId.equals(isId);
      if (!isSame) yield { first: first + slot, end: first + slot + 1, zero: isId === undefined };
    }
  }
  yield* under(Math.max(base?.levels ?? 1, disk.levels), 0);
}

/** There is a lower tree somewhere under here, and no page to tell it by. At most one of two trees is lower. */
const aboveTheRoot = Symbol('above the root');

/** What stands for all content under a place in the tree: a page's id, undefined for nothing but zeros. */
async function treeAt(
  map: MapReader,
  level: number,
  index: number,
): Promise<Buffer | typeof aboveTheRoot | undefined> {
  if (level <= map.levels) return await map.pageId(level, index);
  return index === 0 && map.rootId !== undefined ? aboveTheRoot : undefined;
}
