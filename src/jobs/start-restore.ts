import { findHost, getDefinition, type ItemRow, type PointRow } from '../catalog/index.ts';
import { HoldfastError, isHoldfastError } from '../errors/index.ts';
import type { MachineDefinition } from '../machines/index.ts';
import { newPointId } from './point-id.ts';
import { refuseOriginal } from './replace-disks.ts';
import type { RestorePayload } from './restore-payload.ts';
import {
  planRestore,
  type RestoreOptions,
  refuseExistingFiles,
  type StoreChoice,
  type Tier,
} from './restore-plan.ts';
import { backgroundTask, createMachine, dataTask, replaceDisksTask } from './restore-tasks.ts';
import { refuseSoftDeleted } from './soft-deleted.ts';
import type { StoredPoint } from './stored-point.ts';
import type { Workshop } from './workshop.ts';

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
  const background = backgroundTask(options, tier);
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
      vaultAsFallback:
        options.kind !== 'original' && options.tier === undefined && tier === 'snapshot' && isStored(point),
      store,
      // What a VM runs from can't be changed under it.
      replicaAsFallback:
        options.from === undefined &&
        options.live !== true &&
        options.kind !== 'original' &&
        store === 'primary' &&
        point.in_replica === 1,
      placed: [],
      machineUuid: crypto.randomUUID(),
      ...(options.kind === 'original' && { pointBefore: newPointId(workshop.clock.now()) }),
    },
    taskIds: [
      dataTask(options, tier, store),
      ...(options.kind === 'original' ? [replaceDisksTask] : []),
      ...(options.kind === 'machine' ? [createMachine] : []),
      ...(background === undefined ? [] : [background]),
    ],
  });
}

/**
 * Whether a restore would be started as things are, and from where it would read.
 * @throws UserErrorItemSoftDeleted, UserErrorInstantRpNotFound, UserErrorTargetPathExists, InvalidInput,
 *   UserErrorTargetVmExists, UserErrorVmNotShutDown
 */
export async function checkRestore(
  workshop: Workshop,
  item: ItemRow,
  point: PointRow,
  options: RestoreOptions,
): Promise<{ stored: StoredPoint; tier: Tier; store: StoreChoice }> {
  refuseSoftDeleted(point);
  if (item.state === 'SoftDeleted')
    throw new HoldfastError('UserErrorItemSoftDeleted', `'${item.vm_name}' is soft-deleted.`, {
      target: item.vm_name,
    });
  const stored = JSON.parse(point.frozen_json) as StoredPoint;
  if (options.live === true) refuseForLive(options);
  if (options.allowDamaged === true && options.tier === 'snapshot') {
    throw new HoldfastError('InvalidInput', 'Only restores from the vault can leave out what is damaged.', {
      target: 'properties.holdfast.allowDamaged',
    });
  }
  const { tier, store } = await chooseSource(workshop, item, point, stored.machineUuid, options);
  const plan = planRestore(options, tier, stored);
  if (options.kind === 'original') {
    await refuseOriginal(workshop, item, plan.disks);
    return { stored, tier, store };
  }
  if (options.kind === 'machine') {
    await checkMachineName(workshop, item, options.machineName);
    await checkNetwork(workshop, item, options.network);
  }
  const definition = await definitionOf(workshop, point.point_id);
  await refuseExistingFiles(plan, definition.domainXml);
  return { stored, tier, store };
}

/** What a live restore can't be asked for. @throws InvalidInput */
function refuseForLive(options: RestoreOptions): void {
  const problem =
    options.kind !== 'machine'
      ? 'makes a VM'
      : options.start !== true
        ? 'starts the VM'
        : options.tier === 'snapshot'
          ? 'is one from the vault'
          : options.diskFormat === 'raw'
            ? 'needs qcow2 images, which can stand on what is served'
            : options.allowDamaged === true
              ? 'can leave nothing out'
              : undefined;
  if (problem === undefined) return;
  throw new HoldfastError('InvalidInput', `A live restore ${problem}.`, {
    target: 'properties.holdfast.live',
    action: 'Change the request, or leave out --live.',
  });
}

const isStored = (point: PointRow) => point.in_vault === 1 || point.in_replica === 1;

/** The tier to restore from, and which store that is read from if it is the vault. */
async function chooseSource(
  workshop: Workshop,
  item: ItemRow,
  point: PointRow,
  machineUuid: string,
  { tier: asked, live, from }: RestoreOptions,
): Promise<{ tier: Tier; store: StoreChoice }> {
  const tier = live === true ? 'vault' : asked;
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
    'UserErrorInstantRpNotFound',
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

export async function definitionOf(workshop: Workshop, pointId: string): Promise<MachineDefinition> {
  return JSON.parse(await getDefinition(workshop.db, pointId)) as MachineDefinition;
}
