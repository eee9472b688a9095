import { getItem, type ItemRow } from '../catalog/index.ts';
import { HoldfastError, isHoldfastError, messageOf } from '../errors/index.ts';
import { createDiskTarget, type Host, type MachineDefinition } from '../machines/index.ts';
import { copyFromSnapshot, copyFromVault } from './disk-copy.ts';
import type { Operation } from './engine.ts';
import { type JobContext, ServiceStopping } from './job-context.ts';
import { makeDirectoryFor, Placing } from './placing.ts';
import { replaceDisks, resumeReplacing } from './replace-disks.ts';
import { noteGaps, RestoreGaps, sayingHow, statusWith } from './restore-gaps.ts';
import { LiveRestore } from './restore-live.ts';
import { restoreMachine, resumeMachine } from './restore-machine.ts';
import type { RestorePayload } from './restore-payload.ts';
import { imageOwner, openFrom } from './restore-places.ts';
import {
  isInstant,
  isLive,
  isSameDefinition,
  planRestore,
  type RestorePlan,
  type StoreChoice,
} from './restore-plan.ts';
import { dataTask, storeTasks, transferFromReplica, transferFromVault } from './restore-tasks.ts';
import { definitionOf } from './start-restore.ts';
import type { Workshop } from './workshop.ts';
import { writeWhole } from './write-whole.ts';

export function restoreOperation(workshop: Workshop): Operation<RestorePayload> {
  const run: Operation<RestorePayload>['run'] = async (context) => {
    if (context.payload.options.kind === 'original') return replaceDisks(workshop, context);
    const placing = placingOf(context);
    await using live = new LiveRestore(workshop, context);
    let prepared: Prepared;
    try {
      prepared = await prepare(workshop, context, placing, live);
    } catch (error) {
      if (!(context.signal.reason instanceof ServiceStopping)) await placing.removeAll();
      throw error;
    }
    if (context.payload.options.kind === 'disks') return statusWith(context, 'Completed');
    return statusWith(
      context,
      await restoreMachine(workshop, context, placing, prepared.plan, prepared.definition, live),
    );
  };
  const startOver: Operation<RestorePayload>['run'] = async (context) => {
    await placingOf(context).removeAll();
    await context.savePayload({ placed: [] });
    return run(context);
  };
  return {
    run,
    async resume(context) {
      if (context.payload.options.kind === 'original') return resumeReplacing(workshop, context);
      const placing = placingOf(context);
      await using live = new LiveRestore(workshop, context);
      if (context.payload.defining === true)
        return statusWith(context, await resumeMachine(workshop, context, placing, live));
      await live.discard();
      await placing.removeAll();
      throw new HoldfastError(
        'JobInterrupted',
        `The service stopped during the restore of '${context.payload.point.machineName}'.`,
        { target: context.payload.point.machineName },
      );
    },
    retry: startOver,
    // From there on `resume` alone knows what there is, as of disks that are replaced; and a VM that runs from the vault is
    // tried again by itself.
    mayRetry: ({ defining, options }) => defining !== true && options.kind !== 'original' && !isLive(options),
    cancelRefusal({ defining }) {
      return defining === true
        ? 'The virtual machine is being created; a restore can be cancelled only until then.'
        : undefined;
    },
  };
}

const placingOf = (context: JobContext<RestorePayload>) =>
  new Placing(context.payload.options.directory, context.jobId, context.payload, (notes) =>
    context.savePayload(notes),
  );

interface Prepared {
  plan: RestorePlan;
  definition: MachineDefinition;
}

/** Brings all files of the restore into place. */
async function prepare(
  workshop: Workshop,
  context: JobContext<RestorePayload>,
  placing: Placing,
  live: LiveRestore,
): Promise<Prepared> {
  const { options, point, itemId } = context.payload;
  const [item, definition] = await Promise.all([
    getItem(workshop.db, itemId),
    definitionOf(workshop, point.pointId),
  ]);
  await context.setProperties({
    'Job Type': options.kind === 'disks' ? 'Recover disks' : 'Recover to a new virtual machine',
    // Azure's name of this property ends in a blank.
    'Recovery point time ': point.takenAt,
    'Target Directory': options.directory,
    ...(options.machineName === undefined ? {} : { 'Target VM Name': options.machineName }),
  });
  await makeDirectoryFor(options.directory, await imageOwner(workshop, item));
  const plan = await bringDisks(workshop, context, placing, item, live);
  if (
    plan.definitionPath !== undefined &&
    !(await isSameDefinition(plan.definitionPath, definition.domainXml))
  ) {
    await writeWhole(placing.partialPath(plan.definitionPath), definition.domainXml);
    await placing.publish(plan.definitionPath);
  }
  await context.setProperties({ 'Restored disk(s)': plan.disks.map((disk) => disk.path).join(';') });
  return { plan, definition };
}

/** Puts the disks in place, from the vault if the snapshot fails and the choice was ours. */
async function bringDisks(
  workshop: Workshop,
  context: JobContext<RestorePayload>,
  placing: Placing,
  item: ItemRow,
  live: LiveRestore,
): Promise<RestorePlan> {
  const { options, point, tier, store, vaultAsFallback } = context.payload;
  const plan = planRestore(options, tier, point);
  if (isLive(options)) {
    await live.attach(plan, placing);
    return plan;
  }
  if (tier === 'vault') {
    await bringFromStores(workshop, context, placing, item, plan);
    return plan;
  }
  const task = dataTask(options, tier, store);
  try {
    await bringFromSnapshot(workshop, context, placing, item, plan);
    return plan;
  } catch (error) {
    const isSnapshotAtFault = isHoldfastError(error) && !targetErrors.has(error.code);
    if (!vaultAsFallback || context.signal.aborted || !isSnapshotAtFault) throw error;
    workshop.log.warn({ jobId: context.jobId, err: error }, 'restoring from the vault: the snapshot failed');
    await placing.removeAll();
    await context.savePayload({ tier: 'vault', placed: [] });
    const reason = `The snapshot could not be used: ${messageOf(error)}`;
    await context.replaceTask(task, storeTasks[store], reason);
    const fromVault = planRestore(options, 'vault', point);
    await bringFromStores(workshop, context, placing, item, fromVault);
    return fromVault;
  }
}

/** From the store that was chosen; from the replica if the vault's own fails and the choice was ours. */
async function bringFromStores(
  workshop: Workshop,
  context: JobContext<RestorePayload>,
  placing: Placing,
  item: ItemRow,
  plan: RestorePlan,
): Promise<void> {
  const { store, replicaAsFallback } = context.payload;
  const bring = (from: StoreChoice, reason?: string) =>
    bringFromStore(workshop, context, placing, item, plan, { from, reason });
  try {
    await bring(store);
  } catch (error) {
    const isStoreAtFault = isHoldfastError(error) && !targetErrors.has(error.code);
    if (!replicaAsFallback || context.signal.aborted || !isStoreAtFault) throw error;
    workshop.log.warn(
      { jobId: context.jobId, err: error },
      "restoring from the replica: the vault's own store failed",
    );
    await placing.removeAll();
    await context.savePayload({ store: 'replica', placed: [] });
    const reason = `The vault's own store could not be used: ${messageOf(error)}`;
    await context.replaceTask(transferFromVault, transferFromReplica, reason);
    await bring('replica', reason);
  }
}

/** Failures of the place that is restored to; another source would not help. */
const targetErrors: ReadonlySet<string> = new Set([
  'UserErrorTargetPathExists',
  'UserErrorHostStorageFull',
  'DiskImageExists',
  'InvalidInput',
]);

async function bringFromSnapshot(
  workshop: Workshop,
  context: JobContext<RestorePayload>,
  placing: Placing,
  item: ItemRow,
  plan: RestorePlan,
): Promise<void> {
  const { options, point } = context.payload;
  const host = await workshop.estate.host(item.host_name);
  // The VM that was frozen: the item may have been bound to another since.
  const { machineUuid } = point;
  await context.runTask(dataTask(options, 'snapshot', 'primary'), async (task) => {
    if (isInstant(options, 'snapshot')) {
      for (const { target, path } of plan.disks) {
        const request = { machineUuid, pointId: point.pointId, target, path: placing.partialPath(path) };
        await host.createInstantDisk(request, context.signal);
        await placing.publish(path);
      }
      return;
    }
    using _place = await workshop.restores.enter(context.signal);
    await copyFromSnapshot({
      ...copyRequest(workshop, context, placing, plan, host),
      task,
      machineUuid,
      pointId: point.pointId,
      host,
    });
    for (const { path } of plan.disks) await placing.publish(path);
  });
}

async function bringFromStore(
  workshop: Workshop,
  context: JobContext<RestorePayload>,
  placing: Placing,
  item: ItemRow,
  plan: RestorePlan,
  { from, reason }: { from: StoreChoice; reason: string | undefined },
): Promise<void> {
  const { point, options, replicaAsFallback } = context.payload;
  // What is damaged is left out only where no other store is left to ask.
  const isLast = from === 'replica' || !replicaAsFallback;
  const gaps = options.allowDamaged === true && isLast ? new RestoreGaps() : undefined;
  await context.runTask(storeTasks[from], async (task) => {
    if (reason !== undefined) await task.say(reason);
    using _place = await workshop.restores.enter(context.signal);
    const store = await openFrom(workshop, item.vault_id, from);
    await context.setProperties({ 'Restored from': from === 'replica' ? 'replica' : 'vault' });
    try {
      await copyFromVault({
        ...copyRequest(workshop, context, placing, plan, undefined),
        task,
        store,
        itemId: item.item_id,
        pointId: point.pointId,
        onGap: gaps && ((target) => gaps.of(target)),
      });
    } catch (error) {
      throw gaps === undefined ? sayingHow(error) : error;
    }
    if (gaps !== undefined && !gaps.isEmpty) await noteGaps(context, placing, plan, gaps);
    for (const { path } of plan.disks) await placing.publish(path);
  });
}

const copyRequest = (
  workshop: Workshop,
  context: JobContext<RestorePayload>,
  placing: Placing,
  plan: RestorePlan,
  host: Host | undefined,
) => ({
  plan: plan.disks.map((disk) => ({ ...disk, partial: placing.partialPath(disk.path) })),
  // Files need no hypervisor: a restore from the vault works while it is down.
  createDisk: host === undefined ? createDiskTarget : host.createDisk.bind(host),
  nowMs: () => workshop.clock.monotonicMs(),
  signal: context.signal,
});
