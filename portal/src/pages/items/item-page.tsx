import {
  Button,
  MessageBar,
  MessageBarBody,
  MessageBarTitle,
  Spinner,
  Subtitle1,
} from '@fluentui/react-components';
import { ArrowSyncRegular, HistoryRegular } from '@fluentui/react-icons';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import type { ItemAddress, ProtectedItem } from '../../../../src/api/client/browser.ts';
import { itemParams, vaultParams } from '../../api/addresses.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { Essentials } from '../../parts/essentials.tsx';
import { spaced } from '../../parts/format.ts';
import { PageButton, PageLink } from '../../parts/links.tsx';
import { Page } from '../../parts/page.tsx';
import { Problem } from '../../parts/problem.tsx';
import { StateStatus, Status } from '../../parts/status.tsx';
import { Time } from '../../parts/time.tsx';
import { BackupNow } from './backup-now.tsx';
import { stateOf } from './item-state.ts';
import { RecoveryPoints } from './recovery-points.tsx';
import { ReviveItem } from './revive-item.tsx';
import { StopBackup } from './stop-backup.tsx';

const route = getRouteApi('/vaults/$group/$vault/items/$vmGroup/$vm');

/** One backup item: how it is protected, what can be done with it, and its recovery points. */
export function ItemPage() {
  const { group, vault, vmGroup, vm } = route.useParams();
  const at: ItemAddress = { resourceGroup: group, vault, vmResourceGroup: vmGroup, vm };
  const found = useQuery({ queryKey: keys.item(at), queryFn: () => client.items.get(at) });
  const item = found.data;
  const vaultPage = `/vaults/${encodeURIComponent(group)}/${encodeURIComponent(vault)}`;
  return (
    <Page
      title={vm}
      kind="Backup item"
      crumbs={[
        { text: 'Vaults', to: '/vaults' },
        { text: vault, to: vaultPage },
        { text: 'Backup items', to: `${vaultPage}?tab=items` },
      ]}
      commands={
        <>
          {item !== undefined && (
            <>
              <BackupNow at={at} item={item} />
              {item.properties.holdfast.recoveryPoints > 0 && (
                <PageButton
                  to="/vaults/$group/$vault/items/$vmGroup/$vm/restore"
                  params={itemParams(at)}
                  appearance="subtle"
                  icon={<HistoryRegular />}
                >
                  Restore VM
                </PageButton>
              )}
              <StopBackup at={at} item={item} />
              <ReviveItem at={at} item={item} />
            </>
          )}
          <Button appearance="subtle" icon={<ArrowSyncRegular />} onClick={() => void found.refetch()}>
            Refresh
          </Button>
        </>
      }
    >
      {found.error !== null && (
        <Problem
          error={found.error}
          title="The item could not be read"
          onRetry={() => void found.refetch()}
        />
      )}
      {found.isPending && <Spinner label="Asking for the item" />}
      {item !== undefined && <Body at={at} item={item} />}
    </Page>
  );
}

function Body({ at, item }: { at: ItemAddress; item: ProtectedItem }) {
  const { properties } = item;
  const { holdfast } = properties;
  const never = properties.lastBackupStatus === '';
  return (
    <>
      <Essentials
        entries={[
          ['Protection', <StateStatus key="state" state={stateOf(item)} />],
          [
            'Virtual machine',
            <PageLink key="vm" to="/machines/$group/$vm" params={{ group: at.vmResourceGroup, vm: at.vm }}>
              {properties.friendlyName}
            </PageLink>,
          ],
          [
            'Policy',
            properties.policyName && (
              <PageLink
                key="policy"
                to="/vaults/$group/$vault"
                params={vaultParams(at)}
                search={{ tab: 'policies' }}
              >
                {properties.policyName} ({properties.policyType === 'V2' ? 'Enhanced' : 'Standard'})
              </PageLink>
            ),
          ],
          [
            'Last backup status',
            never ? 'None yet' : <StateStatus key="last" state={properties.lastBackupStatus} />,
          ],
          ['Last backup time', never ? undefined : <Time key="time" at={properties.lastBackupTime} />],
          [
            'Next backup',
            holdfast.nextBackup && (
              <>
                <Time at={holdfast.nextBackup} /> (<Time at={holdfast.nextBackup} relative />)
              </>
            ),
          ],
          [
            'Backup pre-check',
            <Status key="check" tone={properties.healthStatus === 'Passed' ? 'good' : 'warning'}>
              {spaced(properties.healthStatus)}
            </Status>,
          ],
          ['Recovery points', holdfast.recoveryPoints.toLocaleString()],
          [
            'Excluded disks',
            holdfast.excludedDisks.length === 0 ? 'None' : holdfast.excludedDisks.join(', '),
          ],
          ['Host', holdfast.host],
          ['Removed for good after', holdfast.purgeAt && <Time key="purge" at={holdfast.purgeAt} />],
        ]}
      />
      {properties.protectionStatus.startsWith('Unhealthy') && (
        <MessageBar intent="error" layout="multiline">
          <MessageBarBody>
            <MessageBarTitle>The last backup failed.</MessageBarTitle>{' '}
            {properties.protectionStatus.replace(/^Unhealthy: /, '')}
          </MessageBarBody>
        </MessageBar>
      )}
      {properties.healthStatus !== 'Passed' &&
        properties.healthDetails.map(({ title, message, recommendations }) => (
          <MessageBar key={title} intent="warning" layout="multiline">
            <MessageBarBody>
              <MessageBarTitle>
                <code>{title}</code>
              </MessageBarTitle>{' '}
              {message} {recommendations.join(' ')}
            </MessageBarBody>
          </MessageBar>
        ))}
      <Subtitle1 as="h2">Recovery points</Subtitle1>
      <RecoveryPoints at={at} />
    </>
  );
}
