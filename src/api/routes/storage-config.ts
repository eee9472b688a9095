import type { FastifyRequest } from 'fastify';
import { countItems, findReplica, type VaultRow } from '../../catalog/index.ts';
import { type StorageConfig, storageConfigRequest } from '../client/index.ts';
import { type ApiScope, parseBody, type RegisterRoutes, vaultOf, vaultPath } from '../scope.ts';
import { otherRedundancy, redundancyOf } from '../vault-settings.ts';

async function present({ workshop, ids }: ApiScope, vault: VaultRow): Promise<StorageConfig> {
  const hasReplica = (await findReplica(workshop.db, vault.vault_id)) !== undefined;
  const type = redundancyOf(hasReplica);
  return {
    id: `${ids.vault(vault)}/backupstorageconfig/vaultstorageconfig`,
    name: 'vaultstorageconfig',
    type: 'Microsoft.RecoveryServices/vaults/backupstorageconfig',
    properties: {
      storageModelType: type,
      storageType: type,
      storageTypeState: (await countItems(workshop.db, vault.vault_id)).length > 0 ? 'Locked' : 'Unlocked',
      crossRegionRestoreFlag: hasReplica,
      dedupState: 'Enabled',
      xcoolState: 'Disabled',
    },
  };
}

/**
 * How often the data of a vault exists, in Azure's words: with a replica it is geo-redundant. The replica is set up where
 * it can be said where it is; here only what is true already is accepted.
 */
export const registerStorageConfig: RegisterRoutes = (app, scope) => {
  const path = `${vaultPath}/backupstorageconfig/vaultstorageconfig`;

  /** @throws OperationNotSupported naming the first setting that would have to change */
  const set = async (request: FastifyRequest): Promise<StorageConfig> => {
    const vault = await vaultOf(scope.workshop.db, request);
    const wanted = parseBody(storageConfigRequest, request).properties;
    const now = await present(scope, vault);
    const { storageTypeState: _readOnly, ...settings } = wanted;
    for (const [name, value] of Object.entries(settings)) {
      if (value === undefined || value === now.properties[name as keyof typeof settings]) continue;
      throw otherRedundancy(vault.name, name, now.properties[name as keyof typeof settings]);
    }
    return now;
  };

  app.get(path, async (request) => present(scope, await vaultOf(scope.workshop.db, request)));
  app.put(path, set);
  app.patch(path, async (request, reply) => {
    await set(request);
    return reply.code(204).send();
  });
};
