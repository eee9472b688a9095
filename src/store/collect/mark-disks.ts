import type { ChunkReader } from '../chunk-reader.ts';
import {
  chunkCountOf,
  damagedDiskError,
  entriesPerPage,
  entryOf,
  levelsFor,
  pageBytes,
} from '../disk-map.ts';
import type { DiskRoot } from '../types.ts';
import type { Marks } from './marks.ts';

/** Pages fetched together; one such batch is in memory per level of a map. */
const pagesInBatch = 32;

export interface MarkWork {
  marks: Marks;
  reader: ChunkReader;
  pace(bytes: number): Promise<void>;
  signal: AbortSignal | undefined;
  /** Told of chunks that a map refers to and no pack has: damage, but none that hides what else is needed. */
  onMissing?: (chunks: number) => void;
}

/**
 * Marks everything a disk refers to. What lies under a page that has been walked before is not walked again, so that
 * many points cost little more than one.
 *
 * A page that cannot be read hides what it refers to: with `strict` that is StoreDamaged. Otherwise it is passed over:
 * whoever holds this root cannot read past the page either.
 */
export async function markDisk(disk: DiskRoot, strict: boolean, work: MarkWork): Promise<void> {
  if (disk.root === undefined) return;
  const level = levelsFor(chunkCountOf(disk.sizeBytes, disk.chunkSizeBytes));
  await markPages([Buffer.from(disk.root, 'hex')], level, strict, work);
}

/** Whether all of it could be read. */
async function markPages(
  pages: readonly Buffer[],
  level: number,
  strict: boolean,
  work: MarkWork,
): Promise<boolean> {
  const { marks, reader, signal } = work;
  const ids = await marks.unwalked(pages);
  let whole = true;
  for (let from = 0; from < ids.length; from += pagesInBatch) {
    signal?.throwIfAborted();
    const batch = ids.slice(from, from + pagesInBatch);
    await work.pace(batch.length * pageBytes);
    const results = await reader.readMany(batch, pageBytes, signal);
    await marks.mark(batch);
    for (const [number, id] of batch.entries()) {
      const { data, damage } = results[number] ?? {};
      if (data === undefined) {
        if (strict && damage !== undefined) throw damagedDiskError({ offset: 0, length: 1, damage });
        whole = false;
        continue;
      }
      const isWhole = await markUnder(data, level, strict, work);
      if (isWhole) await marks.setWalked(id);
      whole &&= isWhole;
    }
  }
  return whole;
}

async function markUnder(page: Buffer, level: number, strict: boolean, work: MarkWork): Promise<boolean> {
  const ids: Buffer[] = [];
  for (let slot = 0; slot < entriesPerPage; slot++) {
    const id = entryOf(page, slot);
    if (id !== undefined) ids.push(id);
  }
  if (level > 1) return await markPages(ids, level - 1, strict, work);
  const missing = await work.marks.mark(ids);
  if (missing > 0) work.onMissing?.(missing);
  return true;
}
