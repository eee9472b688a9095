import { countPoints, type ItemRow, listItems, listPoints, type VaultRow } from '../../catalog/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import {
  configureProtection,
  type JobError,
  policyOf,
  startBackup,
  stopProtection,
} from '../../jobs/index.ts';
import { nextRun } from '../../protection/index.ts';
import { backupRequest, type ProtectedItem, protectedItemRequest } from '../client/index.ts';
import { backupManagementTypes, filterWord, itemTypes, parseFilter } from '../filter.ts';
import { noteOperation } from '../protocol/operation-registry.ts';
import { containerName, machineOfResourceId, nameOfResourceId } from '../resource-ids.ts';
import {
  type ApiScope,
  accepted,
  findItemByName,
  itemOf,
  itemPath,
  machineNameOf,
  parseBody,
  query,
  type RegisterRoutes,
  vaultOf,
  vaultPath,
} from '../scope.ts';

/** What Azure shows before the first backup. */
const neverBackedUp = '2001-01-01T00:00:00Z';

export async function presentItem(
  scope: ApiScope,
  vault: VaultRow,
  item: ItemRow,
  points: number,
  lastPoint?: string,
): Promise<ProtectedItem> {
  const policy = policyOf(item);
  const error = item.last_error_json === null ? undefined : (JSON.parse(item.last_error_json) as JobError);
  const next = policy && nextRun(policy, Temporal.Instant.from(item.schedule_handled_until)).at;
  return {
    id: scope.ids.item(vault, item),
    name: `VM;${containerName(item)}`,
    type: 'Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems',
    properties: {
      protectedItemType: 'Microsoft.Compute/virtualMachines',
      backupManagementType: 'AzureIaasVM',
      workloadType: 'VM',
      friendlyName: item.vm_name,
      containerName: containerName(item),
      sourceResourceId: scope.ids.virtualMachine(item.host_resource_group, item.vm_name),
      virtualMachineId: scope.ids.virtualMachine(item.host_resource_group, item.vm_name),
      vaultId: scope.ids.vault(vault),
      ...(policy === undefined
        ? {}
        : { policyId: scope.ids.policy(vault, policy.name), policyName: policy.name }),
      protectionState: item.state,
      protectionStatus: error === undefined ? 'Healthy' : `Unhealthy: ${error.message}`,
      lastBackupStatus: item.last_backup_status,
      lastBackupTime: item.last_backup_at ?? neverBackedUp,
      ...(lastPoint === undefined ? {} : { lastRecoveryPoint: lastPoint }),
      holdfast: {
        vmUuid: item.vm_uuid,
        host: item.host_name,
        excludedDisks: JSON.parse(item.excluded_disks_json) as string[],
        recoveryPoints: points,
        ...(next === undefined ? {} : { nextBackup: next.toString() }),
      },
    },
  };
}

export async function presentItemAlone(
  scope: ApiScope,
  vault: VaultRow,
  item: ItemRow,
): Promise<ProtectedItem> {
  const points = await listPoints(scope.workshop.db, item.item_id);
  return presentItem(scope, vault, item, points.length, points.at(-1)?.taken_at);
}

export const registerProtectedItems: RegisterRoutes = (app, scope) => {
  const { workshop, ids } = scope;
  const { db } = workshop;

  app.get(`${vaultPath}/backupProtectedItems`, async (request) => {
    const vault = await vaultOf(db, request);
    const filter = parseFilter(query(request, '$filter'), [
      'policyName',
      'friendlyName',
      'containerName',
      'backupManagementType',
      'itemType',
    ]);
    const managed = filterWord(filter, 'backupManagementType', backupManagementTypes) ?? 'AzureIaasVM';
    const kind = filterWord(filter, 'itemType', itemTypes) ?? 'VM';
    if (managed !== 'AzureIaasVM' || kind !== 'VM') return { value: [] };
    const is = (field: string, value: string | null) => {
      const wanted = filter.get(field.toLowerCase());
      return wanted === undefined || wanted.toLowerCase() === value?.toLowerCase();
    };
    const counts = await countPoints(db);
    const items = (await listItems(db, vault.vault_id)).filter(
      (item) =>
        is('policyName', item.policy_name) &&
        is('friendlyName', item.vm_name) &&
        (is('containerName', containerName(item)) ||
          is('containerName', `IaasVMContainer;${containerName(item)}`)),
    );
    return {
      value: await Promise.all(
        items.map((item) => presentItem(scope, vault, item, counts.get(item.item_id) ?? 0)),
      ),
    };
  });

  app.get(itemPath, async (request) => {
    const vault = await vaultOf(db, request);
    return presentItemAlone(scope, vault, await itemOf(db, vault, request));
  });

  app.put(itemPath, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const { properties } = parseBody(protectedItemRequest, request);
    const named = machineNameOf(request);
    const source = machineOfResourceId(properties.sourceResourceId);
    if (
      source?.machine.toLowerCase() !== named.machine.toLowerCase() ||
      source.resourceGroup.toLowerCase() !== named.resourceGroup.toLowerCase()
    ) {
      throw new HoldfastError(
        'InvalidInput',
        `sourceResourceId '${properties.sourceResourceId}' is not the VM that the item's name says.`,
        { target: 'properties.sourceResourceId' },
      );
    }
    const started =
      // Older clients of Azure stop by an empty policy.
      properties.protectionState === 'ProtectionStopped' || properties.policyId === ''
        ? await stop(await itemOf(db, vault, request))
        : await configure(properties, source);
    const operationId = await noteOperation(workshop, { jobId: started.jobId, followsJob: true });
    return accepted(request, reply, ids.item(vault, started.item), operationId);

    async function stop(item: ItemRow) {
      return { item, jobId: await stopProtection(workshop, item) };
    }

    async function configure(
      wanted: typeof properties,
      vm: { resourceGroup: string; machine: string },
    ): Promise<{ item: ItemRow; jobId: string }> {
      if (wanted.policyId === undefined) {
        throw new HoldfastError('InvalidInput', 'properties.policyId is missing.', {
          target: 'properties.policyId',
          action: 'Name the policy to protect the VM with.',
        });
      }
      const policyName = policyNameOf(wanted.policyId);
      const found = await workshop.estate.findMachine(vm.resourceGroup, vm.machine);
      const excludedDisks = wanted.holdfast?.excludedDisks;
      return configureProtection(workshop, vault, found, {
        policyName,
        ...(excludedDisks === undefined ? {} : { excludedDisks }),
      });
    }

    /** The policy's plain name; a whole id must be one of this vault. */
    function policyNameOf(policyId: string): string {
      const name = nameOfResourceId(policyId);
      if (name === policyId || policyId.toLowerCase() === ids.policy(vault, name).toLowerCase()) return name;
      throw new HoldfastError('InvalidInput', `'${policyId}' is no policy of vault '${vault.name}'.`, {
        target: 'properties.policyId',
        action: 'Name a policy of the vault that protects the VM.',
      });
    }
  });

  app.delete(itemPath, async (request) => {
    const vault = await vaultOf(db, request);
    const item = await findItemByName(db, vault, request);
    throw new HoldfastError(
      'OperationNotSupported',
      `Deleting the backup data of '${item?.vm_name ?? machineNameOf(request).machine}' is not offered yet.`,
      { action: 'Stop its protection and keep the data: "holdfast item stop".' },
    );
  });

  app.post(`${itemPath}/backup`, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const item = await itemOf(db, vault, request);
    const until = parseBody(backupRequest, request).properties.recoveryPointExpiryTimeInUTC;
    if (
      until !== undefined &&
      Temporal.Instant.compare(Temporal.Instant.from(until), workshop.clock.now()) <= 0
    ) {
      throw new HoldfastError('InvalidInput', `The retention date ${until} is not in the future.`, {
        target: 'properties.recoveryPointExpiryTimeInUTC',
      });
    }
    const jobId = await startBackup(workshop, item, { onDemand: until === undefined ? {} : { until } });
    return accepted(request, reply, ids.item(vault, item), await noteOperation(workshop, { jobId }));
  });
};
