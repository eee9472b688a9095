import { randomUUID } from 'node:crypto';
import {
  findItemOfName,
  findItemOfVm,
  findPolicy,
  getItem,
  getVault,
  type ItemRow,
  insertItem,
  inVault,
  listPoints,
  updateItem,
  updatePoint,
  type VaultRow,
} from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { refusalError, refusePolicy } from '../protection/index.ts';
import { bindToMachine, refuseUnlessGone } from './bind-item.ts';
import { catalogTime } from './clock.ts';
import type { Operation } from './engine.ts';
import type { FoundMachine } from './estate.ts';
import { planNextBackup } from './next-backup.ts';
import { putUnderPolicy, underPolicy } from './policies.ts';
import type { StoredPoint } from './stored-point.ts';
import { vmFactsOf } from './vm-facts.ts';
import type { Workshop } from './workshop.ts';

interface ConfigurePayload {
  itemId: string;
}

/**
 * Puts a VM under protection, or changes how it is protected. Refused before anything is touched when the VM can't be
 * protected.
 * @returns the item and the id of the ConfigureBackup job
 * @throws UserErrorVmAlreadyProtected, UserErrorProtectedVmStillExists, ResourceNotFound, or the code of the first
 *   obstacle
 */
export async function configureProtection(
  workshop: Workshop,
  vault: VaultRow,
  found: FoundMachine,
  options: { policyName: string; excludedDisks?: readonly string[] },
): Promise<{ item: ItemRow; jobId: string }> {
  const { machine, host } = found;
  const policy = await findPolicy(workshop.db, vault.vault_id, options.policyName);
  if (policy === undefined) {
    throw new HoldfastError(
      'ResourceNotFound',
      `Vault '${vault.name}' has no policy '${options.policyName}'.`,
      {
        target: options.policyName,
      },
    );
  }
  if (host.location.toLowerCase() !== vault.location.toLowerCase()) {
    throw new HoldfastError(
      'UserErrorVaultAndVmInDifferentRegions',
      `VM '${machine.name}' is in region '${host.location}', vault '${vault.name}' in '${vault.location}'.`,
      { target: machine.name },
    );
  }
  const { known, replaces } = await findItem(workshop, vault, found);
  const excludedDisks =
    options.excludedDisks ?? (known ? (JSON.parse(known.excluded_disks_json) as string[]) : []);
  const unknown = options.excludedDisks?.filter(
    (target) => !machine.disks.some((disk) => disk.target === target),
  );
  if (unknown !== undefined && unknown.length > 0) {
    throw new HoldfastError(
      'InvalidInput',
      `VM '${machine.name}' has no disk ${unknown.join(', ')} to leave out; it has ${machine.disks.map((disk) => disk.target).join(', ')}.`,
      { target: machine.name },
    );
  }
  const [misfit, ...misfits] = refusePolicy(vmFactsOf(found, excludedDisks), policy);
  if (misfit !== undefined) throw refusalError([misfit, ...misfits], machine.name);
  await refuseObstacles(workshop, found, excludedDisks);
  if (replaces) await bindToMachine(workshop, known, found);
  const now = workshop.clock.now();
  const settings = {
    excluded_disks_json: JSON.stringify(excludedDisks),
    vm_name: machine.name,
  };
  const itemId = known?.item_id ?? randomUUID();
  if (known === undefined) {
    await insertItem(workshop.db, {
      item_id: itemId,
      vault_id: vault.vault_id,
      vm_uuid: machine.uuid,
      host_resource_group: host.resource_group,
      host_name: host.name,
      state: 'IRPending',
      created_at: catalogTime(now),
      last_backup_status: '',
      last_backup_at: null,
      last_error_json: null,
      ...underPolicy(policy, now),
      ...settings,
    });
  } else {
    const hasVaultPoint = (await listPoints(workshop.db, itemId)).some(
      (point) => point.in_vault === inVault.yes,
    );
    const resumed = known.state === 'ProtectionStopped';
    await workshop.db.transaction().execute(async (tx) => {
      await putUnderPolicy(tx, known, policy, now, { resumed });
      await updateItem(tx, itemId, {
        ...settings,
        ...(resumed ? { state: hasVaultPoint ? 'Protected' : 'IRPending' } : {}),
      });
    });
  }
  await planNextBackup(workshop.db, itemId, workshop.clock.now());
  const jobId = await workshop.engine.start<ConfigurePayload>('ConfigureBackup', {
    vaultId: vault.vault_id,
    itemId,
    entityName: machine.name,
    userTriggered: true,
    payload: { itemId },
    taskIds: [],
  });
  return { item: await getItem(workshop.db, itemId), jobId };
}

/**
 * The item that the VM has, or takes over from a VM of its name that is gone.
 * @throws UserErrorVmAlreadyProtected, ResourceAlreadyExists, UserErrorProtectedVmStillExists, HostUnreachable
 */
async function findItem(
  workshop: Workshop,
  vault: VaultRow,
  { host, machine }: FoundMachine,
): Promise<{ known: ItemRow | undefined; replaces: false } | { known: ItemRow; replaces: true }> {
  const own = await findItemOfVm(workshop.db, host.name, machine.uuid);
  if (own !== undefined && own.vault_id !== vault.vault_id) {
    const other = await getVault(workshop.db, own.vault_id);
    const stopped = own.state === 'ProtectionStopped' ? ', where its protection is stopped' : '';
    throw new HoldfastError(
      'UserErrorVmAlreadyProtected',
      `VM '${machine.name}' belongs to vault '${other.name}'${stopped}.`,
      { target: machine.name },
    );
  }
  const named = await findItemOfName(workshop.db, vault.vault_id, host.resource_group, machine.name);
  if (named === undefined || named.item_id === own?.item_id) return { known: own, replaces: false };
  if (own !== undefined) {
    throw new HoldfastError(
      'ResourceAlreadyExists',
      `Vault '${vault.name}' protects another VM as '${machine.name}', and this one as '${own.vm_name}'.`,
      { target: machine.name },
    );
  }
  await refuseUnlessGone(workshop, named);
  return { known: named, replaces: true };
}

async function refuseObstacles(
  workshop: Workshop,
  { host, machine }: FoundMachine,
  excludedDisks: readonly string[],
): Promise<void> {
  const connection = await workshop.estate.host(host.name);
  const [first, ...others] = await connection.findObstacles(machine.uuid, excludedDisks);
  if (first === undefined) return;
  const more = others.length === 0 ? '' : ` Also: ${others.map((obstacle) => obstacle.message).join(' ')}`;
  throw new HoldfastError(first.code, `VM '${machine.name}' can't be protected: ${first.message}${more}`, {
    target: machine.name,
    action: first.action,
  });
}

/** The work of enabling is done when the job begins; it confirms that host and store answer. */
export function configureOperation(workshop: Workshop): Operation<ConfigurePayload> {
  const confirm = async ({ payload }: { payload: ConfigurePayload; signal: AbortSignal }) => {
    const item = await getItem(workshop.db, payload.itemId);
    const host = await workshop.estate.host(item.host_name);
    await host.getMachine(item.vm_uuid);
    await workshop.estate.store(await getVault(workshop.db, item.vault_id));
    return 'Completed' as const;
  };
  return { run: confirm, resume: confirm };
}

/** Stops protection and keeps the recovery points that are in the vault. @returns id of the DisableBackup job */
export async function stopProtection(workshop: Workshop, item: ItemRow): Promise<string> {
  await updateItem(workshop.db, item.item_id, { state: 'ProtectionStopped', policy_name: null });
  await planNextBackup(workshop.db, item.item_id, workshop.clock.now());
  return workshop.engine.start<ConfigurePayload>('DisableBackup', {
    vaultId: item.vault_id,
    itemId: item.item_id,
    entityName: item.vm_name,
    userTriggered: true,
    payload: { itemId: item.item_id },
    taskIds: [],
  });
}

/**
 * Gives the VM its own images back, without our layers, provided every snapshot is in the vault too. A snapshot that
 * is nowhere else is a recovery point, and only its expiry may remove it; then the layers stay, and the job warns.
 */
export function disableOperation(workshop: Workshop): Operation<ConfigurePayload> {
  const release: Operation<ConfigurePayload>['run'] = async (context) => {
    const item = await getItem(workshop.db, context.payload.itemId);
    using snapshotPhase = workshop.phases.tryEnter('snapshot', item.item_id);
    using transferPhase = workshop.phases.tryEnter('transfer', item.item_id);
    // Snapshots of a VM that this one took the place of are not in its disks.
    const points = (await listPoints(workshop.db, item.item_id)).filter(
      (point) => (JSON.parse(point.frozen_json) as StoredPoint).machineUuid === item.vm_uuid,
    );
    const onlyOnHost = points.filter((point) => point.in_snapshot === 1 && point.in_vault !== inVault.yes);
    if (snapshotPhase === undefined || transferPhase === undefined || onlyOnHost.length > 0) {
      await context.setError({
        code: 'UserErrorSnapshotsKept',
        message:
          onlyOnHost.length > 0
            ? `${onlyOnHost.length} recovery points of '${item.vm_name}' exist only as snapshots; its disks keep their layers.`
            : `A backup of '${item.vm_name}' is running; its disks keep their layers.`,
        action:
          'Resume protection and let a backup complete: it brings what is missing to the vault. Then stop protection again.',
      });
      return 'CompletedWithWarnings';
    }
    for (const point of points) await updatePoint(workshop.db, point.point_id, { in_snapshot: 0 });
    const host = await workshop.estate.host(item.host_name);
    using _place = await workshop.merges.enter(item.host_name, context.signal);
    await host.releaseMachine(item.vm_uuid, context.signal);
    return 'Completed';
  };
  return { run: release, resume: release };
}
