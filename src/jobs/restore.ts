import { stat } from 'node:fs/promises';
import {
  findHost,
  findReplica,
  getDefinition,
  getItem,
  getVault,
  type ItemRow,
  type PointRow,
} from '../catalog/index.ts';
import { HoldfastError, isHoldfastError, messageOf } from '../errors/index.ts';
import { createDiskTarget, type Host, type MachineDefinition } from '../machines/index.ts';
import type { Store } from '../store/index.ts';
import { copyFromSnapshot, copyFromVault } from './disk-copy.ts';
import type { Operation } from './engine.ts';
import { type JobContext, ServiceStopping } from './job-context.ts';
import { makeDirectoryFor, Placing } from './placing.ts';
import { noReplica } from './replicate.ts';
import { noteGaps, RestoreGaps, sayingHow, statusWith } from './restore-gaps.ts';
import {
  createMachine,
  flattenDisks,
  type RestorePayload,
  restoreMachine,
  resumeMachine,
} from './restore-machine.ts';
import {
  isInstant,
  isSameDefinition,
  planRestore,
  type RestoreOptions,
  type RestorePlan,
  refuseExistingFiles,
  type StoreChoice,
  type Tier,
} from './restore-plan.ts';
import type { StoredPoint } from './stored-point.ts';
import type { Workshop } from './workshop.ts';
import { writeWhole } from './write-whole.ts';

export const transferFromVault = 'Transfer data from vault';
export const transferFromReplica = 'Transfer data from replica';
export const copyFromSnapshotTask = 'Copy data from snapshot';
export const attachSnapshot = 'Attach snapshot';

/**
 * Checks a restore and starts it. Nothing is touched when it is refused.
 * @throws as {@link checkRestore}
 */
export async function startRestore(
  workshop: Workshop,
  item: ItemRow,
  point: PointRow,
  options: RestoreOptions,
): Promise<string> {
  const { stored, tier, store } = await checkRestore(workshop, item, point, options);
  return workshop.engine.start<RestorePayload>('Restore', {
    vaultId: item.vault_id,
    itemId: item.item_id,
    entityName: item.vm_name,
    userTriggered: true,
    payload: {
      options,
      itemId: item.item_id,
      point: stored,
      tier,
      // The other tier may stand in only where the caller left the choice to us.
      vaultAsFallback: options.tier === undefined && tier === 'snapshot' && isStored(point),
      store,
      replicaAsFallback: options.from === undefined && store === 'primary' && point.in_replica === 1,
      placed: [],
      machineUuid: crypto.randomUUID(),
    },
    taskIds: [
      dataTask(options, tier, store),
      ...(options.kind === 'machine' ? [createMachine] : []),
      ...(isInstant(options, tier) && options.start === true ? [flattenDisks] : []),
    ],
  });
}

/**
 * Whether a restore would be started as things are, and from where it would read.
 * @throws UserErrorItemSoftDeleted, UserErrorSnapshotNotAvailable, UserErrorTargetPathExists, InvalidInput, UserErrorTargetVmExists
 */
export async function checkRestore(
  workshop: Workshop,
  item: ItemRow,
  point: PointRow,
  options: RestoreOptions,
): Promise<{ stored: StoredPoint; tier: Tier; store: StoreChoice }> {
  if (item.state === 'SoftDeleted')
    throw new HoldfastError('UserErrorItemSoftDeleted', `'${item.vm_name}' is soft-deleted.`, {
      target: item.vm_name,
    });
  const stored = JSON.parse(point.frozen_json) as StoredPoint;
  if (options.allowDamaged === true && options.tier === 'snapshot') {
    throw new HoldfastError('InvalidInput', 'Only restores from the vault can leave out what is damaged.', {
      target: 'properties.holdfast.allowDamaged',
    });
  }
  const { tier, store } = await chooseSource(workshop, item, point, stored.machineUuid, options);
  const plan = planRestore(options, tier, stored);
  if (options.kind === 'machine') {
    await checkMachineName(workshop, item, options.machineName);
    await checkNetwork(workshop, item, options.network);
  }
  const definition = await definitionOf(workshop, point.point_id);
  await refuseExistingFiles(plan, definition.domainXml);
  return { stored, tier, store };
}

const storeTasks: Record<StoreChoice, string> = {
  primary: transferFromVault,
  replica: transferFromReplica,
};

const isStored = (point: PointRow) => point.in_vault === 1 || point.in_replica === 1;

const dataTask = (options: RestoreOptions, tier: Tier, store: StoreChoice) =>
  tier === 'vault' ? storeTasks[store] : isInstant(options, tier) ? attachSnapshot : copyFromSnapshotTask;

async function definitionOf(workshop: Workshop, pointId: string): Promise<MachineDefinition> {
  return JSON.parse(await getDefinition(workshop.db, pointId)) as MachineDefinition;
}

/** The tier to restore from, and which store that is read from if it is the vault. */
async function chooseSource(
  workshop: Workshop,
  item: ItemRow,
  point: PointRow,
  machineUuid: string,
  { tier, from }: RestoreOptions,
): Promise<{ tier: Tier; store: StoreChoice }> {
  if (from !== undefined && tier === 'snapshot')
    throw new HoldfastError('InvalidInput', 'A snapshot is restored from the host, not from a store.', {
      action: 'Leave out either --tier or --from.',
    });
  if (from === undefined) {
    const store = point.in_vault !== 1 && point.in_replica === 1 ? 'replica' : 'primary';
    return { tier: await chooseTier(workshop, item, point, machineUuid, tier), store };
  }
  const isThere = from === 'replica' ? point.in_replica === 1 : point.in_vault === 1;
  if (isThere) return { tier: 'vault', store: from };
  throw new HoldfastError(
    'RecoveryPointNotInStore',
    from === 'replica'
      ? `Recovery point ${point.point_id} is not in a replica of the vault.`
      : `Recovery point ${point.point_id} is not in the vault's own store.`,
    { target: point.point_id, action: 'Leave out --from: the point is restored from where it is.' },
  );
}

/** The tier to restore from. Left to us, it is the snapshot while it can be reached, and the vault otherwise. */
async function chooseTier(
  workshop: Workshop,
  item: ItemRow,
  point: PointRow,
  machineUuid: string,
  asked: Tier | undefined,
): Promise<Tier> {
  const inVault = isStored(point);
  if (asked === 'vault' && inVault) return 'vault';
  if (asked === 'vault') {
    throw new HoldfastError(
      'RecoveryPointNotInStore',
      `Recovery point ${point.point_id} has not been transferred to the vault.`,
      { target: point.point_id, action: 'Restore it from its snapshot: leave out --tier.' },
    );
  }
  try {
    if (point.in_snapshot === 1) {
      const host = await workshop.estate.host(item.host_name);
      if ((await host.listPoints(machineUuid)).includes(point.point_id)) return 'snapshot';
    }
  } catch (error) {
    if (asked === 'snapshot' || !inVault || !isHoldfastError(error)) throw error;
    workshop.log.warn(
      { itemId: item.item_id, err: error },
      'restoring from the vault: the host does not answer',
    );
  }
  if (asked === undefined && inVault) return 'vault';
  throw new HoldfastError(
    'UserErrorSnapshotNotAvailable',
    `Recovery point ${point.point_id} has no snapshot on the host any more.`,
    { target: point.point_id },
  );
}

/** @throws ResourceNotFound */
async function checkNetwork(workshop: Workshop, item: ItemRow, network: string | undefined): Promise<void> {
  if (network === undefined) return;
  const host = await workshop.estate.host(item.host_name);
  if (await host.hasNetwork(network)) return;
  throw new HoldfastError('ResourceNotFound', `Host '${item.host_name}' has no network '${network}'.`, {
    target: network,
    action: 'List its networks with "virsh net-list --all".',
  });
}

async function checkMachineName(workshop: Workshop, item: ItemRow, name: string | undefined): Promise<void> {
  if (name === undefined)
    throw new HoldfastError('InvalidInput', 'Restoring a VM needs the name of the new VM.');
  if (!/^[\p{L}\p{N}][\p{L}\p{N}._ +-]{0,62}$/u.test(name)) {
    throw new HoldfastError(
      'InvalidInput',
      `'${name}' is no VM name: it takes 1 to 63 letters, digits, spaces and ._+-, the first a letter or digit.`,
    );
  }
  if ((await findHost(workshop.db, item.host_name)) === undefined) {
    throw new HoldfastError('ResourceNotFound', `Host '${item.host_name}' is no longer known.`, {
      target: item.host_name,
      action: 'Add the host again with "holdfast host add".',
    });
  }
  const host = await workshop.estate.host(item.host_name);
  if ((await host.listMachines()).some((machine) => machine.name === name)) {
    throw new HoldfastError(
      'UserErrorTargetVmExists',
      `Host '${item.host_name}' already has a VM named '${name}'.`,
      { target: name },
    );
  }
}

export function restoreOperation(workshop: Workshop): Operation<RestorePayload> {
  return {
    async run(context) {
      const placing = placingOf(context);
      let prepared: Prepared;
      try {
        prepared = await prepare(workshop, context, placing);
      } catch (error) {
        if (!(context.signal.reason instanceof ServiceStopping)) await placing.removeAll();
        throw error;
      }
      if (context.payload.options.kind === 'disks') return statusWith(context, 'Completed');
      return statusWith(
        context,
        await restoreMachine(workshop, context, placing, prepared.plan, prepared.definition),
      );
    },
    async resume(context) {
      const placing = placingOf(context);
      if (context.payload.defining === true)
        return statusWith(context, await resumeMachine(workshop, context, placing));
      await placing.removeAll();
      throw new HoldfastError(
        'JobInterrupted',
        `The service stopped during the restore of '${context.payload.point.machineName}'.`,
        { target: context.payload.point.machineName },
      );
    },
    cancelRefusal(context) {
      return context.payload.defining === true
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
  const plan = await bringDisks(workshop, context, placing, item);
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

/**
 * Who owns the source VM's images: a QEMU that runs as that user must be able to open what is restored. Undefined when
 * the VM or its host is not there; files then belong to whoever the directory belongs to.
 */
async function imageOwner(
  workshop: Workshop,
  item: ItemRow,
): Promise<{ uid: number; gid: number } | undefined> {
  try {
    const host = await workshop.estate.host(item.host_name);
    const machine = await host.getMachine(item.vm_uuid);
    const image = machine.disks.find((disk) => disk.type === 'file' && disk.path !== undefined)?.path;
    return image === undefined ? undefined : await stat(image);
  } catch (error) {
    workshop.log.warn({ itemId: item.item_id, err: error }, 'the owner of the source images is not known');
    return undefined;
  }
}

/** Puts the disks in place, from the vault if the snapshot fails and the choice was ours. */
async function bringDisks(
  workshop: Workshop,
  context: JobContext<RestorePayload>,
  placing: Placing,
  item: ItemRow,
): Promise<RestorePlan> {
  const { options, point, tier, store, vaultAsFallback } = context.payload;
  const plan = planRestore(options, tier, point);
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

async function openFrom(workshop: Workshop, vaultId: string, from: StoreChoice): Promise<Store> {
  const vault = await getVault(workshop.db, vaultId);
  if (from === 'primary') return workshop.estate.store(vault);
  const replica = await findReplica(workshop.db, vaultId);
  if (replica === undefined) throw noReplica(vault);
  return workshop.estate.replica(replica);
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
