import { filterText } from '../../api/filter-text.ts';
import { oneOf, textIn } from '../../parts/search.ts';

export const itemStates = [
  ['IRPending', 'Initial backup pending'],
  ['Protected', 'Protected'],
  ['ProtectionError', 'Protection error'],
  ['ProtectionStopped', 'Protection stopped'],
  ['BackupsSuspended', 'Backups suspended'],
  ['SoftDeleted', 'Soft deleted'],
] as const;
export type ItemState = (typeof itemStates)[number][0];

export const backupStatuses = ['Completed', 'CompletedWithWarnings', 'Failed'] as const;

/** Columns that the service can order by, by the name of the column. */
const orderFields = {
  name: 'friendlyName',
  state: 'protectionState',
  policy: 'policyName',
  status: 'lastBackupStatus',
  last: 'lastBackupTime',
} as const;
export type ItemOrder = keyof typeof orderFields;
const orderNames = Object.keys(orderFields) as ItemOrder[];

/** Which items a list shows and in what order, as it stands in the address. */
export interface ItemSearch {
  name?: string | undefined;
  state?: ItemState | undefined;
  status?: (typeof backupStatuses)[number] | undefined;
  policy?: string | undefined;
  sort?: ItemOrder | undefined;
  direction?: 'asc' | 'desc' | undefined;
}

export function readItemSearch(raw: Record<string, unknown>): ItemSearch {
  return {
    name: textIn(raw, 'name'),
    state: oneOf(
      raw,
      'state',
      itemStates.map(([state]) => state),
    ),
    status: oneOf(raw, 'status', backupStatuses),
    policy: textIn(raw, 'policy'),
    sort: oneOf(raw, 'sort', orderNames),
    direction: oneOf(raw, 'direction', ['asc', 'desc']),
  };
}

/** The query that asks the service for them. */
export function itemQuery(search: ItemSearch, vaultId: string | undefined): Record<string, string> {
  const order: Record<string, string> =
    search.sort === undefined ? {} : { $orderby: `${orderFields[search.sort]} ${search.direction ?? 'asc'}` };
  return {
    ...filterText({
      friendlyName: search.name,
      protectionState: search.state,
      lastBackupStatus: search.status,
      policyName: search.policy,
      vaultId,
    }),
    ...order,
  };
}
