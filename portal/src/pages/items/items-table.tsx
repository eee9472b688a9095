import type { ProtectedItem } from '../../../../src/api/client/browser.ts';
import { groupOf, itemOf, itemParams, vaultOf } from '../../api/addresses.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { useRows } from '../../api/lists.ts';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Empty } from '../../parts/empty.tsx';
import { ChoiceFilter, TextFilter } from '../../parts/filters.tsx';
import { spaced } from '../../parts/format.ts';
import { PageButton, PageLink } from '../../parts/links.tsx';
import { StateStatus, Status } from '../../parts/status.tsx';
import { Time } from '../../parts/time.tsx';
import { backupStatuses, type ItemSearch, itemQuery, itemStates } from './item-search.ts';
import { stateOf } from './item-state.ts';

const columns: Column<ProtectedItem>[] = [
  {
    key: 'name',
    title: 'Name',
    grow: 2,
    sortable: true,
    render: (item) => (
      <PageLink
        to="/vaults/$group/$vault/items/$vmGroup/$vm"
        params={itemParams(itemOf(item.id))}
        title={item.properties.friendlyName}
      >
        {item.properties.friendlyName}
      </PageLink>
    ),
  },
  {
    key: 'group',
    title: 'Resource group',
    hidden: true,
    render: (item) => groupOf(item.properties.sourceResourceId),
  },
  {
    key: 'state',
    title: 'Protection',
    grow: 1.8,
    sortable: true,
    render: (item) => <StateStatus state={stateOf(item)} />,
  },
  {
    key: 'check',
    title: 'Backup pre-check',
    grow: 1.7,
    render: ({ properties: { healthStatus } }) => (
      <Status tone={healthStatus === 'Passed' ? 'good' : 'warning'}>{spaced(healthStatus)}</Status>
    ),
  },
  {
    key: 'status',
    title: 'Last backup status',
    grow: 1.9,
    sortable: true,
    render: ({ properties: { lastBackupStatus } }) =>
      lastBackupStatus === '' ? 'None yet' : <StateStatus state={lastBackupStatus} />,
  },
  {
    key: 'latest',
    title: 'Latest restore point',
    grow: 2,
    render: ({ properties: { lastRecoveryPoint } }) =>
      lastRecoveryPoint === undefined ? 'None' : <Time at={lastRecoveryPoint} />,
  },
  {
    key: 'points',
    title: 'Points',
    hidden: true,
    align: 'end',
    render: (item) => item.properties.holdfast.recoveryPoints.toLocaleString(),
  },
  {
    key: 'policy',
    title: 'Policy',
    sortable: true,
    grow: 1.2,
    render: (item) => item.properties.policyName ?? 'None',
  },
  {
    key: 'next',
    title: 'Next backup',
    hidden: true,
    grow: 1.6,
    render: ({ properties }) =>
      properties.holdfast.nextBackup === undefined ? 'None' : <Time at={properties.holdfast.nextBackup} />,
  },
  { key: 'vault', title: 'Vault', render: (item) => vaultOf(item.id).vault },
  { key: 'host', title: 'Host', hidden: true, render: (item) => item.properties.holdfast.host },
];

interface ItemsTableProps {
  /** Only items of this vault. */
  vaultId?: string;
  search: ItemSearch;
  onSearch(change: Partial<ItemSearch>): void;
}

/** Backup items, filtered and ordered by the service. */
export function ItemsTable({ vaultId, search, onSearch }: ItemsTableProps) {
  const query = itemQuery(search, vaultId);
  const source = useRows(keys.items(query), (next) => client.estate.items(query, next));
  const shown = vaultId === undefined ? columns : columns.filter((column) => column.key !== 'vault');
  const isFiltered = [search.name, search.state, search.status, search.policy].some(
    (part) => part !== undefined,
  );
  return (
    <DataTable
      id="items"
      label="Backup items"
      columns={shown}
      source={source}
      rowKey={(item) => item.id}
      order={{ key: search.sort ?? 'name', direction: search.direction ?? 'asc' }}
      onOrder={({ key, direction }) => onSearch({ sort: key as ItemSearch['sort'], direction })}
      filters={
        <>
          <TextFilter label="Name" value={search.name} onChange={(name) => onSearch({ name })} />
          <ChoiceFilter
            label="Protection"
            value={search.state}
            choices={itemStates}
            onChange={(state) => onSearch({ state })}
          />
          <ChoiceFilter
            label="Last backup status"
            value={search.status}
            choices={backupStatuses.map((status) => [status, spaced(status)] as const)}
            onChange={(status) => onSearch({ status })}
          />
        </>
      }
      empty={
        isFiltered ? (
          <Empty title="No item matches the filters" />
        ) : (
          <Empty
            title="Nothing is protected yet"
            action={
              <PageButton to="/machines" search={{ state: 'NotProtected' }} appearance="primary">
                Choose what to protect
              </PageButton>
            }
          >
            A VM becomes a backup item when backup is enabled for it.
          </Empty>
        )
      }
    />
  );
}
