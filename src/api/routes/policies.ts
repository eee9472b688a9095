import { findPolicy, listItems, listPolicies, type VaultRow } from '../../catalog/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import { type BackupPolicy, presentPolicy } from '../../protection/index.ts';
import type { Policy } from '../client/index.ts';
import { type ApiScope, param, type RegisterRoutes, vaultOf, vaultPath } from '../scope.ts';

function present(scope: ApiScope, vault: VaultRow, policy: BackupPolicy, items: number): Policy {
  return {
    id: scope.ids.policy(vault, policy.name),
    name: policy.name,
    type: 'Microsoft.RecoveryServices/vaults/backupPolicies',
    properties: {
      ...presentPolicy(policy),
      protectedItemsCount: items,
    },
  };
}

export const registerPolicies: RegisterRoutes = (app, scope) => {
  const { db } = scope.workshop;
  const countOf = async (vault: VaultRow, policy: BackupPolicy) =>
    (await listItems(db, vault.vault_id)).filter((item) => item.policy_name === policy.name).length;

  app.get(`${vaultPath}/backupPolicies`, async (request) => {
    const vault = await vaultOf(db, request);
    const policies = (await listPolicies(db, vault.vault_id)).map(({ policy }) => policy);
    return {
      value: await Promise.all(
        policies.map(async (policy) => present(scope, vault, policy, await countOf(vault, policy))),
      ),
    };
  });

  app.get(`${vaultPath}/backupPolicies/:policy`, async (request) => {
    const vault = await vaultOf(db, request);
    const name = param(request, 'policy');
    const policy = await findPolicy(db, vault.vault_id, name);
    if (policy === undefined)
      throw new HoldfastError('ResourceNotFound', `Vault '${vault.name}' has no policy '${name}'.`, {
        target: name,
      });
    return present(scope, vault, policy, await countOf(vault, policy));
  });
};
