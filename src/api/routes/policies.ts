import { findPolicy, listItems, listPolicies, type VaultRow } from '../../catalog/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import type { BackupPolicy } from '../../protection/index.ts';
import type { Policy } from '../client/index.ts';
import { type ApiScope, param, type RegisterRoutes, vaultOf, vaultPath } from '../scope.ts';

function present(scope: ApiScope, vault: VaultRow, policy: BackupPolicy, items: number): Policy {
  // Azure's form: only the clock part counts, and it is meant in `timeZone` although it is written with a Z.
  const time = `2020-01-01T${policy.schedule.time}:00Z`;
  return {
    id: scope.ids.policy(vault, policy.name),
    name: policy.name,
    type: 'Microsoft.RecoveryServices/vaults/backupPolicies',
    properties: {
      backupManagementType: 'AzureIaasVM',
      policyType: policy.policyType,
      instantRpRetentionRangeInDays: policy.instantRetentionDays,
      timeZone: policy.schedule.timeZone,
      schedulePolicy: {
        schedulePolicyType: 'SimpleSchedulePolicy',
        scheduleRunFrequency: 'Daily',
        scheduleRunTimes: [time],
      },
      retentionPolicy: {
        retentionPolicyType: 'LongTermRetentionPolicy',
        dailySchedule: {
          retentionTimes: [time],
          retentionDuration: { count: policy.retention.dailyDays, durationType: 'Days' },
        },
      },
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
    const policies = await listPolicies(db, vault.vault_id);
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
