import { packStates } from '../chunk-index.ts';
import { packName } from '../layout.ts';
import { fetchObject } from '../object-access.ts';
import {
  encodeFooter,
  type PackEntry,
  packEntryBytes,
  packHeader,
  packHeaderBytes,
  trailerEntries,
} from '../pack-format.ts';
import { PackWriter } from '../pack-writer.ts';
import type { StoreState } from '../store-state.ts';
import { type CheckWork, checkEntries, type PackCheck } from './check-pack.ts';
import { guessEntries } from './pack-contents.ts';

const copyBytes = 1024 * 1024;

/** Whether all frames of a pack are in the place they were written to, so that only what is around them need be made. */
export function hasAllFrames(trailer: Buffer, packBytes: number): boolean {
  return framesEnd(trailer) <= packBytes;
}

function framesEnd(trailer: Buffer): number {
  let end = packHeaderBytes;
  for (const { offset, storedLength } of trailerEntries(trailer)) end = Math.max(end, offset + storedLength);
  return end;
}

/** Writes a pack again with its own frames, as they are, and header, trailer and footer as they must be. */
export async function rewritePack(state: StoreState, packId: string, trailer: Buffer): Promise<void> {
  const { backend, sink } = state;
  const name = packName(packId);
  const end = framesEnd(trailer);
  async function* parts() {
    yield packHeader();
    for (let at = packHeaderBytes; at < end; at += copyBytes) {
      const length = Math.min(copyBytes, end - at);
      const frames = await fetchObject(backend, name, { offset: at, length });
      if (!Buffer.isBuffer(frames) || frames.length !== length)
        throw new Error(`the frames of pack ${packId} cannot be read`);
      yield frames;
    }
    yield trailer;
    yield encodeFooter(end, trailer);
  }
  await backend.put(name, parts());
  if (sink.packs.sizeOf(packId) === undefined) return; // collected meanwhile: garbage, for the next collection
  sink.packs.setPresent(packId, end + trailer.length + encodeFooter(end, trailer).length);
}

/** What can be had of a pack that is not whole any more. */
export interface Salvage {
  good: PackEntry[];
  /** Whether that is all that was ever in it. */
  isAll: boolean;
}

/** The frames of a damaged pack that prove themselves by their content. */
export async function findSalvage(
  packId: string,
  packBytes: number,
  check: PackCheck,
  work: CheckWork,
): Promise<Salvage> {
  if (check.trailer !== undefined) {
    const bad = new Set(check.bad.map(({ entry }) => entry.offset));
    const good = [...trailerEntries(check.trailer)].filter(({ offset }) => !bad.has(offset));
    return { good, isAll: bad.size === 0 };
  }
  const guessed = await guessEntries(work.backend, packId, packBytes);
  const bad = await checkEntries(packId, guessed, work);
  if (bad === undefined) return { good: [], isAll: false };
  const badOffsets = new Set(bad.map(({ entry }) => entry.offset));
  const good = guessed.filter(({ offset }) => !badOffsets.has(offset));
  return { good, isAll: badOffsets.size === 0 && coversAll(good, packBytes) };
}

/** Whether frames follow each other from the header to the trailer, with nothing in between that nobody knows of. */
function coversAll(entries: readonly PackEntry[], packBytes: number): boolean {
  let at = packHeaderBytes;
  for (const { offset, storedLength } of entries) {
    if (offset !== at) return false;
    at += storedLength;
  }
  return entries.length > 0 && packBytes - at === (entries.length + 1) * packEntryBytes;
}

/**
 * Copies frames into new packs where no other pack has a good copy, makes that durable, and then gives the damaged pack
 * up: nothing in it is relied upon from then on, and it goes with a later collection once nothing needs it. Returns how
 * many were copied.
 */
export async function salvagePack(
  state: StoreState,
  packId: string,
  { good, isAll }: Salvage,
  container: string,
): Promise<number> {
  const { index, sink, backend, reader, quarantine, uses } = state;
  const use = uses.beginWriter();
  const writer = new PackWriter(sink, state.settings.packTargetBytes, use.wrote);
  const number = sink.packs.number(packId);
  let copied = 0;
  let isWhole = isAll;
  try {
    for (const entry of good) {
      const [copies = []] = await index.copies([entry.id]);
      const hasOther = copies.some(
        ({ pack, bad }) => pack !== number && !bad && index.packState(pack) === packStates.kept,
      );
      if (hasOther) continue;
      const { offset, storedLength: length, kind, codec, crc, plainLength } = entry;
      const bytes = await fetchObject(backend, packName(packId), { offset, length });
      if (
        !Buffer.isBuffer(bytes) ||
        bytes.length !== length ||
        (await reader.checkFrame(entry, bytes)) !== undefined
      ) {
        isWhole = false;
        continue;
      }
      const id = Buffer.from(entry.id);
      if (!writer.claim(id)) continue;
      await writer.append(id, kind, { codec, bytes, crc }, plainLength);
      copied++;
    }
    await writer.flush();
    await state.saveIndex();
    quarantine.settle(packId, { frames: [], all: true, container, salvaged: isWhole });
    await quarantine.saved();
    return copied;
  } finally {
    await writer.discard();
    use.end();
  }
}
