import { isHoldfastError, messageOf } from '../../errors/index.ts';
import { checkDescription } from '../description.ts';
import { decodeDocument } from '../document.ts';
import { segmentEnd, segmentSections } from '../index-segment.ts';
import { isTableWhole } from '../index-table.ts';
import { readWraps } from '../keys/stored-wraps.ts';
import {
  generationOf,
  generationPrefix,
  indexPrefix,
  keyMarkerName,
  keyPrefix,
  markerNames,
  quarantineName,
  quarantineOf,
  tablePrefix,
  tableSuffix,
} from '../layout.ts';
import { fetchObject } from '../object-access.ts';
import type { StoreState } from '../store-state.ts';
import { loadQuarantine } from './quarantine-record.ts';
import type { ObjectDamage } from './types.ts';

/** What is wrong with the store's own objects: everything but packs and points. */
export async function checkObjects(state: StoreState, signal?: AbortSignal): Promise<ObjectDamage[]> {
  const { backend, config } = state;
  const found: ObjectDamage[] = [];
  type Check = (
    name: string,
    harm: ObjectDamage['harm'],
    decode: (bytes: Buffer) => unknown,
  ) => Promise<void>;
  const check: Check = async (name, harm, decode) => {
    if ((await backend.stat(name)) === undefined)
      found.push({ name, kind: 'missing', harm, message: `${name} is missing.` });
    else await checkIfThere(name, harm, decode);
  };
  const checkIfThere: Check = async (name, harm, decode) => {
    signal?.throwIfAborted();
    const bytes = await fetchObject(backend, name);
    if (bytes !== undefined) {
      const message =
        typeof bytes === 'string' ? `${name} cannot be read: ${bytes}` : problemOf(() => decode(bytes));
      if (message !== undefined) found.push({ name, kind: 'corrupt', harm, message });
    }
  };
  const descriptions = await checkDescription(backend, config);
  // One of the two is enough to open the store.
  const harm = descriptions.length > 1 ? 'store' : 'none';
  for (const description of descriptions) found.push({ ...description, harm });
  const markers = state.keys === undefined ? markerNames : [...markerNames, keyMarkerName];
  for (const name of markers) await check(name, 'none', (bytes) => decodeDocument('marker', name, bytes));
  for await (const { name } of backend.list(generationPrefix))
    if (generationOf(name) !== undefined)
      await checkIfThere(name, 'none', (bytes) => state.documents.decode('generation', name, bytes));
  if (!state.generations.isFirst && (await state.generations.newestIsMissing()))
    found.push({
      name: generationPrefix,
      kind: 'missing',
      harm: 'none',
      message: 'What the last collection left for the next is missing.',
    });
  if (state.keys !== undefined) found.push(...(await checkKeys(state)));
  found.push(...(await checkQuarantine(state)));
  found.push(...(await checkSegments(state, signal)), ...(await checkTables(state, signal)));
  return found;
}

/** Keys that open nothing any more: the store opens as long as one is left. */
async function checkKeys({ backend }: StoreState): Promise<ObjectDamage[]> {
  const { wraps, damaged, halves } = await readWraps(backend);
  const harm = wraps.length === 0 ? 'store' : 'none';
  const found: ObjectDamage[] = damaged.map((message) => ({
    name: keyPrefix,
    kind: 'corrupt',
    harm,
    message,
  }));
  for (const { name, kind, message } of halves) found.push({ name, kind, harm: 'none', message });
  if (wraps.length === 0 && damaged.length === 0)
    found.push({ name: keyPrefix, kind: 'missing', harm, message: 'The store has no key left.' });
  return found;
}

/** Notes that cannot be read, and those that are known to have been written and are not there. */
async function checkQuarantine({ backend, quarantine }: StoreState): Promise<ObjectDamage[]> {
  const written = (await quarantine.saved()) ? [...quarantine.records()].map(({ pack }) => pack) : [];
  const { records, unreadable } = await loadQuarantine(backend);
  const found: ObjectDamage[] = unreadable.map((name) => ({
    name,
    kind: 'corrupt',
    harm: 'none',
    message: `${name} cannot be read.`,
  }));
  const there = new Set([...records.map(({ pack }) => quarantineName(pack)), ...unreadable]);
  for (const name of written.map(quarantineName))
    if (!there.has(name) && quarantine.get(quarantineOf(name) ?? '') !== undefined)
      found.push({ name, kind: 'missing', harm: 'none', message: `${name} is missing.` });
  return found;
}

async function checkTables(state: StoreState, signal?: AbortSignal): Promise<ObjectDamage[]> {
  const { backend } = state;
  const found: ObjectDamage[] = [];
  if (await state.isTableMissing())
    found.push({
      name: tablePrefix,
      kind: 'missing',
      harm: 'none',
      message: 'The table of the index is missing.',
    });
  for await (const object of backend.list(tablePrefix)) {
    signal?.throwIfAborted();
    const { name } = object;
    if (!name.endsWith(tableSuffix) || (await isTableWhole(backend, object))) continue;
    if ((await backend.stat(name)) === undefined) continue; // written anew meanwhile
    found.push({ name, kind: 'corrupt', harm: 'none', message: `${name} is damaged or cut short.` });
  }
  return found;
}

/** A collection replaces segments while they are looked at; then they are looked at again, so many times at most. */
const segmentLooks = 3;

/** Segments that are not whole, and packs that none covers. */
async function checkSegments(state: StoreState, signal?: AbortSignal): Promise<ObjectDamage[]> {
  const { packs } = state.sink;
  for (let look = 1; ; look++) {
    const found: ObjectDamage[] = [];
    // Before the index is saved: those that come later need not be in it yet.
    const uncovered = new Set(packs.present.keys());
    for (const packId of packs.unreadable.keys()) uncovered.delete(packId);
    await state.saveIndexIfRoom();
    let isReplaced = false;
    for await (const { name } of state.backend.list(indexPrefix)) {
      signal?.throwIfAborted();
      const segment = await fetchObject(state.backend, name);
      if (segment === undefined) {
        isReplaced = true; // merged or trimmed meanwhile
        continue;
      }
      if (typeof segment === 'string') {
        found.push({ name, kind: 'corrupt', harm: 'none', message: `${name} cannot be read: ${segment}` });
        continue;
      }
      for (const { packId } of segmentSections(segment)) uncovered.delete(packId);
      if (segmentEnd(segment) !== segment.length)
        found.push({ name, kind: 'corrupt', harm: 'none', message: `${name} is damaged or cut short.` });
    }
    for (const packId of uncovered) if (packs.sizeOf(packId) === undefined) uncovered.delete(packId); // collected meanwhile
    if (isReplaced && uncovered.size > 0 && look < segmentLooks) continue;
    if (!isReplaced && uncovered.size > 0)
      found.push({
        name: indexPrefix,
        kind: 'missing',
        harm: 'none',
        message: `${uncovered.size} packs are in no index segment.`,
      });
    return found;
  }
}

function problemOf(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (isHoldfastError(error) || error instanceof Error) return messageOf(error);
    throw error;
  }
}
