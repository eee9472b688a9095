import { Spinner } from '@fluentui/react-components';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { groupOf } from '../../api/addresses.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { Empty } from '../../parts/empty.tsx';
import { PageButton } from '../../parts/links.tsx';
import { Page } from '../../parts/page.tsx';
import { Problem } from '../../parts/problem.tsx';
import { EnablingTable } from './enabling-table.tsx';
import { ProtectForm } from './protect-form.tsx';
import { useEnabling } from './use-enabling.ts';

const route = getRouteApi('/protect');

/** Configures the protection of many VMs at once, and shows how far each has come. */
export function ProtectPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const vaults = useQuery({ queryKey: keys.vaults, queryFn: () => client.vaults.list() });
  const { enabling, enable, forget } = useEnabling();
  const named = vaults.data?.find(({ id, name }) => name === search.vault && groupOf(id) === search.group);
  const vault = named ?? vaults.data?.[0];
  return (
    <Page title="Configure protection" crumbs={[{ text: 'Backup items', to: '/items' }]}>
      {vaults.error !== null && (
        <Problem
          error={vaults.error}
          title="The vaults could not be read"
          onRetry={() => void vaults.refetch()}
        />
      )}
      {vaults.isPending && <Spinner label="Asking for the vaults" />}
      {vaults.data?.length === 0 && (
        <Empty
          title="There is no vault yet"
          action={
            <PageButton to="/vaults/new" appearance="primary">
              Create a vault
            </PageButton>
          }
        >
          A vault keeps the recovery points of the VMs of its region.
        </Empty>
      )}
      {enabling !== undefined && <EnablingTable enabling={enabling} onMore={forget} />}
      {enabling === undefined && vault !== undefined && (
        <ProtectForm
          vaults={vaults.data ?? []}
          vault={vault}
          search={search}
          onSearch={(change) =>
            void navigate({ search: (before) => ({ ...before, ...change }), replace: true })
          }
          onEnable={(...what) => void enable(...what)}
        />
      )}
    </Page>
  );
}
