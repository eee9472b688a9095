import { packStates } from '../chunk-index.ts';
import { freeNow } from '../codec.ts';
import { packName } from '../layout.ts';
import { fetchObject } from '../object-access.ts';
import {
  decodeFooter,
  type PackEntry,
  packFooterBytes,
  packIdOfTrailer,
  type TrailerEntry,
  trailerEntries,
} from '../pack-format.ts';
import type { PackWriter } from '../pack-writer.ts';
import type { StoreState } from '../store-state.ts';
import type { Marks } from './marks.ts';

/** A pack is held in memory while it is copied; no writer makes one that is larger. */
export const repackLimitOfOnePack = 64 * 1024 * 1024;

const framesInFlight = 16;

export interface RepackParts {
  state: StoreState;
  marks: Marks;
  writer: PackWriter;
  /** Packs that are to go in this collection: copies in them are no reason not to make another. */
  going: ReadonlySet<string>;
  signal: AbortSignal | undefined;
}

/**
 * Hands what is needed of a pack to the writer, checked down to the content; what is spare only if no other copy can be
 * read. All or nothing: a damaged pack is not touched, and the answer is false.
 */
export async function copyNeeded(packId: string, parts: RepackParts): Promise<boolean> {
  const { state, writer, signal } = parts;
  const pack = await fetchObject(state.backend, packName(packId));
  if (!Buffer.isBuffer(pack)) return false;
  using _ = { [Symbol.dispose]: () => freeNow(pack, pack.length) }; // not when the garbage collector comes
  const entries = entriesOf(packId, pack);
  if (entries === undefined) return false;
  const wanted: PackEntry[] = [];
  for (const entry of entries) if (await isWanted(entry, packId, parts)) wanted.push(entry);
  for (let from = 0; from < wanted.length; from += framesInFlight) {
    signal?.throwIfAborted();
    const batch = wanted.slice(from, from + framesInFlight);
    const checked = await Promise.all(
      batch.map((entry) => state.reader.checkFrame(entry, frameOf(pack, entry))),
    );
    for (const [number, entry] of batch.entries()) {
      if (checked[number] === undefined) continue;
      state.index.markBad({ pack: state.sink.packs.number(packId), offset: entry.offset });
      return false;
    }
  }
  for (const entry of wanted) {
    const id = Buffer.from(entry.id); // the pack's memory is not to be kept for 32 bytes of it
    const frame = { codec: entry.codec, bytes: frameOf(pack, entry), crc: entry.crc };
    if (writer.claim(id)) await writer.append(id, entry.kind, frame, entry.plainLength);
  }
  return true;
}

function entriesOf(packId: string, pack: Buffer): TrailerEntry[] | undefined {
  const place = decodeFooter(pack.subarray(-packFooterBytes), pack.length);
  if ('wrong' in place) return undefined;
  const trailer = pack.subarray(place.offset, place.offset + place.length);
  return packIdOfTrailer(trailer) === packId ? [...trailerEntries(trailer)] : undefined;
}

async function isWanted(entry: TrailerEntry, packId: string, parts: RepackParts): Promise<boolean> {
  const { state, marks, going, signal } = parts;
  const { index, sink, reader } = state;
  const range = index.rangeOf(sink.packs.number(packId));
  if (range === undefined) return false;
  const number = range.first + entry.number;
  if (marks.isNeeded(number)) return true;
  if (!marks.isSpare(number)) return false;
  const [copies = []] = await index.copies([entry.id]);
  for (const copy of copies) {
    const isOther = copy.entry !== number && index.packState(copy.pack) === packStates.kept;
    if (!isOther || going.has(sink.packs.id(copy.pack))) continue;
    const { data } = await reader.readCopy(entry.id, copy, entry.plainLength, signal);
    if (data !== undefined) return false;
    index.markBad(copy);
  }
  return true;
}

function frameOf(pack: Buffer, { offset, storedLength }: PackEntry): Buffer {
  return pack.subarray(offset, offset + storedLength);
}
