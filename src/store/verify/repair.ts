import { isHoldfastError, messageOf } from '../../errors/index.ts';
import { encodeDocument } from '../document.ts';
import { segmentEnd, segmentSections } from '../index-segment.ts';
import { mendWraps } from '../keys/stored-wraps.ts';
import {
  configCopyName,
  configName,
  generationPrefix,
  indexPrefix,
  keyMarkerName,
  keyPrefix,
  markerNames,
  packName,
  pointName,
  quarantineOf,
  tablePrefix,
  wrapIdOf,
} from '../layout.ts';
import { fetchObject } from '../object-access.ts';
import { encodeConfig } from '../store-config.ts';
import type { StoreState } from '../store-state.ts';
import { checkObjects } from './check-objects.ts';
import type { CheckWork } from './check-pack.ts';
import { coverPacks } from './cover-packs.ts';
import { findSalvage, hasAllFrames, rewritePack, salvagePack } from './salvage.ts';
import type { ObjectDamage, PointDamage, RepairOptions, RepairReport, RepairStep } from './types.ts';
import { checkWorkOf, locatePoints, verifyPack } from './verify-store.ts';

/** A step with what carries it out; each may be done again, and dying in any costs nothing but the step. */
interface Planned extends RepairStep {
  /** Returns the number of chunks that were salvaged. */
  run?: () => Promise<number | undefined> | Promise<void>;
}

/**
 * Finds out what can be mended and, unless it is a dry run, mends it. It goes by what is known: small objects are looked
 * at anew, of packs those that a verification, a reader or the opening of the store has found damaged. It never deletes a
 * point, and writes before it gives anything up.
 */
export async function repairStore(
  state: StoreState,
  options: RepairOptions,
  now: Temporal.Instant,
): Promise<RepairReport> {
  const { signal } = options;
  const dryRun = options.dryRun ?? true;
  const work = checkWorkOf(state, options);
  const objects = await checkObjects(state, signal);
  const steps = [...planObjects(state, objects, now), ...(await planPacks(state, work))];
  const before = await locatePoints(state, options);
  const lostObjects = [...objects.filter(({ harm }) => harm === 'point'), ...before.damagedObjects];
  if (before.damagedPoints.length === 0 && lostObjects.length === 0) steps.push(...planForgetting(state));
  const failed: RepairReport['failed'] = [];
  let salvagedChunks = 0;
  let { damagedPoints } = before;
  if (!dryRun) {
    for (const { target, run } of steps) {
      signal?.throwIfAborted();
      try {
        salvagedChunks += (await run?.()) ?? 0;
      } catch (error) {
        // What one object refuses must not keep the others from being mended; a store that is full or away would.
        if (signal?.aborted || isHoldfastError(error, 'StoreFull')) throw error;
        failed.push({ target, message: messageOf(error) });
      }
    }
    ({ damagedPoints } = await locatePoints(state, options));
  }
  return {
    dryRun,
    steps: [
      ...steps.map(({ action, target, reason }) => ({ action, target, reason })),
      ...lostObjects.map(({ name, message }) => ({ action: 'lost' as const, target: name, reason: message })),
      ...damagedPoints.map(lossOf),
    ],
    failed,
    damagedPoints,
    salvagedChunks,
  };
}

function lossOf({ itemId, pointId, disks }: PointDamage): RepairStep {
  const parts = disks.map(
    ({ name, gapCount, gapBytes, reason }) =>
      `${name}: ${gapBytes} bytes in ${gapCount} stretches (${reason})`,
  );
  return { action: 'lost', target: pointName(itemId, pointId), reason: parts.join('; ') };
}

function planObjects(state: StoreState, objects: readonly ObjectDamage[], now: Temporal.Instant): Planned[] {
  const { backend, config, generations, quarantine } = state;
  const steps: Planned[] = [];
  const markers: readonly string[] = [...markerNames, keyMarkerName];
  for (const { name, message: reason } of objects) {
    const quarantined = quarantineOf(name);
    if (name === configName || name === configCopyName)
      steps.push({
        action: 'rewrite',
        target: name,
        reason,
        run: () => backend.put(name, [encodeConfig(config)]),
      });
    else if (markers.includes(name))
      steps.push({
        action: 'rewrite',
        target: name,
        reason,
        run: () => backend.put(name, [encodeDocument('marker', {})]),
      });
    else if (wrapIdOf(name) !== undefined)
      steps.push({ action: 'rewrite', target: name, reason, run: () => mendWraps(backend) });
    else if (name.startsWith(keyPrefix))
      steps.push({ action: 'lost', target: name, reason: `${reason} Add a key again.` });
    else if (quarantined !== undefined)
      steps.push({ action: 'rewrite', target: name, reason, run: () => quarantine.rewrite(quarantined) });
    else if (name.startsWith(generationPrefix))
      steps.push({
        action: 'rebuild',
        target: name,
        reason,
        run: () => state.oneCollection.run(() => generations.rewrite(now.toString())),
      });
    else if (name.startsWith(tablePrefix))
      steps.push({ action: 'rebuild', target: name, reason, run: () => state.replaceTable(name) });
    else if (name.startsWith(indexPrefix))
      steps.push({ action: 'rebuild', target: name, reason, run: () => rebuildSegment(state, name) });
  }
  return steps;
}

/**
 * What a damaged segment still says, and what no segment says, goes into new ones; only then does the damaged one go.
 */
async function rebuildSegment(state: StoreState, name: string): Promise<void> {
  const { backend } = state;
  await state.whileIndexRests(async () => {
    const segment = name === indexPrefix ? undefined : await fetchObject(backend, name);
    const rest = Buffer.isBuffer(segment) ? [...segmentSections(segment)] : [];
    if (Buffer.isBuffer(segment) && segmentEnd(segment) === segment.length) return;
    await coverPacks(state, rest, name);
    if (name !== indexPrefix) await backend.delete(name);
  });
}

async function planPacks(state: StoreState, work: CheckWork): Promise<Planned[]> {
  const { quarantine, sink } = state;
  const steps: Planned[] = [];
  const suspects = new Set([...sink.packs.unreadable.keys()]);
  for (const { pack, all, container } of quarantine.records())
    if (!(all && container !== undefined)) suspects.add(pack); // those have been given up before
  for (const packId of suspects) {
    const check = await verifyPack(state, packId, work);
    if (check === undefined || check.container === undefined) continue;
    const { trailer, container } = check;
    const target = packName(packId);
    // As it is now: what the store remembers is from before it was cut.
    const sizeBytes = (await work.backend.stat(target))?.sizeBytes;
    if (sizeBytes === undefined) continue;
    if (trailer !== undefined && hasAllFrames(trailer, sizeBytes)) {
      const run = async () => {
        await rewritePack(state, packId, trailer);
        await verifyPack(state, packId, work);
      };
      steps.push({ action: 'rewrite', target, reason: container, run });
      continue;
    }
    const salvage = await findSalvage(packId, sizeBytes, check, work);
    if (salvage.good.length === 0) {
      steps.push({ action: 'lost', target, reason: `${container}; nothing in it can be read` });
      continue;
    }
    const run = () => salvagePack(state, packId, salvage, container);
    steps.push({
      action: 'salvage',
      target,
      reason: `${container}; ${salvage.good.length} chunks can be read`,
      run,
    });
  }
  return steps;
}

/** Packs that are mentioned and not there, while no point lacks anything: it is the mention that is wrong. */
function planForgetting(state: StoreState): Planned[] {
  const { packs } = state.sink;
  const isLost = (packId: string) => packs.lost.has(packId);
  const lost = [...packs.lost];
  if (lost.length === 0) return [];
  const reason = `${lost.length} packs are missing that no point needs`;
  const run = async () => {
    if (!(await state.trimIndex(isLost))) return;
    for (const packId of lost.filter(isLost)) {
      state.index.removePack(packs.number(packId));
      packs.forget(packId);
    }
    for (const _ of state.index.sweep());
  };
  return [{ action: 'rebuild', target: indexPrefix, reason, run }];
}
