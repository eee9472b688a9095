import { randomUUID } from 'node:crypto';
import { isHoldfastError } from '../errors/index.ts';
import type { Backend, ObjectInfo } from './backend.ts';
import { ChunkIndex } from './chunk-index.ts';
import { encodeSegment, type IndexSection, segmentSections } from './index-segment.ts';
import { indexPrefix, packIdOf, packName, packPrefix } from './layout.ts';
import { mapOrdered } from './map-ordered.ts';
import { believableListing, fetchObject } from './object-access.ts';
import { decodeFooter, packFooterBytes, packIdOfTrailer } from './pack-format.ts';
import { PackTable } from './pack-table.ts';
import { PackTrailers } from './pack-trailers.ts';
import type { Quarantine } from './verify/quarantine.ts';

const trailersInFlight = 8;

/** Sections held in memory at most before they are written as a segment; a segment of that size is not merged again. */
const segmentTargetBytes = 16 * 1024 * 1024;

/** More smaller segments than this are merged when the store is opened. */
const segmentLimit = 64;

export interface LoadedIndex {
  index: ChunkIndex;
  packs: PackTable;
}

/**
 * What chunks there are and where: from the index segments, and for packs they do not cover from the packs' own
 * trailers. The packs are the truth, segments only save reading them; so whatever is wrong with segments is mended here.
 * `removed`: packs that a collection has deleted; that they are not there is no damage. The quarantine tells frames that were
 * found unreadable before.
 */
export async function loadIndex(
  backend: Backend,
  quarantine: Quarantine,
  removed: ReadonlySet<string> = new Set(),
): Promise<LoadedIndex> {
  const packs = new PackTable();
  const index = new ChunkIndex(packs, new PackTrailers(backend, packs), quarantine);
  for await (const { name, sizeBytes } of believableListing(backend, packPrefix)) {
    const packId = packIdOf(name);
    if (packId !== undefined) packs.setPresent(packId, sizeBytes);
  }
  const covered = new Set<string>();
  const segments = await Array.fromAsync(backend.list(indexPrefix));
  const isGone = (packId: string) => removed.has(packId) && packs.sizeOf(packId) === undefined;
  for await (const section of sectionsOf(backend, segments, isGone)) {
    covered.add(section.packId);
    addSection(index, section);
  }
  const small = segments.filter(({ sizeBytes }) => sizeBytes < segmentTargetBytes);
  if (small.length > segmentLimit && (await trySaveSections(backend, sectionsOf(backend, small, isGone)))) {
    // Only now that the new ones are safe.
    for (const { name } of small) await backend.delete(name);
  }
  const uncovered = [...packs.present.keys()].filter((packId) => !covered.has(packId));
  await trySaveSections(backend, addUncovered(backend, index, uncovered));
  return { index, packs };
}

/** What the segments say of each pack that is not gone, once. */
async function* sectionsOf(
  backend: Backend,
  segments: readonly ObjectInfo[],
  isGone: (packId: string) => boolean,
): AsyncGenerator<IndexSection> {
  const seen = new Set<string>();
  for (const { name } of segments) {
    const segment = await fetchObject(backend, name);
    if (!Buffer.isBuffer(segment)) continue; // unreadable is as good as lost
    for (const section of segmentSections(segment)) {
      if (seen.has(section.packId) || isGone(section.packId)) continue;
      seen.add(section.packId);
      yield section;
    }
  }
}

/** Reads and enters the trailers of packs that no segment covers. */
async function* addUncovered(
  backend: Backend,
  index: ChunkIndex,
  uncovered: readonly string[],
): AsyncGenerator<IndexSection> {
  async function* ids() {
    yield* uncovered;
  }
  const reading = mapOrdered(ids(), trailersInFlight, (id) => readSection(backend, index.packs, id));
  for await (const section of reading) {
    if (section === undefined) continue;
    index.addPack(section);
    yield section;
  }
}

/** Writes the segments that mention packs which are gone anew, without them. False when there was no room for that. */
export async function trimSegments(backend: Backend, isGone: (packId: string) => boolean): Promise<boolean> {
  const segments = await Array.fromAsync(backend.list(indexPrefix));
  for (const { name } of segments) {
    const segment = await fetchObject(backend, name);
    if (!Buffer.isBuffer(segment)) continue;
    const sections = [...segmentSections(segment)];
    const kept = sections.filter(({ packId }) => !isGone(packId));
    if (kept.length === sections.length) continue;
    if (kept.length > 0 && !(await trySaveSegment(backend, kept))) return false;
    await backend.delete(name);
  }
  return true;
}

/** A pack whose trailer cannot be read is noted: the points that need it will say so, the others do not care. */
export async function readSection(
  backend: Backend,
  packs: PackTable,
  packId: string,
): Promise<IndexSection | undefined> {
  const packBytes = packs.sizeOf(packId) ?? 0;
  const name = packName(packId);
  const unreadable = (why: string) => {
    packs.setUnreadable(packId, why);
    return undefined;
  };
  if (packBytes < packFooterBytes) return unreadable('it is too short to be a pack');
  const footer = await fetchObject(backend, name, {
    offset: packBytes - packFooterBytes,
    length: packFooterBytes,
  });
  if (!Buffer.isBuffer(footer)) return unreadable(footer ?? 'it has gone');
  const place = decodeFooter(footer, packBytes);
  if ('wrong' in place) return unreadable(place.wrong);
  const trailer = await fetchObject(backend, name, place);
  if (!Buffer.isBuffer(trailer)) return unreadable(trailer ?? 'it has gone');
  if (trailer.length !== place.length || packIdOfTrailer(trailer) !== packId)
    return unreadable('its table of contents is damaged');
  return { packId, packBytes, trailer };
}

/** Enters what a segment says of a pack. What was in one that is not there any more is known, but bad. */
function addSection(index: ChunkIndex, section: IndexSection): void {
  index.addPack(section);
  if (index.packs.sizeOf(section.packId) === undefined) index.packs.setLost(section.packId);
}

export async function saveSegment(backend: Backend, sections: Iterable<IndexSection>): Promise<void> {
  await backend.put(`${indexPrefix}${randomUUID()}.segment`, encodeSegment(sections));
}

/**
 * Writes segments of a bounded size, and takes in all of `sections` in any case. False on a full store: the index is a
 * cache, and lacking it must not keep anyone from reading or deleting.
 */
async function trySaveSections(backend: Backend, sections: AsyncIterable<IndexSection>): Promise<boolean> {
  let pending: IndexSection[] = [];
  let pendingBytes = 0;
  let saved = true;
  const save = async () => {
    if (pending.length > 0 && saved) saved = await trySaveSegment(backend, pending);
    pending = [];
    pendingBytes = 0;
  };
  for await (const section of sections) {
    pending.push(section);
    pendingBytes += section.trailer.length;
    if (pendingBytes >= segmentTargetBytes) await save();
  }
  await save();
  return saved;
}

async function trySaveSegment(backend: Backend, sections: Iterable<IndexSection>): Promise<boolean> {
  try {
    await saveSegment(backend, sections);
    return true;
  } catch (error) {
    if (isHoldfastError(error, 'StoreFull')) return false;
    throw error;
  }
}
