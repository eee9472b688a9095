import { listItems, listRegistrations } from '../../catalog/index.ts';
import type { FoundMachine } from '../../jobs/index.ts';
import type { ProtectableItem } from '../client/index.ts';
import { backupManagementTypes, filterWord, itemTypes, parseFilter } from '../filter.ts';
import { noteOperation } from '../protocol/operation-registry.ts';
import { pageOfAll } from '../protocol/paging.ts';
import { accepted, fabricPath, query, type RegisterRoutes, vaultOf, vaultPath } from '../scope.ts';

/** The VMs that could be protected in a vault, as the hosts of its region have them now. */
export const registerProtectableItems: RegisterRoutes = (app, scope) => {
  const { workshop, ids } = scope;
  const { db, estate } = workshop;

  app.get(`${vaultPath}/backupProtectableItems`, async (request) => {
    const vault = await vaultOf(db, request);
    const filter = parseFilter(query(request, '$filter'), [
      'backupManagementType',
      'workloadType',
      'containerName',
      'status',
      'friendlyName',
    ]);
    const managed = filterWord(filter, 'backupManagementType', backupManagementTypes) ?? 'AzureIaasVM';
    const kind = filterWord(filter, 'workloadType', itemTypes) ?? 'VM';
    const status = filter.get('status') ?? 'NotProtected';
    if (managed !== 'AzureIaasVM' || kind !== 'VM' || !/^NotProtected$/i.test(status)) return { value: [] };
    // One that is soft-deleted in another vault may be protected in this one; here it has to be brought back.
    const taken = new Set(
      (await listItems(db))
        .filter((item) => item.state !== 'SoftDeleted' || item.vault_id === vault.vault_id)
        .map((item) => `${item.host_name} ${item.vm_uuid}`),
    );
    for (const row of await listRegistrations(db))
      if (row.vault_id !== vault.vault_id) taken.add(`${row.host_name} ${row.vm_uuid}`);
    const is = (field: string, value: string) => {
      const wanted = filter.get(field);
      return wanted === undefined || wanted.toLowerCase() === value.toLowerCase();
    };
    const free = (await estate.listMachines()).filter(
      ({ host, machine }) =>
        host.location.toLowerCase() === vault.location.toLowerCase() &&
        !taken.has(`${host.name} ${machine.uuid}`) &&
        is('friendlyname', machine.name) &&
        is('containername', nameOf({ host, machine })),
    );
    return pageOfAll(
      request,
      free.map(
        (found): ProtectableItem => ({
          id: `${ids.vault(vault)}/backupFabrics/Azure/protectionContainers/IaasVMContainer;${nameOf(found)}/protectableItems/VM;${nameOf(found)}`,
          name: nameOf(found),
          type: 'Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectableItems',
          properties: {
            protectableItemType: 'Microsoft.Compute/virtualMachines',
            backupManagementType: 'AzureIaasVM',
            workloadType: 'VM',
            friendlyName: found.machine.name,
            virtualMachineId: ids.virtualMachine(found.host.resource_group, found.machine.name),
            virtualMachineVersion: 'Compute',
            resourceGroup: found.host.resource_group,
            protectionState: 'NotProtected',
          },
        }),
      ),
      ({ id }) => id,
    );
  });

  // Azure keeps a copy of the inventory and renews it here. There is no copy: every list asks the hosts.
  app.post(`${fabricPath}/refreshContainers`, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const filter = parseFilter(query(request, '$filter'), ['backupManagementType']);
    filterWord(filter, 'backupManagementType', backupManagementTypes);
    const operationId = await noteOperation(workshop, { vaultId: vault.vault_id });
    return accepted(request, reply, `${ids.vault(vault)}/backupFabrics/Azure`, operationId);
  });
};

const nameOf = ({ host, machine }: FoundMachine) =>
  `iaasvmcontainerv2;${host.resource_group};${machine.name}`;
