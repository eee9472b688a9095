import type { ChunkDamage, ChunkReader } from '../chunk-reader.ts';
import {
  checkDiskRoot,
  chunkCountOf,
  entriesPerPage,
  entryOf,
  levelsFor,
  pageBytes,
  spanOf,
} from '../disk-map.ts';
import type { DiskRoot } from '../types.ts';
import { IdCounts } from './id-counts.ts';
import type { DiskGaps } from './types.ts';

/** Pages fetched together; one such batch is in memory per level of a map. */
const pagesInBatch = 32;

/** Gaps listed for one disk; what lies beyond is only counted. */
const gapLimit = 1000;

/** A stretch of a disk that cannot be read, and why. */
export interface LocatedDamage {
  offset: number;
  length: number;
  damage: ChunkDamage;
}

export interface LocateWork {
  reader: ChunkReader;
  pace(bytes: number): Promise<void>;
  signal: AbortSignal | undefined;
}

/**
 * Walks the maps of disks and finds what they refer to that cannot be read. Pages are read; of data it is asked whether
 * there is a copy that is not known to be bad. What lies under a page in which nothing was wrong is not looked at again, so
 * that many points cost little more than one.
 */
export class DamageLocator {
  readonly #work: LocateWork;
  /** Pages under which all is well, with the data chunks there. */
  readonly #sound = new IdCounts();

  constructor(work: LocateWork) {
    this.#work = work;
  }

  /** Pages read and found well. */
  get soundPages(): number {
    return this.#sound.size;
  }

  /** Reports stretches of a disk that cannot be read, ascending. Returns the bytes of data its map refers to. */
  async locate(disk: DiskRoot, report: (damage: LocatedDamage) => void): Promise<number> {
    checkDiskRoot(disk);
    if (disk.root === undefined) return 0;
    const chunkCount = chunkCountOf(disk.sizeBytes, disk.chunkSizeBytes);
    const walk = { disk, chunkCount, report };
    const level = levelsFor(chunkCount);
    const root = { id: Buffer.from(disk.root, 'hex'), index: 0 };
    const { chunks } = await this.#pages(walk, level, [root]);
    return chunks * disk.chunkSizeBytes;
  }

  async #pages(walk: Walk, level: number, pages: readonly Child[]): Promise<Found> {
    const { reader, signal, pace } = this.#work;
    let chunks = 0;
    let sound = true;
    for (let from = 0; from < pages.length; from += pagesInBatch) {
      signal?.throwIfAborted();
      const batch = pages.slice(from, from + pagesInBatch);
      const unknown = batch.filter(({ id }) => this.#sound.get(id) === undefined);
      await pace(unknown.length * pageBytes);
      const read = await reader.readMany(
        unknown.map(({ id }) => id),
        pageBytes,
        signal,
      );
      const results = new Map(unknown.map((child, number) => [child, read[number]]));
      for (const child of batch) {
        const known = this.#sound.get(child.id);
        if (known !== undefined) {
          chunks += known;
          continue;
        }
        const { data, damage } = results.get(child) ?? {};
        if (damage !== undefined) this.#report(walk, spanOf(level) * entriesPerPage, child.index, damage);
        const under = data === undefined ? undefined : await this.#under(walk, level, child.index, data);
        if (under?.sound === true) this.#sound.set(child.id, under.chunks);
        chunks += under?.chunks ?? 0;
        sound &&= under?.sound === true;
      }
    }
    return { chunks, sound };
  }

  async #under(walk: Walk, level: number, index: number, page: Buffer): Promise<Found> {
    const children: Child[] = [];
    for (let slot = 0; slot < entriesPerPage; slot++) {
      const child = index * entriesPerPage + slot;
      if (child * spanOf(level) >= walk.chunkCount) break;
      const id = entryOf(page, slot);
      if (id !== undefined) children.push({ id, index: child });
    }
    if (level > 1) return await this.#pages(walk, level - 1, children);
    const absences = await this.#work.reader.absences(
      children.map(({ id }) => id),
      walk.disk.chunkSizeBytes,
    );
    let sound = true;
    absences.forEach((damage, number) => {
      const child = children[number];
      if (damage === undefined || child === undefined) return;
      sound = false;
      this.#report(walk, 1, child.index, damage);
    });
    return { chunks: children.length, sound };
  }

  #report({ disk, report }: Walk, reach: number, index: number, damage: ChunkDamage): void {
    const stretch = reach * disk.chunkSizeBytes;
    const offset = index * stretch;
    report({ offset, length: Math.min(stretch, disk.sizeBytes - offset), damage });
  }
}

interface Child {
  id: Buffer;
  /** Counting the pages (or chunks) of its level. */
  index: number;
}

interface Walk {
  disk: DiskRoot;
  chunkCount: number;
  report: (damage: LocatedDamage) => void;
}

interface Found {
  /** Data chunks referred to, as far as that can be known. */
  chunks: number;
  sound: boolean;
}

/** Gathers ascending stretches of one disk into gaps; neighbours become one. */
export class GapList {
  readonly #name: string;
  readonly #gaps: { offset: number; length: number }[] = [];
  #bytes = 0;
  #count = 0;
  #end = -1;
  #reason = '';

  constructor(name: string) {
    this.#name = name;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  add(offset: number, length: number, reason: string): void {
    if (this.#count === 0) this.#reason = reason;
    const last = this.#gaps.at(-1);
    const follows = this.#end === offset;
    this.#bytes += length;
    this.#end = offset + length;
    if (!follows) this.#count++;
    if (follows && this.#count <= gapLimit && last !== undefined) last.length += length;
    else if (!follows && this.#count <= gapLimit) this.#gaps.push({ offset, length });
  }

  result(): DiskGaps {
    return {
      name: this.#name,
      gaps: this.#gaps,
      gapCount: this.#count,
      gapBytes: this.#bytes,
      reason: this.#reason,
    };
  }
}
