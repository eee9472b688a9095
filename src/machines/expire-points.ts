import { HoldfastError, isHoldfastError, messageOf } from '../errors/index.ts';
import { type MergeStep, planMerges } from './chain-plan.ts';
import type { Host } from './host.ts';
import type { HostContext } from './host-context.ts';
import type { Ledger } from './ledger.ts';
import { chainsOf, viewMachine } from './machine-view.ts';
import { MergeMustWait, type MergeOptions, mergeDisk } from './merge-disk.ts';
import { isGone, settleMachine } from './settle.ts';

type ExpiryResult = Awaited<ReturnType<Host['expirePoints']>>;

/** Steps in one call at most: far more than layers that we ever put on a machine. */
const maxSteps = 2_000;

/**
 * Gives up points, in the ledger first, and merges what can be merged. Points given up earlier that had to wait are
 * merged too.
 */
export async function expirePoints(
  host: HostContext,
  uuid: string,
  pointIds: readonly string[],
  options: MergeOptions,
): Promise<ExpiryResult> {
  const known = await host.ledgers.read(uuid);
  if (known === undefined) return { merged: [...pointIds], waiting: [] };
  if (await isGone(host, uuid)) {
    // its layers may be the only copy of its data, and there is no chain left to merge them into
    const reason = `the VM '${known.machineName}' is gone`;
    return { merged: [], waiting: pointIds.map((pointId) => ({ pointId, reason })) };
  }
  await settleMachine(host, uuid);
  await giveUp(host, uuid, await host.ledgers.read(uuid), (pointId) => pointIds.includes(pointId));
  await host.step('given up');
  const waiting = await mergeGivenUp(host, uuid, false, options);
  const left = new Set((await host.ledgers.read(uuid))?.points.map((point) => point.pointId));
  const before = known.points.filter((point) => point.state === 'given-up').map((point) => point.pointId);
  const merged = [...new Set([...before, ...pointIds])].filter((pointId) => !left.has(pointId));
  return { merged, waiting: [...waiting].map(([pointId, reason]) => ({ pointId, reason })) };
}

/**
 * Merges every layer of ours, the active ones too, so that the machine is as before protection. Of a machine that is
 * gone only the ledger is dropped: its layers may be the only copy of its data.
 * @throws DiskMergeFailed when something has to wait; what was merged until then stays merged
 */
export async function releaseMachine(host: HostContext, uuid: string, signal?: AbortSignal): Promise<void> {
  const known = await host.ledgers.read(uuid);
  if (known === undefined) return;
  if (await isGone(host, uuid)) {
    for (const { pointId } of known.points) await host.ledgers.deletePoint(uuid, pointId);
    await host.ledgers.forget(uuid);
    host.log.warn({ vm: uuid }, `'${known.machineName}' is gone; its image files are left as they are`);
    return;
  }
  await settleMachine(host, uuid);
  await giveUp(host, uuid, await host.ledgers.read(uuid), () => true);
  await host.ledgers.update(uuid, (ledger) => ({ ...ledger, releasing: true }));
  await host.step('releasing');
  const waiting = await mergeGivenUp(host, uuid, true, signal === undefined ? {} : { signal });
  await settleMachine(host, uuid); // leftovers that had a user before
  const left = await host.ledgers.read(uuid);
  const [first] = waiting;
  if (first !== undefined || left?.intent !== undefined || (left?.leftovers.length ?? 0) > 0)
    throw mergeRefused(known.machineName, first?.[1] ?? 'something still uses a merged layer');
  await host.ledgers.forget(uuid);
}

function mergeRefused(name: string, why: string): Error {
  return new HoldfastError('DiskMergeFailed', `The layers of '${name}' can't all be merged yet: ${why}.`);
}

async function giveUp(
  host: HostContext,
  uuid: string,
  ledger: Ledger | undefined,
  chosen: (pointId: string) => boolean,
): Promise<void> {
  const points = ledger?.points.filter((point) => point.state === 'kept' && chosen(point.pointId)) ?? [];
  if (points.length === 0) return;
  const ids = new Set(points.map((point) => point.pointId));
  await host.ledgers.update(uuid, (now) => ({
    ...now,
    points: now.points.map((point) => (ids.has(point.pointId) ? { ...point, state: 'given-up' } : point)),
  }));
  for (const pointId of ids) await host.ledgers.deletePoint(uuid, pointId);
}

/** @returns the points that have to wait, and why */
async function mergeGivenUp(
  host: HostContext,
  uuid: string,
  releasing: boolean,
  options: MergeOptions,
): Promise<Map<string, string>> {
  const held = new Map<string, string>(); // by point and disk
  for (let count = 0; count < maxSteps; count++) {
    options.signal?.throwIfAborted();
    const ledger = await host.ledgers.read(uuid);
    if (ledger === undefined || !ledger.points.some((point) => point.state === 'given-up')) return new Map();
    const view = await viewMachine(host, uuid, options.signal);
    const steps = planMerges(ledger, await chainsOf(view, options.signal));
    const next = steps.find((step) => isDoable(step, releasing) && !held.has(keyOf(step)));
    if (next === undefined) return reasonsOf(steps, held);
    try {
      if (!['running', 'paused', 'shut off'].includes(view.status.state))
        throw new MergeMustWait(`'${view.status.name}' is in the state '${view.status.stateWord}'`);
      if (next.kind !== 'wait') await mergeDisk(host, view, next, options);
    } catch (error) {
      const waits =
        error instanceof MergeMustWait ||
        isHoldfastError(error, 'DiskMergeFailed', 'DiskImageInUse', 'UserErrorHostStorageFull');
      if (!waits) throw error;
      held.set(keyOf(next), messageOf(error));
    }
  }
  throw new Error(`merging the layers of ${uuid} does not come to an end`);
}

const keyOf = (step: MergeStep) => `${step.pointId} ${step.target}`;

function isDoable(step: MergeStep, releasing: boolean): boolean {
  return step.kind !== 'wait' && (step.kind !== 'active' || releasing);
}

function reasonsOf(steps: readonly MergeStep[], held: ReadonlyMap<string, string>): Map<string, string> {
  const reasons = new Map<string, string>();
  for (const step of steps) {
    const reason =
      held.get(keyOf(step)) ??
      (step.kind === 'wait'
        ? step.reason
        : 'it is the newest of its disk, from which the next backup counts');
    if (!reasons.has(step.pointId)) reasons.set(step.pointId, reason);
  }
  return reasons;
}
