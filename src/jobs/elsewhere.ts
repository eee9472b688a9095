import {
  findRegistration,
  getVault,
  type ItemRow,
  listItemsOfUuid,
  listItemsOfVm,
  type VaultRow,
} from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { hasMachine } from './bind-item.ts';
import type { FoundMachine } from './estate.ts';
import { runningOn } from './item-facts.ts';
import type { Workshop } from './workshop.ts';

/**
 * What other vaults have of the VM.
 * @throws BMSUserErrorConflictingProtectionOperation while one of them still lets go of it: that gives the VM its own
 *   disks back, and must not meet the layers of a new protection
 */
export async function knownElsewhere(
  { db }: Workshop,
  vault: VaultRow,
  { host, machine }: FoundMachine,
): Promise<{ vault: string; state: ItemRow['state'] }[]> {
  const others = (await listItemsOfVm(db, host.name, machine.uuid)).filter(
    (item) => item.vault_id !== vault.vault_id,
  );
  return Promise.all(
    others.map(async (item) => {
      const other = await getVault(db, item.vault_id);
      if ((await runningOn(db, item.item_id)).includes('ConfigureBackup'))
        throw new HoldfastError(
          'BMSUserErrorConflictingProtectionOperation',
          `The protection of '${machine.name}' in another vault is being changed.`,
          { target: machine.name },
        );
      const isNamesake = other.name.toLowerCase() === vault.name.toLowerCase();
      return { vault: isNamesake ? `${other.resource_group}/${other.name}` : other.name, state: item.state };
    }),
  );
}

/** @throws UserErrorVmAlreadyProtected where a VM is registered with another vault */
export async function refuseRegisteredElsewhere(
  db: Workshop['db'],
  vault: VaultRow,
  { host, machine }: FoundMachine,
): Promise<void> {
  const registration = await findRegistration(db, host.name, machine.uuid);
  if (registration === undefined || registration.vault_id === vault.vault_id) return;
  throw new HoldfastError(
    'UserErrorVmAlreadyProtected',
    `VM '${machine.name}' is registered with another vault.`,
    { target: machine.name, action: 'Use that vault, or unregister the VM there first.' },
  );
}

/**
 * One libvirt may be known as two hosts, and its VMs be found through both: each is one VM, with one set of disks.
 * @throws UserErrorVmAlreadyProtected where an item has the VM through another host that still has it
 * @throws HostUnreachable where that can't be asked
 */
export async function refuseThroughOtherHost(
  workshop: Workshop,
  { host, machine }: FoundMachine,
): Promise<void> {
  for (const item of await listItemsOfUuid(workshop.db, machine.uuid)) {
    if (item.host_name === host.name || item.state === 'SoftDeleted') continue;
    if (!(await hasMachine(workshop, item.host_name, machine.uuid))) continue;
    throw new HoldfastError(
      'UserErrorVmAlreadyProtected',
      `VM '${machine.name}' has the same UUID as one that is protected through another host already.`,
      {
        target: machine.name,
        action:
          'Use the protection that it has: the hosts are two ways to one libvirt, and one of them can be removed. If it really is another VM, give it a UUID of its own.',
      },
    );
  }
}
