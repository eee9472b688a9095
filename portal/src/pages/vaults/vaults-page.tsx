import { AddRegular } from '@fluentui/react-icons';
import type { Vault } from '../../../../src/api/client/browser.ts';
import { groupOf, vaultOf, vaultParams } from '../../api/addresses.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { useWholeList } from '../../api/whole-list.ts';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Empty } from '../../parts/empty.tsx';
import { formatBytes } from '../../parts/format.ts';
import { PageButton, PageLink } from '../../parts/links.tsx';
import { Page } from '../../parts/page.tsx';
import { StateStatus } from '../../parts/status.tsx';

const columns: Column<Vault>[] = [
  {
    key: 'name',
    title: 'Name',
    grow: 1.5,
    render: (vault) => (
      <PageLink to="/vaults/$group/$vault" params={vaultParams(vaultOf(vault.id))}>
        {vault.name}
      </PageLink>
    ),
  },
  {
    key: 'status',
    title: 'Status',
    render: (vault) => <StateStatus state={vault.properties.holdfast.status} />,
  },
  { key: 'group', title: 'Resource group', render: (vault) => groupOf(vault.id) },
  { key: 'region', title: 'Region', render: (vault) => vault.location },
  {
    key: 'items',
    title: 'Backup items',
    align: 'end',
    render: (vault) => vault.properties.holdfast.protectedItems.toLocaleString(),
  },
  {
    key: 'points',
    title: 'Recovery points',
    align: 'end',
    render: (vault) => vault.properties.holdfast.recoveryPoints?.toLocaleString() ?? '',
  },
  {
    key: 'used',
    title: 'Storage used',
    align: 'end',
    render: ({ properties: { holdfast } }) =>
      holdfast.storedBytes === undefined ? '' : formatBytes(holdfast.storedBytes),
  },
  {
    key: 'immutability',
    title: 'Immutability',
    render: (vault) => vault.properties.securitySettings.immutabilitySettings.state,
  },
  {
    key: 'store',
    title: 'Store',
    hidden: true,
    grow: 2,
    render: (vault) => vault.properties.holdfast.storePath,
  },
];

export function VaultsPage() {
  const source = useWholeList(keys.vaults, () => client.vaults.list());
  const create = (
    <PageButton to="/vaults/new" appearance="primary">
      Create a vault
    </PageButton>
  );
  return (
    <Page
      title="Vaults"
      kind="Recovery Services vaults"
      fill
      commands={
        <PageButton to="/vaults/new" appearance="subtle" icon={<AddRegular />}>
          Vault
        </PageButton>
      }
    >
      <DataTable
        id="vaults"
        label="Recovery Services vaults"
        columns={columns}
        source={source}
        rowKey={(vault) => vault.id}
        empty={
          <Empty title="There is no vault yet" action={create}>
            A vault holds policies, backup items and their recovery points, and has one store.
          </Empty>
        }
      />
    </Page>
  );
}
