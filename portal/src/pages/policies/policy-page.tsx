import { Spinner, Tab, TabList } from '@fluentui/react-components';
import { CopyRegular, EditRegular, FlashRegular } from '@fluentui/react-icons';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import type { Policy, VaultAddress } from '../../../../src/api/client/browser.ts';
import { vaultParams } from '../../api/addresses.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { Essentials } from '../../parts/essentials.tsx';
import { PageButton } from '../../parts/links.tsx';
import { Page } from '../../parts/page.tsx';
import { Problem } from '../../parts/problem.tsx';
import { readItemSearch } from '../items/item-search.ts';
import { ItemsTable } from '../items/items-table.tsx';
import { policyCrumbs } from './crumbs.ts';
import { DeletePolicy } from './delete-policy.tsx';
import { PolicyPreview } from './policy-preview.tsx';
import { settingsOf } from './settings.ts';

const route = getRouteApi('/vaults/$group/$vault/policies/$policy');

/** One policy: its settings with what they keep, and the items under it. */
export function PolicyPage() {
  const { group, vault, policy } = route.useParams();
  const { tab = 'settings' } = route.useSearch();
  const navigate = route.useNavigate();
  const at = { resourceGroup: group, vault };
  const found = useQuery({
    queryKey: keys.policy(at, policy),
    queryFn: () => client.policies.get(at, policy),
  });
  return (
    <Page
      title={policy}
      kind="Backup policy"
      crumbs={policyCrumbs(at)}
      fill={tab === 'items'}
      commands={found.data !== undefined && <Commands at={at} policy={found.data} />}
    >
      <TabList
        selectedValue={tab}
        onTabSelect={(_event, { value }) =>
          void navigate({ search: { tab: value === 'items' ? 'items' : undefined } })
        }
      >
        <Tab value="settings">Settings</Tab>
        <Tab value="items">Associated items</Tab>
      </TabList>
      {found.error !== null && (
        <Problem
          error={found.error}
          title="The policy could not be read"
          onRetry={() => void found.refetch()}
        />
      )}
      {found.isPending && <Spinner label="Asking for the policy" />}
      {found.data !== undefined && tab === 'settings' && <Settings at={at} policy={found.data} />}
      {found.data !== undefined && tab === 'items' && <AssociatedItems policy={found.data} />}
    </Page>
  );
}

function Commands({ at, policy }: { at: VaultAddress; policy: Policy }) {
  const params = { ...vaultParams(at), policy: policy.name };
  return (
    <>
      <PageButton
        to="/vaults/$group/$vault/policies/$policy/edit"
        params={params}
        appearance="subtle"
        icon={<EditRegular />}
      >
        Modify
      </PageButton>
      <PageButton
        to="/vaults/$group/$vault/new-policy"
        params={vaultParams(at)}
        search={{ from: policy.name }}
        appearance="subtle"
        icon={<CopyRegular />}
      >
        Create another like it
      </PageButton>
      {policy.properties.policyType === 'V2' && (
        <PageButton
          to="/vaults/$group/$vault/policies/$policy/crash-consistent"
          params={params}
          appearance="subtle"
          icon={<FlashRegular />}
        >
          Move to crash-consistent backup
        </PageButton>
      )}
      <DeletePolicy at={at} policy={policy} />
    </>
  );
}

function Settings({ at, policy }: { at: VaultAddress; policy: Policy }) {
  return (
    <>
      <Essentials
        entries={[
          ...settingsOf(policy),
          ['Associated items', policy.properties.protectedItemsCount.toLocaleString()],
        ]}
      />
      <PolicyPreview at={at} policyProperties={policy.properties} />
    </>
  );
}

function AssociatedItems({ policy }: { policy: Policy }) {
  const search = readItemSearch({ ...route.useSearch() });
  const navigate = route.useNavigate();
  const [vaultId] = policy.id.split('/backupPolicies/');
  return (
    <ItemsTable
      vaultId={vaultId ?? ''}
      search={{ ...search, policy: policy.name }}
      onSearch={(change) => void navigate({ search: (before) => ({ ...before, ...change }), replace: true })}
    />
  );
}
