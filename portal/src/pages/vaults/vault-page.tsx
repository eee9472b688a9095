import { Button, Spinner, Tab, TabList } from '@fluentui/react-components';
import { AddRegular, ArrowSyncRegular } from '@fluentui/react-icons';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import type { Vault } from '../../../../src/api/client/browser.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { PageButton } from '../../parts/links.tsx';
import { Page } from '../../parts/page.tsx';
import { Problem } from '../../parts/problem.tsx';
import { readItemSearch } from '../items/item-search.ts';
import { ItemsTable } from '../items/items-table.tsx';
import { readJobSearch } from '../jobs/job-search.ts';
import { JobsTable } from '../jobs/jobs-table.tsx';
import { DeleteVault } from './delete-vault.tsx';
import { VaultOverview } from './vault-overview.tsx';
import { VaultPolicies } from './vault-policies.tsx';
import { VaultProperties } from './vault-properties.tsx';
import { type VaultTab, vaultTabs } from './vault-search.ts';

const route = getRouteApi('/vaults/$group/$vault');

/** One vault, with what is in it. */
export function VaultPage() {
  const { group, vault } = route.useParams();
  const { tab = 'overview' } = route.useSearch();
  const navigate = route.useNavigate();
  const at = { resourceGroup: group, vault };
  const found = useQuery({ queryKey: keys.vault(at), queryFn: () => client.vaults.get(at) });
  return (
    <Page
      title={vault}
      kind="Recovery Services vault"
      crumbs={[{ text: 'Vaults', to: '/vaults' }]}
      fill={tab === 'items' || tab === 'jobs'}
      commands={
        <>
          <PageButton to="/protect" search={{ group, vault }} appearance="subtle" icon={<AddRegular />}>
            Backup
          </PageButton>
          <Button appearance="subtle" icon={<ArrowSyncRegular />} onClick={() => void found.refetch()}>
            Refresh
          </Button>
          {found.data !== undefined && <DeleteVault vault={found.data} />}
        </>
      }
    >
      <TabList
        selectedValue={tab}
        onTabSelect={(_event, { value }) => void navigate({ search: { tab: value as VaultTab } })}
      >
        {vaultTabs.map(([name, text]) => (
          <Tab key={name} value={name}>
            {text}
          </Tab>
        ))}
      </TabList>
      {found.error !== null && (
        <Problem
          error={found.error}
          title="The vault could not be read"
          onRetry={() => void found.refetch()}
        />
      )}
      {found.isPending && <Spinner label="Asking for the vault" />}
      {found.data !== undefined && <Body vault={found.data} tab={tab} />}
    </Page>
  );
}

function Body({ vault, tab }: { vault: Vault; tab: VaultTab }) {
  const search: Record<string, unknown> = { ...route.useSearch() };
  const navigate = route.useNavigate();
  const onSearch = (change: object) =>
    void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  if (tab === 'items')
    return <ItemsTable vaultId={vault.id} search={readItemSearch(search)} onSearch={onSearch} />;
  if (tab === 'jobs')
    return <JobsTable vaultId={vault.id} search={readJobSearch(search)} onSearch={onSearch} />;
  if (tab === 'policies') return <VaultPolicies vault={vault} />;
  if (tab === 'properties') return <VaultProperties vault={vault} />;
  return <VaultOverview vault={vault} />;
}
