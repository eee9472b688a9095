import {
  countPoints,
  findItemOfName,
  findPolicy,
  type ItemCursor,
  type ItemRow,
  listItemsOfVault,
  type VaultRow,
} from '../../catalog/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import {
  configureProtection,
  deleteData,
  purge,
  startBackup,
  stopProtection,
  undelete,
  vmFactsOf,
} from '../../jobs/index.ts';
import { backupRequest, protectedItemRequest } from '../client/index.ts';
import { excludedBy } from '../excluded-disks.ts';
import { backupManagementTypes, filterWord, itemTypes, parseFilter } from '../filter.ts';
import { presentItem, presentItemAlone } from '../present-item.ts';
import { noteOperation } from '../protocol/operation-registry.ts';
import { pageOf, pageWish } from '../protocol/paging.ts';
import { machineOfItemName, machineOfResourceId, nameOfResourceId } from '../resource-ids.ts';
import {
  accepted,
  itemOf,
  itemPath,
  machineNameOf,
  parseBody,
  query,
  type RegisterRoutes,
  vaultOf,
  vaultPath,
} from '../scope.ts';

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
    const wish = pageWish(request, ['', '']);
    const rows = await itemsOf(vault, filter, { limit: wish.size + 1, after: wish.after });
    const page = pageOf(request, wish, rows, (item) => [item.vm_name, item.item_id]);
    const counts = await countPoints(
      db,
      page.value.map((item) => item.item_id),
    );
    return {
      ...page,
      value: page.value.map((item) => presentItem(scope, vault, item, counts.get(item.item_id) ?? 0)),
    };
  });

  /** Items of a vault as a filter wants them. */
  async function itemsOf(
    vault: VaultRow,
    filter: ReadonlyMap<string, string>,
    page: { limit: number; after: ItemCursor | undefined },
  ): Promise<ItemRow[]> {
    const [policyName, vmName, container] = ['policyname', 'friendlyname', 'containername'].map((field) =>
      filter.get(field),
    );
    // By its exact name, which an index knows.
    const policy = policyName === undefined ? undefined : await findPolicy(db, vault.vault_id, policyName);
    if (policyName !== undefined && policy === undefined) return [];
    if (container !== undefined) {
      const vm = machineOfItemName(/^iaasvmcontainer;/i.test(container) ? container : `vm;${container}`);
      const item = vm && (await findItemOfName(db, vault.vault_id, vm.resourceGroup, vm.machine));
      const fits =
        item !== undefined &&
        page.after === undefined &&
        (policy === undefined || item.policy_name === policy.name) &&
        (vmName === undefined || item.vm_name.toLowerCase() === vmName.toLowerCase());
      return fits ? [item] : [];
    }
    const wanted = {
      ...(policy === undefined ? {} : { policyName: policy.name }),
      ...(vmName === undefined ? {} : { vmName }),
    };
    return listItemsOfVault(db, vault.vault_id, wanted, page);
  }

  app.get(itemPath, async (request) => {
    const vault = await vaultOf(db, request);
    return presentItemAlone(scope, vault, await itemOf(db, vault, request));
  });

  app.put(itemPath, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const { properties } = parseBody(protectedItemRequest, request);
    const named = machineNameOf(request);
    const { sourceResourceId } = properties;
    const source = sourceResourceId === undefined ? named : machineOfResourceId(sourceResourceId);
    if (
      source?.machine.toLowerCase() !== named.machine.toLowerCase() ||
      source.resourceGroup.toLowerCase() !== named.resourceGroup.toLowerCase()
    ) {
      throw new HoldfastError(
        'InvalidInput',
        `sourceResourceId '${sourceResourceId}' is not the VM that the item's name says.`,
        { target: 'properties.sourceResourceId' },
      );
    }
    const started = await change(properties, source);
    const operationId = await noteOperation(workshop, { jobId: started.jobId, followsJob: true });
    return accepted(request, reply, ids.item(vault, started.item), operationId);

    async function change(
      wanted: typeof properties,
      vm: { resourceGroup: string; machine: string },
    ): Promise<{ item: ItemRow; jobId: string }> {
      if (wanted.isRehydrate === true) {
        const item = await itemOf(db, vault, request);
        return { item, jobId: await undelete(workshop, item) };
      }
      // Older clients of Azure stop by an empty policy.
      const suspends = wanted.protectionState === 'BackupsSuspended';
      if (suspends || wanted.protectionState === 'ProtectionStopped' || wanted.policyId === '') {
        const item = await itemOf(db, vault, request);
        const kind = suspends ? 'suspend' : 'stopAndKeep';
        return { item, jobId: await stopProtection(workshop, item, kind) };
      }
      if (wanted.policyId === undefined)
        throw new HoldfastError('InvalidInput', 'properties.policyId is missing.', {
          target: 'properties.policyId',
          action: 'Name the policy to protect the VM with.',
        });
      const policyName = policyNameOf(wanted.policyId);
      const found = await workshop.estate.findMachine(vm.resourceGroup, vm.machine);
      const excludedDisks = excludedBy(wanted, vmFactsOf(found).disks);
      return configureProtection(workshop, vault, found, { policyName, excludedDisks });
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

  app.delete(itemPath, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const item = await itemOf(db, vault, request);
    // The name is in the path: whoever asks has written it.
    const jobId = await deleteData(workshop, item, machineNameOf(request).machine);
    return accepted(
      request,
      reply,
      ids.vault(vault),
      await noteOperation(workshop, { jobId, followsJob: true }),
      {
        status: 'backupOperations',
        result: 'backupOperationResults',
      },
    );
  });

  // Azure leaves it to the clock alone; so does the service, unless somebody does not want to wait for its next look.
  app.post(`${itemPath}/providers/Holdfast.Fleet/purge`, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const item = await itemOf(db, vault, request);
    const jobId = await purge(workshop, item, { userTriggered: true });
    return accepted(
      request,
      reply,
      ids.vault(vault),
      await noteOperation(workshop, { jobId, followsJob: true }),
      {
        status: 'backupOperations',
        result: 'backupOperationResults',
      },
    );
  });

  app.post(`${itemPath}/backup`, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const item = await itemOf(db, vault, request);
    const until = parseBody(backupRequest, request).properties.recoveryPointExpiryTimeInUTC;
    const jobId = await startBackup(workshop, item, { onDemand: until === undefined ? {} : { until } });
    return accepted(request, reply, ids.item(vault, item), await noteOperation(workshop, { jobId }));
  });
};
