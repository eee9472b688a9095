import { countContainers, countItems, countJobs, findReplica, type VaultRow } from '../../catalog/index.ts';
import type { Usage } from '../client/index.ts';
import { filterWord, parseFilter } from '../filter.ts';
import { type ApiScope, query, type RegisterRoutes, vaultOf, vaultPath } from '../scope.ts';
import { figuresOf } from '../store-figures.ts';

const count = (value: string, localizedValue: string, currentValue: number, quotaPeriod?: string): Usage => ({
  unit: 'Count',
  ...(quotaPeriod === undefined ? {} : { quotaPeriod }),
  currentValue,
  limit: -1,
  name: { value, localizedValue },
});

/** Numbers of the items that are protected, or were and are kept. What is soft-deleted is neither, nor paid for in Azure. */
const protectedItemsOf = async ({ workshop }: ApiScope, vault: VaultRow) =>
  (await countItems(workshop.db, vault.vault_id)).filter(({ state }) => state !== 'SoftDeleted');

async function usagesOf(scope: ApiScope, vault: VaultRow): Promise<Usage[]> {
  const { db, clock, estate } = scope.workshop;
  const items = await protectedItemsOf(scope, vault);
  const sum = (status?: string) =>
    items.reduce((all, { count: n, last_backup_status: is }) => all + (is === (status ?? is) ? n : 0), 0);
  const [protectedItems, critical, warning] = [sum(), sum('Failed'), sum('CompletedWithWarnings')];
  const dayAgo = clock.now().subtract({ hours: 24 }).toString({ fractionalSecondDigits: 3 });
  const stored = await figuresOf(() => estate.store(vault), vault.store_path).catch(() => undefined);
  const hasReplica = (await findReplica(db, vault.vault_id)) !== undefined;
  return [
    count('ProtectedItemCount', 'Protected items', protectedItems),
    count('ProtectedItemCriticalCount', 'Protected items in a critical state', critical),
    count('ProtectedItemWarningCount', 'Protected items with a warning', warning),
    count('IaaSVMProtectedItemCount', 'Protected virtual machines', protectedItems),
    count('IaaSVMProtectedItemCriticalCount', 'Protected virtual machines in a critical state', critical),
    count('IaaSVMProtectedItemWarningCount', 'Protected virtual machines with a warning', warning),
    count('ManagedInstances', 'Managed instances', protectedItems),
    count(
      'InProgressJobsCount',
      'Jobs in progress',
      await countJobs(db, vault.vault_id, { status: 'InProgress' }),
    ),
    count(
      'FailedJobsCount',
      'Jobs that failed in the last day',
      await countJobs(db, vault.vault_id, { status: 'Failed', startedFrom: dayAgo }),
      'P1D',
    ),
    // Left out while the store does not say: a zero would be a lie.
    ...(stored?.storedBytes === undefined
      ? []
      : [
          {
            unit: 'Bytes' as const,
            currentValue: stored.storedBytes,
            limit: -1,
            name: hasReplica
              ? { value: 'GRSStorageUsage', localizedValue: 'Storage used, with a replica elsewhere' }
              : { value: 'LRSStorageUsage', localizedValue: 'Storage used' },
          },
        ]),
  ];
}

/** What Azure's lists of usages count: things of a vault, and its items and containers by kind. */
export const registerUsages: RegisterRoutes = (app, scope) => {
  const { db } = scope.workshop;

  app.get(`${vaultPath}/usages`, async (request) => ({
    value: await usagesOf(scope, await vaultOf(db, request)),
  }));
  // Of Azure Site Recovery, which is not offered: nothing is replicated by it.
  app.get(`${vaultPath}/replicationUsages`, async (request) => {
    await vaultOf(db, request);
    return { value: [] };
  });

  app.get(`${vaultPath}/backupUsageSummaries`, async (request) => {
    const vault = await vaultOf(db, request);
    const filter = parseFilter(query(request, '$filter'), ['type']);
    const kind = filterWord(filter, 'type', [
      'BackupProtectedItemCountSummary',
      'BackupProtectionContainerCountSummary',
    ]);
    // A VM whose data is soft-deleted, or that is only registered, is a container without a protected item.
    const number =
      kind === 'BackupProtectionContainerCountSummary'
        ? await countContainers(db, vault.vault_id)
        : (await protectedItemsOf(scope, vault)).reduce((all, item) => all + item.count, 0);
    return { value: [count('AzureIaasVM', 'Azure Virtual Machine', number)] };
  });
};
