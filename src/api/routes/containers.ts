import { type ItemRow, listItems, type VaultRow } from '../../catalog/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import type { ProtectionContainer } from '../client/index.ts';
import { backupManagementTypes, filterWord, parseFilter } from '../filter.ts';
import { pageOfAll } from '../protocol/paging.ts';
import { containerName, machineOfItemName } from '../resource-ids.ts';
import {
  type ApiScope,
  containerPath,
  fabricPath,
  param,
  query,
  type RegisterRoutes,
  vaultOf,
  vaultPath,
} from '../scope.ts';

function present(scope: ApiScope, vault: VaultRow, item: ItemRow): ProtectionContainer {
  const name = `IaasVMContainer;${containerName(item)}`;
  return {
    id: `${scope.ids.vault(vault)}/backupFabrics/Azure/protectionContainers/${name}`,
    name,
    type: 'Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers',
    properties: {
      containerType: 'Microsoft.Compute/virtualMachines',
      protectableObjectType: 'Microsoft.Compute/virtualMachines',
      backupManagementType: 'AzureIaasVM',
      friendlyName: item.vm_name,
      virtualMachineId: scope.ids.virtualMachine(item.host_resource_group, item.vm_name),
      virtualMachineVersion: 'Compute',
      resourceGroup: item.host_resource_group,
      registrationStatus: 'Registered',
      healthStatus: 'Healthy',
    },
  };
}

/** Lists of what only other workloads have. */
export const emptyLists = [
  `${vaultPath}/backupEngines`,
  `${vaultPath}/backupDeletedProtectionContainers`,
  `${vaultPath}/backupProtectionIntents`,
  `${vaultPath}/backupResourceGuardProxies`,
  `${vaultPath}/privateLinkResources`,
  `${vaultPath}/privateEndpointConnections`,
  `${fabricPath}/protectableContainers`,
  `${containerPath}/items`,
];

/** Azure's protection containers: each VM with points in the vault is one. */
export const registerContainers: RegisterRoutes = (app, scope) => {
  const { db } = scope.workshop;

  app.get(`${vaultPath}/backupProtectionContainers`, async (request) => {
    const vault = await vaultOf(db, request);
    const filter = parseFilter(query(request, '$filter'), [
      'backupManagementType',
      'containerType',
      'status',
      'friendlyName',
      'fabricName',
      'backupEngineName',
    ]);
    const managed = filterWord(filter, 'backupManagementType', backupManagementTypes) ?? 'AzureIaasVM';
    const status = filter.get('status') ?? 'Registered';
    const kind = filter.get('containertype') ?? 'Microsoft.Compute/virtualMachines';
    const isOurs =
      managed === 'AzureIaasVM' &&
      /^registered$/i.test(status) &&
      /^(Microsoft\.Compute\/virtualMachines|IaasVMContainer)$/i.test(kind) &&
      !filter.has('backupenginename');
    const wanted = filter.get('friendlyname')?.toLowerCase();
    const items = isOurs ? await listItems(db, vault.vault_id) : [];
    return pageOfAll(
      request,
      items
        .filter((item) => wanted === undefined || item.vm_name.toLowerCase() === wanted)
        .map((item) => present(scope, vault, item)),
    );
  });

  app.get(containerPath, async (request) => {
    const vault = await vaultOf(db, request);
    const name = param(request, 'container');
    const vm = machineOfItemName(name);
    const item =
      vm &&
      (await listItems(db, vault.vault_id)).find(
        (each) =>
          each.vm_name.toLowerCase() === vm.machine.toLowerCase() &&
          each.host_resource_group.toLowerCase() === vm.resourceGroup.toLowerCase(),
      );
    if (item !== undefined) return present(scope, vault, item);
    throw new HoldfastError('ResourceNotFound', `Vault '${vault.name}' has no container '${name}'.`, {
      target: name,
    });
  });

  for (const path of emptyLists) {
    app.get(path, async (request) => {
      await vaultOf(db, request);
      return { value: [] };
    });
  }
};
