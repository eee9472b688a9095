import type { Backend } from '../backend.ts';
import type { ChunkReader } from '../chunk-reader.ts';
import { mapOrdered } from '../map-ordered.ts';
import { type PackEntry, trailerEntries } from '../pack-format.ts';
import { slabEntries } from '../slab.ts';
import { readContents } from './pack-contents.ts';

const runsInFlight = 4;

/** What a look at every byte of a pack has shown. */
export interface PackCheck {
  /** The trailer, from wherever it could be had; without it nobody knows what is in the pack. */
  trailer: Buffer | undefined;
  container: string | undefined;
  frames: number;
  bad: { entry: PackEntry; why: string }[];
}

export interface CheckWork {
  backend: Backend;
  reader: ChunkReader;
  pace: (bytes: number) => Promise<void>;
  signal: AbortSignal | undefined;
}

/** Reads a pack whole and checks it down to the contents. Undefined when there is no such pack. Marks nothing. */
export async function checkPack(
  packId: string,
  packBytes: number,
  work: CheckWork,
  entriesKnown?: number,
): Promise<PackCheck | undefined> {
  const contents = await readContents(work.backend, packId, packBytes, entriesKnown);
  if (contents === undefined) return undefined;
  const { trailer, container } = contents;
  if (trailer === undefined) return { trailer, container, frames: 0, bad: [] };
  const entries = [...trailerEntries(trailer)];
  const bad = await checkEntries(packId, entries, work);
  return bad && { trailer, container, frames: entries.length, bad };
}

/** The frames that cannot be read, of those that `entries` speak of. Undefined when there is no such pack. */
export async function checkEntries(
  packId: string,
  entries: readonly PackEntry[],
  { reader, pace, signal }: CheckWork,
): Promise<PackCheck['bad'] | undefined> {
  const bad: PackCheck['bad'] = [];
  let isGone = false;
  const check = async (run: PackEntry[]) => {
    await pace(run.reduce((sum, { storedLength }) => sum + storedLength, 0));
    signal?.throwIfAborted();
    return { run, found: isGone ? undefined : await reader.checkFrames(packId, run, signal) };
  };
  for await (const { run, found } of mapOrdered(runsOf(entries, reader.fetchBytes), runsInFlight, check)) {
    if (found === undefined) isGone = true;
    found?.forEach((why, number) => {
      const entry = run[number];
      if (why !== undefined && entry !== undefined) bad.push({ entry, why });
    });
  }
  return isGone ? undefined : bad;
}

/** Neighbours of one length, as many as are fetched together. */
async function* runsOf(entries: readonly PackEntry[], mostBytes: number): AsyncGenerator<PackEntry[]> {
  let run: PackEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const before = run.at(-1);
    const follows =
      before !== undefined &&
      before.plainLength === entry.plainLength &&
      before.offset + before.storedLength === entry.offset &&
      run.length < slabEntries &&
      bytes + entry.storedLength <= mostBytes;
    if (!follows && run.length > 0) {
      yield run;
      run = [];
      bytes = 0;
    }
    run.push(entry);
    bytes += entry.storedLength;
  }
  if (run.length > 0) yield run;
}
