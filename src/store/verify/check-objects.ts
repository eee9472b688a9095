import { isHoldfastError, messageOf } from '../../errors/index.ts';
import { decodeDocument } from '../document.ts';
import { segmentEnd, segmentSections } from '../index-segment.ts';
import { configName, generationOf, generationPrefix, indexPrefix, markerNames } from '../layout.ts';
import { fetchObject } from '../object-access.ts';
import { decodeConfig } from '../store-config.ts';
import type { StoreState } from '../store-state.ts';
import { loadQuarantine } from './quarantine-record.ts';
import type { ObjectDamage } from './types.ts';

/** What is wrong with the store's own objects: everything but packs and points. */
export async function checkObjects(state: StoreState, signal?: AbortSignal): Promise<ObjectDamage[]> {
  const { backend, config } = state;
  const found: ObjectDamage[] = [];
  const check = async (name: string, harm: ObjectDamage['harm'], decode: (bytes: Buffer) => unknown) => {
    signal?.throwIfAborted();
    const bytes = await fetchObject(backend, name);
    if (bytes === undefined) found.push({ name, kind: 'missing', harm, message: `${name} is missing.` });
    else {
      const message =
        typeof bytes === 'string' ? `${name} cannot be read: ${bytes}` : problemOf(() => decode(bytes));
      if (message !== undefined) found.push({ name, kind: 'corrupt', harm, message });
    }
  };
  await check(configName, 'store', (bytes) => {
    if (decodeConfig(bytes).storeId !== config.storeId)
      throw new Error('the description is that of another store');
  });
  for (const name of markerNames) await check(name, 'none', (bytes) => decodeDocument('marker', name, bytes));
  for await (const { name } of backend.list(generationPrefix))
    if (generationOf(name) !== undefined)
      await check(name, 'none', (bytes) => decodeDocument('generation', name, bytes));
  if (!state.generations.isFirst && (await state.generations.newestIsMissing()))
    found.push({
      name: generationPrefix,
      kind: 'missing',
      harm: 'none',
      message: 'What the last collection left for the next is missing.',
    });
  const quarantine = await loadQuarantine(backend);
  for (const name of quarantine.unreadable)
    found.push({ name, kind: 'corrupt', harm: 'none', message: `${name} cannot be read.` });
  found.push(...(await checkSegments(state, signal)));
  return found;
}

/** Segments that are not whole, and packs that none covers. */
async function checkSegments(state: StoreState, signal?: AbortSignal): Promise<ObjectDamage[]> {
  const found: ObjectDamage[] = [];
  await state.saveIndexIfRoom();
  const uncovered = new Set(state.sink.packs.present.keys());
  for (const packId of state.sink.packs.unreadable.keys()) uncovered.delete(packId);
  for await (const { name } of state.backend.list(indexPrefix)) {
    signal?.throwIfAborted();
    const segment = await fetchObject(state.backend, name);
    if (segment === undefined) continue; // merged or trimmed meanwhile
    if (typeof segment === 'string') {
      found.push({ name, kind: 'corrupt', harm: 'none', message: `${name} cannot be read: ${segment}` });
      continue;
    }
    for (const { packId } of segmentSections(segment)) uncovered.delete(packId);
    if (segmentEnd(segment) !== segment.length)
      found.push({ name, kind: 'corrupt', harm: 'none', message: `${name} is damaged or cut short.` });
  }
  if (uncovered.size > 0)
    found.push({
      name: indexPrefix,
      kind: 'missing',
      harm: 'none',
      message: `${uncovered.size} packs are in no index segment.`,
    });
  return found;
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
