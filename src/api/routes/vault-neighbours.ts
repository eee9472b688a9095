import { listHosts } from '../../catalog/index.ts';
import { HoldfastError, isHoldfastError } from '../../errors/index.ts';
import type { Workshop } from '../../jobs/index.ts';
import { type ApiScope, groupPath, param, type RegisterRoutes, vaultOf, vaultPath } from '../scope.ts';

export const encryptionConfigPath = `${vaultPath}/backupEncryptionConfigs/backupResourceEncryptionConfig`;
export const replicationSettingPath = `${vaultPath}/replicationVaultSettings/:setting`;
export const storageAccountPath = `${groupPath}/providers/Microsoft.Storage/storageAccounts/:account`;
export const virtualNetworkPath = `${groupPath}/providers/Microsoft.Network/virtualNetworks/:network`;

type Host = Awaited<ReturnType<Workshop['estate']['host']>>;

/** How long a host may take to say what it has. */
const hostLimitMs = 30_000;

/**
 * What Azure's tools look up before they make a vault or restore: documents that say how it is here, and the storage pools
 * and networks that a restore may name. azure-cli asks for the encryption and the storage account with every restore,
 * Terraform for the setting of Site Recovery with every vault.
 */
export const registerVaultNeighbours: RegisterRoutes = (app, scope) => {
  const { workshop, ids } = scope;

  app.get(encryptionConfigPath, async (request) => ({
    id: `${ids.vault(await vaultOf(workshop.db, request))}/backupEncryptionConfigs/backupResourceEncryptionConfig`,
    name: 'backupResourceEncryptionConfig',
    type: 'Microsoft.RecoveryServices/vaults/backupEncryptionConfigs',
    // No key of a customer's key vault: a vault has keys of its own, or none (holdfast.encryption of the vault).
    properties: { encryptionAtRestType: 'MicrosoftManaged', infrastructureEncryptionState: 'Disabled' },
  }));

  // There is no Site Recovery, and so nothing that could be set.
  app.get(replicationSettingPath, async (request) => ({
    id: `${ids.vault(await vaultOf(workshop.db, request))}/replicationVaultSettings/${param(request, 'setting')}`,
    name: param(request, 'setting'),
    type: 'Microsoft.RecoveryServices/vaults/replicationVaultSettings',
    properties: {},
  }));

  app.get(storageAccountPath, async (request) => {
    const [group, name] = [param(request, 'group'), param(request, 'account')];
    const location = await regionOfFirst(scope, group, async (host, signal) => {
      await host.poolDirectory(name, signal);
      return true;
    });
    if (location === undefined) throw notThere('storage pool', name, group);
    return {
      id: `${ids.group(group)}/providers/Microsoft.Storage/storageAccounts/${name}`,
      name,
      type: 'Microsoft.Storage/storageAccounts',
      location,
      properties: { provisioningState: 'Succeeded' },
    };
  });

  app.get(virtualNetworkPath, async (request) => {
    const [group, name] = [param(request, 'group'), param(request, 'network')];
    const location = await regionOfFirst(scope, group, (host, signal) => host.hasNetwork(name, signal));
    if (location === undefined) throw notThere('network', name, group);
    const id = `${ids.group(group)}/providers/Microsoft.Network/virtualNetworks/${name}`;
    return {
      id,
      name,
      type: 'Microsoft.Network/virtualNetworks',
      location,
      // libvirt's networks have but one.
      properties: {
        provisioningState: 'Succeeded',
        subnets: [{ id: `${id}/subnets/default`, name: 'default' }],
      },
    };
  });
};

/** Region of the first host of a resource group that has something. @throws HostUnreachable */
async function regionOfFirst(
  { workshop }: ApiScope,
  group: string,
  has: (host: Host, signal: AbortSignal) => Promise<boolean>,
): Promise<string | undefined> {
  for (const row of await listHosts(workshop.db)) {
    if (row.resource_group.toLowerCase() !== group.toLowerCase()) continue;
    try {
      if (await has(await workshop.estate.host(row.name), AbortSignal.timeout(hostLimitMs)))
        return row.location;
    } catch (error) {
      if (!isHoldfastError(error, 'ResourceNotFound')) throw error;
    }
  }
  return undefined;
}

const notThere = (what: string, name: string, group: string) =>
  new HoldfastError('ResourceNotFound', `No host of resource group '${group}' has a ${what} '${name}'.`, {
    target: name,
    action: `List what its hosts have with "virsh ${what === 'network' ? 'net' : 'pool'}-list --all".`,
  });
