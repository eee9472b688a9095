import { type Database, getVault, type HostRow, listHosts, listItems } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { enhancedPolicy, judgeEnabling, refusalError } from '../protection/index.ts';
import { policyOf } from './policies.ts';
import { placeOf } from './vm-facts.ts';

/**
 * Refuses a place for a host that its VMs' protection forbids: they stay in the region of their vaults, and in an
 * extended zone they are under Enhanced policies. A zone lies in one region.
 * @throws UserErrorZoneOfOtherRegion, UserErrorVaultAndVmInDifferentRegions, UserErrorExtendedZoneNeedsEnhancedPolicy
 */
export async function refusePlace(db: Database, row: HostRow): Promise<void> {
  const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();
  const { zone } = row;
  const elsewhere =
    zone !== null &&
    (await listHosts(db)).find(
      (other) =>
        other.name !== row.name &&
        other.zone !== null &&
        same(other.zone, zone) &&
        !same(other.location, row.location),
    );
  if (elsewhere) {
    throw new HoldfastError(
      'UserErrorZoneOfOtherRegion',
      `Extended zone '${row.zone}' belongs to region '${elsewhere.location}', as host '${elsewhere.name}' has it.`,
      { target: row.name },
    );
  }
  for (const item of (await listItems(db)).filter(({ host_name }) => same(host_name, row.name))) {
    const vault = await getVault(db, item.vault_id);
    const judged = judgeEnabling(
      { name: item.vm_name, ...placeOf(row), disks: [] },
      { name: vault.name, region: vault.location },
      policyOf(item) ?? enhancedPolicy, // protection is stopped: no policy to fit
      [],
    );
    if (!judged.allowed) throw refusalError(judged.refusals, row.name);
  }
}
