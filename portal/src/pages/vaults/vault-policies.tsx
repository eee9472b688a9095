import { Spinner } from '@fluentui/react-components';
import { AddRegular } from '@fluentui/react-icons';
import { useQuery } from '@tanstack/react-query';
import type { Vault } from '../../../../src/api/client/browser.ts';
import { vaultOf, vaultParams } from '../../api/addresses.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { PageButton, PageLink } from '../../parts/links.tsx';
import { PlainTable } from '../../parts/plain-table.tsx';
import { Problem } from '../../parts/problem.tsx';
import { retentionWords, scheduleWords } from './policy-words.ts';

export function VaultPolicies({ vault }: { vault: Vault }) {
  const at = vaultOf(vault.id);
  const found = useQuery({ queryKey: keys.policies(at), queryFn: () => client.policies.list(at) });
  if (found.error !== null)
    return (
      <Problem
        error={found.error}
        title="The policies could not be read"
        onRetry={() => void found.refetch()}
      />
    );
  if (found.data === undefined) return <Spinner label="Asking for the policies" />;
  return (
    <>
      <div>
        <PageButton to="/vaults/$group/$vault/new-policy" params={vaultParams(at)} icon={<AddRegular />}>
          Add
        </PageButton>
      </div>
      <PlainTable
        label="Backup policies"
        columns={['Name', 'Sub type', 'Schedule', 'Retention', 'Instant restore', 'Consistency', 'Items']}
        minWidth="60rem"
      >
        {found.data.map((policy) => (
          <tr key={policy.id}>
            <td>
              <PageLink
                to="/vaults/$group/$vault/policies/$policy"
                params={{ ...vaultParams(at), policy: policy.name }}
              >
                {policy.name}
              </PageLink>
            </td>
            <td>{policy.properties.policyType === 'V2' ? 'Enhanced' : 'Standard'}</td>
            <td>{scheduleWords(policy)}</td>
            <td>{retentionWords(policy)}</td>
            <td>{policy.properties.instantRpRetentionRangeInDays} days</td>
            <td>
              {policy.properties.snapshotConsistencyType === 'OnlyCrashConsistent'
                ? 'Only crash consistent'
                : 'Application or file-system consistent'}
            </td>
            <td>
              <PageLink
                to="/vaults/$group/$vault/policies/$policy"
                params={{ ...vaultParams(at), policy: policy.name }}
                search={{ tab: 'items' }}
              >
                {policy.properties.protectedItemsCount.toLocaleString()}
              </PageLink>
            </td>
          </tr>
        ))}
      </PlainTable>
    </>
  );
}
