import type { FastifyRequest } from 'fastify';
import {
  findItemOfName,
  type ItemRow,
  listItems,
  listRegistrations,
  type VaultRow,
} from '../../catalog/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import { registerMachine, unregisterMachine } from '../../jobs/index.ts';
import { containerRequest, type ProtectionContainer } from '../client/index.ts';
import { backupManagementTypes, filterWord, parseFilter } from '../filter.ts';
import { noteOperation } from '../protocol/operation-registry.ts';
import { pageOfAll } from '../protocol/paging.ts';
import { containerName, machineOfItemName } from '../resource-ids.ts';
import {
  type ApiScope,
  accepted,
  containerPath,
  fabricPath,
  param,
  parseBody,
  query,
  type RegisterRoutes,
  vaultOf,
  vaultPath,
} from '../scope.ts';

/** A VM that has points in the vault, or that was registered with it. */
type Contained = Pick<ItemRow, 'vm_name' | 'host_resource_group'>;

function present(scope: ApiScope, vault: VaultRow, item: Contained): ProtectionContainer {
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

/** Azure's protection containers: each VM that is registered with the vault, or has points there, is one. */
export const registerContainers: RegisterRoutes = (app, scope) => {
  const { workshop, ids } = scope;
  const { db } = workshop;
  const containersOf = async ({ vault_id: vaultId }: VaultRow): Promise<Contained[]> => {
    const all = [...(await listItems(db, vaultId)), ...(await listRegistrations(db, vaultId))];
    return [...new Map(all.map((each) => [containerName(each).toLowerCase(), each])).values()];
  };
  const machineOf = (request: FastifyRequest) => {
    const name = param(request, 'container');
    const vm = machineOfItemName(name);
    if (vm !== undefined) return vm;
    throw new HoldfastError('InvalidInput', `'${name}' is no name of a container.`, {
      target: name,
      action: 'Write it as iaasvmcontainer;iaasvmcontainerv2;{resource group};{VM name}.',
    });
  };
  const idOf = (vault: VaultRow, request: FastifyRequest) =>
    `${ids.vault(vault)}/backupFabrics/Azure/protectionContainers/${param(request, 'container')}`;

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
    const items = isOurs ? await containersOf(vault) : [];
    return pageOfAll(
      request,
      items
        .filter((item) => wanted === undefined || item.vm_name.toLowerCase() === wanted)
        .map((item) => present(scope, vault, item)),
      ({ id }) => id,
    );
  });

  app.get(containerPath, async (request) => {
    const vault = await vaultOf(db, request);
    const name = param(request, 'container');
    const vm = machineOfItemName(name);
    const contained =
      vm &&
      ((await findItemOfName(db, vault.vault_id, vm.resourceGroup, vm.machine)) ??
        (await listRegistrations(db, vault.vault_id)).find(
          (each) =>
            each.vm_name.toLowerCase() === vm.machine.toLowerCase() &&
            each.host_resource_group.toLowerCase() === vm.resourceGroup.toLowerCase(),
        ));
    if (contained !== undefined) return present(scope, vault, contained);
    throw new HoldfastError('ResourceNotFound', `Vault '${vault.name}' has no container '${name}'.`, {
      target: name,
    });
  });

  // Azure's classic step between discovering and protecting; whoever protects a VM does not need it.
  app.put(containerPath, async (request, reply) => {
    const vault = await vaultOf(db, request);
    parseBody(containerRequest, request);
    const { resourceGroup, machine } = machineOf(request);
    const found = await workshop.estate.findMachine(resourceGroup, machine);
    const jobId = await registerMachine(workshop, vault, found);
    const operationId = await noteOperation(workshop, { jobId, followsJob: true });
    return accepted(request, reply, idOf(vault, request), operationId);
  });

  app.delete(containerPath, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const jobId = await unregisterMachine(workshop, vault, machineOf(request));
    const operationId = await noteOperation(workshop, { jobId, followsJob: true });
    return accepted(request, reply, idOf(vault, request), operationId);
  });

  for (const path of emptyLists) {
    app.get(path, async (request) => {
      await vaultOf(db, request);
      return { value: [] };
    });
  }
};
