import type { VaultRow } from '../../catalog/index.ts';
import { changeVaultSecurity } from '../../jobs/index.ts';
import { vaultConfigRequest } from '../client/index.ts';
import { parseBody, type RegisterRoutes, vaultOf, vaultPath } from '../scope.ts';

/** The older door to a vault's soft delete. It leads to the same rules as the vault's own `securitySettings`. */
export const registerVaultConfig: RegisterRoutes = (app, scope) => {
  const { workshop, ids } = scope;
  const path = `${vaultPath}/backupconfig/vaultconfig`;
  const present = (vault: VaultRow) => ({
    id: `${ids.vault(vault)}/backupconfig/vaultconfig`,
    name: 'vaultconfig',
    type: 'Microsoft.RecoveryServices/vaults/backupconfig',
    properties: {
      enhancedSecurityState: vault.soft_delete,
      softDeleteFeatureState: vault.soft_delete,
      softDeleteRetentionPeriodInDays: vault.soft_delete_days,
      isSoftDeleteFeatureStateEditable: vault.soft_delete !== 'AlwaysON',
      storageModelType: 'LocallyRedundant',
      storageType: 'LocallyRedundant',
      storageTypeState: 'Locked',
    },
  });

  app.get(path, async (request) => present(await vaultOf(workshop.db, request)));
  for (const method of ['PUT', 'PATCH'] as const) {
    app.route({
      method,
      url: path,
      handler: async (request) => {
        const vault = await vaultOf(workshop.db, request);
        const { properties } = parseBody(vaultConfigRequest, request);
        return present(
          await changeVaultSecurity(workshop, vault, {
            softDelete: properties.softDeleteFeatureState,
            softDeleteDays: properties.softDeleteRetentionPeriodInDays,
          }),
        );
      },
    });
  }
};
