import {
  deleteRegistration,
  insertRegistration,
  listItemsOfVm,
  listRegistrations,
  type RegistrationRow,
  type VaultRow,
} from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { enhancedPolicy, judgeEnabling, refusalError } from '../protection/index.ts';
import { catalogTime } from './clock.ts';
import { knownElsewhere, refuseRegisteredElsewhere } from './elsewhere.ts';
import type { Operation } from './engine.ts';
import type { FoundMachine } from './estate.ts';
import { vmFactsOf } from './vm-facts.ts';
import type { Workshop } from './workshop.ts';

interface RegisterPayload {
  hostName: string;
  vmUuid: string;
}

/**
 * Registers a VM with a vault, before it is protected there: the second of Azure's classic steps, which enabling does not
 * need. A VM is registered with one vault; registering it there again changes nothing.
 * @returns id of the Register job
 * @throws UserErrorVmAlreadyProtected, UserErrorVaultAndVmInDifferentRegions,
 *   BMSUserErrorConflictingProtectionOperation
 */
export async function registerMachine(
  workshop: Workshop,
  vault: VaultRow,
  found: FoundMachine,
): Promise<string> {
  const { host, machine } = found;
  // With the policy that every VM may have: which one it gets, is asked when it is protected.
  const judgement = judgeEnabling(
    vmFactsOf(found),
    { name: vault.name, region: vault.location },
    enhancedPolicy,
    await knownElsewhere(workshop, vault, found),
  );
  if (!judgement.allowed) throw refusalError(judgement.refusals, machine.name);
  const row: RegistrationRow = {
    host_name: host.name,
    vm_uuid: machine.uuid,
    vault_id: vault.vault_id,
    vm_name: machine.name,
    host_resource_group: host.resource_group,
    registered_at: catalogTime(workshop.clock.now()),
  };
  return workshop.engine.start<RegisterPayload>('Register', {
    vaultId: vault.vault_id,
    itemId: undefined,
    entityName: machine.name,
    userTriggered: true,
    payload: { hostName: host.name, vmUuid: machine.uuid },
    taskIds: [],
    alongside: async (tx) => {
      if (!(await insertRegistration(tx, row))) await refuseRegisteredElsewhere(tx, vault, found);
    },
  });
}

/**
 * Ends a registration. What the vault has of the VM is not touched, and must be gone.
 * @returns id of the UnRegister job
 * @throws ResourceNotFound, ResourceInUse
 */
export async function unregisterMachine(
  workshop: Workshop,
  vault: VaultRow,
  vm: { resourceGroup: string; machine: string },
): Promise<string> {
  const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();
  const row = (await listRegistrations(workshop.db, vault.vault_id)).find(
    (each) => same(each.vm_name, vm.machine) && same(each.host_resource_group, vm.resourceGroup),
  );
  if (row === undefined)
    throw new HoldfastError(
      'ResourceNotFound',
      `Nobody has registered VM '${vm.machine}' with vault '${vault.name}'.`,
      { target: vm.machine },
    );
  return workshop.engine.start<RegisterPayload>('UnRegister', {
    vaultId: vault.vault_id,
    itemId: undefined,
    entityName: row.vm_name,
    userTriggered: true,
    payload: { hostName: row.host_name, vmUuid: row.vm_uuid },
    taskIds: [],
    alongside: async (tx) => {
      const items = await listItemsOfVm(tx, row.host_name, row.vm_uuid);
      if (items.some((item) => item.vault_id === vault.vault_id))
        throw new HoldfastError(
          'ResourceInUse',
          `Vault '${vault.name}' has recovery points of VM '${row.vm_name}', or protects it.`,
          { target: row.vm_name, action: 'Stop its protection and delete the data first.' },
        );
      await deleteRegistration(tx, row);
    },
  });
}

/** The VM is registered when the job begins; it confirms that its host has it. */
export function registerOperation(workshop: Workshop): Operation<RegisterPayload> {
  const confirm: Operation<RegisterPayload>['run'] = async ({ payload, signal }) => {
    const host = await workshop.estate.host(payload.hostName);
    await host.getMachine(payload.vmUuid, signal);
    return 'Completed';
  };
  return { run: confirm, resume: confirm, retry: confirm };
}

/** There is nothing left to do when the job begins, whether or not the VM is still there. */
export function unregisterOperation(): Operation<RegisterPayload> {
  const run: Operation<RegisterPayload>['run'] = async () => 'Completed';
  return { run, resume: run };
}
