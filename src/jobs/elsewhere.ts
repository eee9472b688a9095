import { findRegistration, getVault, type ItemRow, listItemsOfVm, type VaultRow } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
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
          `The protection of '${item.vm_name}' in vault '${other.name}' is being changed.`,
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
  const { name } = await getVault(db, registration.vault_id);
  throw new HoldfastError(
    'UserErrorVmAlreadyProtected',
    `VM '${machine.name}' is registered with vault '${name}'.`,
    { target: machine.name, action: 'Use that vault, or unregister the VM there first.' },
  );
}
