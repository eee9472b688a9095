import { packStates } from '../chunk-index.ts';
import { mapOrdered } from '../map-ordered.ts';
import { type PackEntry, trailerEntries } from '../pack-format.ts';
import { readContents } from '../verify/pack-contents.ts';
import { type CollectRun, countsIn } from './collect-run.ts';

const copiesInFlight = 16;

/**
 * Whether a pack may go as far as others have what is needed of it: each such copy has just been read and checked. What
 * was found good when it was written need not be so a day later, and this is the last look at the one that is left.
 */
export async function isReplaced(run: CollectRun, packId: string): Promise<boolean> {
  const { state } = run;
  if (countsIn(run, packId).spare === 0 && !state.index.hasDamage) return true;
  const contents = await readContents(state.backend, packId, state.sink.packs.sizeOf(packId) ?? 0);
  const trailer = contents?.trailer;
  // Of a pack that was given up, a repair has seen to it that all that was in it is in others.
  if (trailer === undefined) return state.quarantine.get(packId)?.salvaged === true;
  async function* entries() {
    if (trailer !== undefined) yield* trailerEntries(trailer);
  }
  const answers = mapOrdered(entries(), copiesInFlight, (entry) => isGarbageOrElsewhere(run, packId, entry));
  for await (const isSafe of answers) if (!isSafe) return false;
  return true;
}

async function isGarbageOrElsewhere(run: CollectRun, packId: string, entry: PackEntry): Promise<boolean> {
  const { state, marks, work, report } = run;
  const { index, reader, sink } = state;
  const own = sink.packs.number(packId);
  if (!index.candidates(entry.id).some((candidate) => marks.isNeeded(candidate))) return true;
  const [copies = []] = await index.copies([entry.id]);
  for (const copy of copies) {
    if (copy.pack === own || copy.bad || index.packState(copy.pack) !== packStates.kept) continue;
    await work.pace(copy.storedLength);
    const { data } = await reader.readCopy(entry.id, copy, entry.plainLength, work.signal);
    if (data !== undefined) return true;
    index.markBad(copy);
    const damaged = sink.packs.id(copy.pack);
    if (!report.damagedPacks.includes(damaged)) report.damagedPacks.push(damaged);
  }
  return false;
}
