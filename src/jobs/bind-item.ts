import { bindItem, findItemOfName, type ItemRow, updateItem } from '../catalog/index.ts';
import { HoldfastError, isHoldfastError } from '../errors/index.ts';
import type { FoundMachine } from './estate.ts';
import type { Workshop } from './workshop.ts';

const answerTimeoutMs = 30_000;

/**
 * Checks that an item may go on with another VM of its name: the one it was about must be gone. Only its own host can
 * say so; one that does not answer proves nothing.
 * @throws UserErrorProtectedVmStillExists, HostUnreachable
 */
export async function refuseUnlessGone(workshop: Workshop, item: ItemRow): Promise<void> {
  const name = await nameOnHost(workshop, item.host_name, item.vm_uuid);
  if (name === undefined) return;
  throw new HoldfastError(
    'UserErrorProtectedVmStillExists',
    `The vault protects another VM as '${item.vm_name}', which still exists on host '${item.host_name}'${name === item.vm_name ? '' : ` (named '${name}' now)`}.`,
    { target: item.vm_name },
  );
}

/** Whether a host has a VM. @throws HostUnreachable */
export const hasMachine = async (workshop: Workshop, hostName: string, uuid: string): Promise<boolean> =>
  (await nameOnHost(workshop, hostName, uuid)) !== undefined;

async function nameOnHost({ estate }: Workshop, hostName: string, uuid: string): Promise<string | undefined> {
  const host = await estate.host(hostName);
  try {
    return (await host.getMachine(uuid, AbortSignal.timeout(answerTimeoutMs))).name;
  } catch (error) {
    if (isHoldfastError(error, 'UserErrorVmNotFoundV2')) return undefined;
    throw error;
  }
}

/**
 * Lets an item go on with the VM that took the place of its own. Azure knows a VM by its name: one that was deleted
 * and made again continues its recovery points. The next backup reads the new disks in full.
 * @throws UserErrorBackupOperationInProgress
 */
export async function bindToMachine(
  workshop: Workshop,
  item: ItemRow,
  { host, machine }: FoundMachine,
): Promise<void> {
  await using snapshotPhase = await workshop.phases.tryEnter('snapshot', item.item_id);
  await using transferPhase = await workshop.phases.tryEnter('transfer', item.item_id);
  if (snapshotPhase === undefined || transferPhase === undefined) {
    throw new HoldfastError(
      'UserErrorBackupOperationInProgress',
      `A backup of the VM that '${item.vm_name}' was before is still running.`,
      { target: item.vm_name, action: 'Wait until that backup has ended, then try again.' },
    );
  }
  await bindItem(workshop.db, item.item_id, {
    vm_uuid: machine.uuid,
    host_name: host.name,
    host_resource_group: host.resource_group,
  });
  workshop.log.info(
    { itemId: item.item_id, from: item.vm_uuid, to: machine.uuid },
    'the item goes on with a new VM of its name',
  );
}

/**
 * Gives an item the name that its VM has now: a VM stays itself when it is renamed. Where another item of the vault has
 * that name, it keeps the old one.
 */
export async function followName(workshop: Workshop, item: ItemRow, name: string): Promise<void> {
  if (name === item.vm_name) return;
  const of = { itemId: item.item_id, from: item.vm_name, to: name };
  const other = await findItemOfName(workshop.db, item.vault_id, item.host_resource_group, name);
  if (other !== undefined && other.item_id !== item.item_id) {
    workshop.log.warn(of, 'a VM was renamed to what the vault knows another VM as; its item keeps its name');
    return;
  }
  await updateItem(workshop.db, item.item_id, { vm_name: name });
  workshop.log.info(of, 'the item follows the new name of its VM');
}
