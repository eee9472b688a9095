import { randomUUID } from 'node:crypto';
import { isHoldfastError } from '../errors/index.ts';
import type { Backend, ObjectInfo } from './backend.ts';
import { ChunkIndex } from './chunk-index.ts';
import { encodeSegment, type IndexSection, segmentSections } from './index-segment.ts';
import { loadTable } from './index-table.ts';
import type { FoundTables } from './index-tables.ts';
import {
  indexPrefix,
  packIdOf,
  packName,
  packPrefix,
  segmentSuffix,
  tablePrefix,
  tableSuffix,
} from './layout.ts';
import { mapOrdered } from './map-ordered.ts';
import { uint32Column } from './number-column.ts';
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
  tables: FoundTables;
  /** Names of the segments whose packs are all in the index. */
  entered: Set<string>;
  /** Packs in the index that are in no segment, as there was no room for one. */
  withoutSegment: ReadonlySet<string>;
}

/**
 * What chunks there are and where: from a stored table; for packs it does not have from the index segments; and for what
 * these do not have from the packs' own trailers. The packs are the truth, tables and segments only save reading them; so
 * whatever is wrong with these is mended here. `removed`: packs that a collection has deleted; that they are not there is
 * no damage. The quarantine tells frames that were found unreadable before.
 */
export async function loadIndex(
  backend: Backend,
  quarantine: Quarantine,
  removed: ReadonlySet<string> = new Set(),
  options: { cacheBytes?: number | undefined } = {},
): Promise<LoadedIndex> {
  const listed = new PackTable();
  for await (const { name, sizeBytes } of believableListing(backend, packPrefix)) {
    const packId = packIdOf(name);
    if (packId !== undefined) listed.setPresent(packId, sizeBytes);
  }
  const isGone = (packId: string) => removed.has(packId) && listed.sizeOf(packId) === undefined;
  const indexOf = (packs: PackTable) =>
    new ChunkIndex(packs, new PackTrailers(backend, packs, options.cacheBytes), quarantine);
  let index = indexOf(listed);
  const tables: FoundTables = { names: [], packs: new Uint32Array(), chunks: 0 };
  const entered = new Set<string>();
  for (const object of await listTables(backend)) {
    tables.names.push(object.name);
    if (tables.packs.length > 0) continue;
    const found = await loadTable(backend, object, index, isGone);
    if (found === undefined) {
      // Not to mix what it has taken in with what is right.
      const packs = new PackTable();
      for (const [packId, sizeBytes] of index.packs.present) packs.setPresent(packId, sizeBytes);
      index = indexOf(packs);
      continue;
    }
    tables.packs = found.packs;
    tables.chunks = index.nextEntry;
    for (const name of found.segments) entered.add(name);
  }
  const withoutSegment = await loadSegments(backend, index, entered, isGone);
  return { index, packs: index.packs, tables, entered, withoutSegment };
}

/** The largest first: it needs the fewest segments. */
async function listTables(backend: Backend): Promise<ObjectInfo[]> {
  const objects = await Array.fromAsync(backend.list(tablePrefix));
  const tables = objects.filter(({ name }) => name.endsWith(tableSuffix));
  return tables.sort((a, b) => b.sizeBytes - a.sizeBytes || (a.name < b.name ? -1 : 1));
}

/**
 * Enters what the segments not yet entered say, and the packs of which nobody says anything. These get segments; returned
 * are those for which there was no room.
 */
async function loadSegments(
  backend: Backend,
  index: ChunkIndex,
  entered: Set<string>,
  isGone: (packId: string) => boolean,
): Promise<ReadonlySet<string>> {
  const objects = await Array.fromAsync(backend.list(indexPrefix));
  const segments = objects.filter(({ name }) => name.endsWith(segmentSuffix));
  const unread = segments.filter(({ name }) => !entered.has(name));
  for await (const section of sectionsOf(backend, unread, isGone, entered)) addSection(index, section);
  const small = segments.filter(({ sizeBytes }) => sizeBytes < segmentTargetBytes);
  if (small.length > segmentLimit) {
    const sections = sectionsOf(backend, small, isGone);
    // Only once the new ones are safe.
    if (await trySaveSections(backend, sections, entered))
      for (const { name } of small) await backend.delete(name);
  }
  const uncovered = uint32Column();
  for (const packId of index.packs.present.keys()) {
    const pack = index.packs.number(packId);
    if (index.rangeOf(pack) === undefined) uncovered.push(pack);
  }
  const isSaved = await trySaveSections(backend, addUncovered(backend, index, uncovered.numbers), entered);
  return new Set(isSaved ? [] : Array.from(uncovered.numbers, (pack) => index.packs.id(pack)));
}

/** What the segments say of each pack that is not gone, once. Those that could be read are noted in `entered`. */
async function* sectionsOf(
  backend: Backend,
  segments: readonly ObjectInfo[],
  isGone: (packId: string) => boolean,
  entered?: Set<string>,
): AsyncGenerator<IndexSection> {
  const seen = new Set<string>();
  for (const { name } of segments) {
    const segment = await fetchObject(backend, name);
    if (!Buffer.isBuffer(segment)) continue; // unreadable is as good as lost
    entered?.add(name); // by the time a table is written
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
  uncovered: Iterable<number>,
): AsyncGenerator<IndexSection> {
  async function* packs() {
    yield* uncovered;
  }
  const reading = mapOrdered(packs(), trailersInFlight, (pack) =>
    readSection(backend, index.packs, index.packs.id(pack)),
  );
  for await (const section of reading) {
    if (section === undefined) continue;
    index.addPack(section);
    yield section;
  }
}

/** Writes the segments that mention packs which are gone anew, without them. False when there was no room for that. */
export async function trimSegments(
  backend: Backend,
  isGone: (packId: string) => boolean,
  entered: Set<string>,
): Promise<boolean> {
  const segments = await Array.fromAsync(backend.list(indexPrefix));
  for (const { name } of segments) {
    const segment = await fetchObject(backend, name);
    if (!Buffer.isBuffer(segment)) continue;
    const sections = [...segmentSections(segment)];
    const kept = sections.filter(({ packId }) => !isGone(packId));
    if (kept.length === sections.length) continue;
    const others = entered.has(name) ? entered : undefined;
    if (kept.length > 0 && !(await trySaveSegment(backend, kept, others))) return false;
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

/** `entered`: the packs are in the index, and the segment need not be read by whoever has its table. */
export async function saveSegment(
  backend: Backend,
  sections: Iterable<IndexSection>,
  entered?: Set<string>,
): Promise<void> {
  const name = `${indexPrefix}${randomUUID()}${segmentSuffix}`;
  await backend.put(name, encodeSegment(sections));
  entered?.add(name);
}

/**
 * Writes segments of a bounded size, and takes in all of `sections` in any case. False on a full store: the index is a
 * cache, and lacking it must not keep anyone from reading or deleting.
 */
async function trySaveSections(
  backend: Backend,
  sections: AsyncIterable<IndexSection>,
  entered: Set<string>,
): Promise<boolean> {
  let pending: IndexSection[] = [];
  let pendingBytes = 0;
  let saved = true;
  const save = async () => {
    if (pending.length > 0 && saved) saved = await trySaveSegment(backend, pending, entered);
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

async function trySaveSegment(
  backend: Backend,
  sections: Iterable<IndexSection>,
  entered: Set<string> | undefined,
): Promise<boolean> {
  try {
    await saveSegment(backend, sections, entered);
    return true;
  } catch (error) {
    if (isHoldfastError(error, 'StoreFull')) return false;
    throw error;
  }
}
