import { setImmediate } from 'node:timers/promises';
import { isHoldfastError } from '../../errors/index.ts';
import { packName } from '../layout.ts';
import { PackWriter, packTargetBytes } from '../pack-writer.ts';
import type { CollectPlan, PackAction, PackPlan } from '../types.ts';
import { type CollectRun, countsIn, whenSettled } from './collect-run.ts';
import { copyNeeded, repackLimitOfOnePack } from './repack.ts';
import { isReplaced } from './replaced.ts';

const defaultRepackLimitBytes = 8 * 1024 ** 3;

/** Copied at most before the packs it came from are condemned: what a crash can waste. */
const repackBatchBytes = 8 * packTargetBytes;

/**
 * Does what the plan says. The mark first; then the deletions, which make room; then the copies. Each pack is looked at
 * again when its turn comes: the plan says what may be done, the state whether it still may.
 */
export async function execute(run: CollectRun, plan: CollectPlan): Promise<void> {
  const { state, report } = run;
  const doomed = planned(plan, 'remove');
  const repacks = planned(plan, 'repack').sort((a, b) => a.neededBytes - b.neededBytes);
  try {
    await condemnAndAnnounce(run, plan, doomed);
    await remove(run, doomed);
    await repack(run, plan, repacks);
    await forgetRemoved(run, plan);
    await state.generations.restoreReserve(state.settings.reserveBytes);
  } finally {
    if (report.removedPacks > 0) for (const _ of state.index.sweep()) await setImmediate();
  }
}

function planned(plan: CollectPlan, action: PackAction): PackPlan[] {
  return plan.packs.filter((pack) => pack.action === action);
}

/**
 * Writes down what is condemned from now on, and what is deleted next, so that its absence is not taken for damage.
 * When that fails, nothing has happened.
 */
async function condemnAndAnnounce(run: CollectRun, plan: CollectPlan, doomed: readonly PackPlan[]) {
  const { state } = run;
  const pardons = planned(plan, 'pardon');
  const dead = planned(plan, 'condemn');
  const dated = state.condemned.dateBack(run.now);
  const isChanged = dated + doomed.length + pardons.length + dead.length > 0;
  if (!isChanged && state.generations.points === plan.points) return;
  for (const { pack } of doomed) state.generations.removed.add(pack);
  for (const { pack } of pardons) state.condemned.pardon(pack);
  try {
    await condemn(run, plan, dead);
  } catch (error) {
    state.generations.forgetRemoved(doomed.map(({ pack }) => pack));
    throw error;
  }
}

/** Hides packs from writers, then makes that durable. */
async function condemn(run: CollectRun, plan: CollectPlan, packs: readonly PackPlan[]): Promise<void> {
  const { state, watch, report, generation } = run;
  const condemned = await whenSettled(run, () => {
    const epoch = state.uses.beginEpoch();
    const still = packs.filter(
      ({ pack, action }) => !watch.wrote(pack) && (action === 'repack' || !isOfUse(run, pack)),
    );
    const sentence = { generation, at: run.now.toString(), epoch };
    for (const { pack } of still) state.condemned.condemn(pack, sentence);
    return still;
  });
  try {
    await state.generations.save({ generation, at: run.now.toString(), points: plan.points });
  } catch (error) {
    for (const { pack } of condemned) state.condemned.pardon(pack);
    throw error;
  }
  for (const { sizeBytes } of condemned) {
    report.condemnedPacks++;
    report.condemnedBytes += sizeBytes;
  }
}

async function remove(run: CollectRun, doomed: readonly PackPlan[]): Promise<void> {
  const { state, options, work, report } = run;
  for (const [done, { pack, sizeBytes }] of doomed.entries()) {
    options.signal?.throwIfAborted();
    options.onProgress?.({ phase: 'removing', done, total: doomed.length });
    await work.pace(0);
    if (!(await isReplaced(run, pack))) continue;
    await whenSettled(run, async () => {
      // Held or pardoned since the plan was made: the next collection sees to it.
      if (!state.condemned.sentences.has(pack) || countsIn(run, pack).needed > 0) return;
      state.removals++;
      await state.condemned.delete(pack, () => state.backend.delete(packName(pack)));
      state.quarantine.forget(pack);
      report.removedPacks++;
      report.removedBytes += sizeBytes;
    });
  }
}

function isOfUse(run: CollectRun, pack: string): boolean {
  const { needed, spare } = countsIn(run, pack);
  return needed + spare > 0;
}

/** Copies first, makes them and their index durable, and only then condemns the packs they came from. */
async function repack(run: CollectRun, plan: CollectPlan, packs: readonly PackPlan[]): Promise<void> {
  const { state, options, marks, work, watch, report } = run;
  const { signal } = options;
  const chosen = withinLimit(packs, options.repackLimitBytes ?? defaultRepackLimitBytes);
  const going = new Set(chosen.map(({ pack }) => pack));
  const writer = new PackWriter(state.sink, state.settings.packTargetBytes, (packId) => watch.note(packId));
  let batch: PackPlan[] = [];
  let batchBytes = 0;
  const finishBatch = async () => {
    if (batch.length === 0) return;
    await writer.flush();
    await state.saveIndex();
    await condemn(run, plan, batch);
    report.repackedPacks += batch.length;
    batch = [];
    batchBytes = 0;
  };
  try {
    for (const [done, source] of chosen.entries()) {
      const { pack, sizeBytes, neededBytes } = source;
      signal?.throwIfAborted();
      options.onProgress?.({ phase: 'repacking', done, total: chosen.length });
      await work.pace(sizeBytes + neededBytes);
      if (watch.wrote(pack)) continue;
      if (await copyNeeded(pack, { state, marks, writer, going, signal })) {
        batch.push(source);
        batchBytes += neededBytes;
      } else {
        going.delete(pack);
        report.damagedPacks.push(pack);
      }
      if (batchBytes >= repackBatchBytes) await finishBatch();
    }
    await finishBatch();
  } catch (error) {
    if (!isHoldfastError(error, 'StoreFull')) throw error;
    report.ranOutOfSpace = true;
  } finally {
    await writer.discard();
  }
}

function withinLimit(packs: readonly PackPlan[], limitBytes: number): PackPlan[] {
  let bytes = 0;
  return packs.filter(({ sizeBytes, neededBytes }) => {
    if (sizeBytes > repackLimitOfOnePack) return false;
    bytes += neededBytes;
    return bytes <= limitBytes;
  });
}

/** Once no segment mentions the packs that are gone, nor need the generation do so. */
async function forgetRemoved({ state, generation, now }: CollectRun, plan: CollectPlan): Promise<void> {
  const { generations } = state;
  const removed = [...generations.removed];
  if (removed.length === 0 || !(await state.trimIndex((packId) => generations.isGone(packId)))) return;
  generations.forgetRemoved(removed);
  try {
    await generations.save({ generation, at: now.toString(), points: plan.points });
  } catch (error) {
    for (const pack of removed) generations.removed.add(pack);
    if (!isHoldfastError(error, 'StoreFull')) throw error; // the next collection tries again
  }
}
