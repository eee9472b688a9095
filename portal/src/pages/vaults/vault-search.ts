import { oneOf } from '../../parts/search.ts';
import { type ItemSearch, readItemSearch } from '../items/item-search.ts';
import { type JobSearch, readJobSearch } from '../jobs/job-search.ts';

export const vaultTabs = [
  ['overview', 'Overview'],
  ['items', 'Backup items'],
  ['policies', 'Backup policies'],
  ['jobs', 'Backup jobs'],
  ['properties', 'Properties'],
] as const;
export type VaultTab = (typeof vaultTabs)[number][0];

/** What of a vault is shown; the filters are those of the list that is. */
export interface VaultSearch extends Omit<ItemSearch, 'status'>, Omit<JobSearch, 'status'> {
  tab?: VaultTab | undefined;
  status?: ItemSearch['status'] | JobSearch['status'];
}

export function readVaultSearch(raw: Record<string, unknown>): VaultSearch {
  const tab = oneOf(
    raw,
    'tab',
    vaultTabs.map(([name]) => name),
  );
  if (tab === 'items') return { tab, ...readItemSearch(raw) };
  if (tab === 'jobs') return { tab, ...readJobSearch(raw) };
  return { tab };
}
