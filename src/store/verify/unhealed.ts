import type { ChunkIndex } from '../chunk-index.ts';
import { type PackEntry, trailerEntries } from '../pack-format.ts';
import type { Quarantine } from './quarantine.ts';

/** With more bad frames than this, looking for other copies of each costs more than it may save. */
const framesLimit = 1000;

/**
 * Whether content may have been lost: false when every frame that is known to be bad has a good copy elsewhere. Damage
 * that was healed stays in the quarantine until its pack is collected, and is not to make every point dear until then.
 */
export async function mayLackContent(index: ChunkIndex, quarantine: Quarantine): Promise<boolean> {
  if (index.packs.hasDamage) return true;
  if (!quarantine.hasBadFrames) return false;
  if (quarantine.frames > framesLimit) return true;
  for (const { pack, frames, all, salvaged } of [...quarantine.records()]) {
    if (all && !salvaged) return true;
    if (all || frames.length === 0) continue;
    const number = index.packs.number(pack);
    const range = index.rangeOf(number);
    if (range === undefined) return true;
    const bad = new Set(frames);
    // The trailer is lent for the call: what is kept of it is copied.
    const entries = await index.trailers.use(number, range.entries, (trailer) =>
      trailer === undefined
        ? undefined
        : [...trailerEntries(trailer)]
            .filter(({ offset }) => bad.has(offset))
            .map(({ id, plainLength }) => ({ id: Buffer.from(id), plainLength })),
    );
    if (entries === undefined) return true;
    if (!(await haveOthers(index, entries))) return true;
  }
  return false;
}

async function haveOthers(
  index: ChunkIndex,
  entries: readonly Pick<PackEntry, 'id' | 'plainLength'>[],
): Promise<boolean> {
  const copies = await index.find(entries.map(({ id }) => id));
  return entries.every(({ plainLength }, number) => copies[number]?.plainLength === plainLength);
}
