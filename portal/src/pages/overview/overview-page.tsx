import { Button, makeStyles, Spinner, Subtitle1, tokens } from '@fluentui/react-components';
import { AddRegular, ArrowSyncRegular } from '@fluentui/react-icons';
import { useQuery } from '@tanstack/react-query';
import type { Attention, Overview } from '../../../../src/api/client/browser.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { Empty } from '../../parts/empty.tsx';
import { counted, formatBytes } from '../../parts/format.ts';
import { PageButton, PageLink } from '../../parts/links.tsx';
import { Page } from '../../parts/page.tsx';
import { Problem } from '../../parts/problem.tsx';
import { Status } from '../../parts/status.tsx';
import { Figure, Tile, Tiles } from '../../parts/tile.tsx';
import { Time } from '../../parts/time.tsx';
import { alertWords } from '../alerts/alert-words.ts';
import { AttentionLink } from './attention-link.tsx';

const useStyles = makeStyles({
  list: { listStyleType: 'none', margin: 0, padding: 0 },
  entry: {
    display: 'grid',
    gridTemplateColumns: 'minmax(9rem, 14rem) minmax(8rem, 14rem) minmax(0, 1fr)',
    columnGap: tokens.spacingHorizontalL,
    padding: `${tokens.spacingVerticalS} 0`,
    borderBottom: `1px solid ${tokens.colorNeutralStroke2}`,
    '@media (max-width: 640px)': { gridTemplateColumns: 'minmax(0, 1fr)' },
  },
  message: { overflowWrap: 'anywhere' },
  quiet: { color: tokens.colorNeutralForeground3 },
});

/** Refreshed by events; this is for what no event tells of, hosts that do not answer for example. */
const lookAgainMs = 60_000;

/** Whether all is well, in one look. */
export function OverviewPage() {
  const found = useQuery({
    queryKey: keys.overview,
    queryFn: () => client.estate.overview(),
    refetchInterval: lookAgainMs,
  });
  return (
    <Page
      title="Overview"
      commands={
        <>
          <PageButton to="/vaults/new" appearance="subtle" icon={<AddRegular />}>
            Vault
          </PageButton>
          <Button appearance="subtle" icon={<ArrowSyncRegular />} onClick={() => void found.refetch()}>
            Refresh
          </Button>
        </>
      }
    >
      {found.error !== null && (
        <Problem
          error={found.error}
          title="The overview could not be read"
          onRetry={() => void found.refetch()}
        />
      )}
      {found.isPending && found.error === null && <Spinner label="Asking the service" />}
      {found.data !== undefined && <Body overview={found.data} />}
    </Page>
  );
}

function Body({ overview }: { overview: Overview }) {
  const styles = useStyles();
  const { virtualMachines, protectedItems, jobs, storage, hosts } = overview;
  const jobCount = (...statuses: string[]) =>
    statuses.reduce((sum, status) => sum + (jobs.byStatus[status] ?? 0), 0);
  const next = nextStep(overview);
  return (
    <>
      {next}
      <Tiles>
        <Tile title="Virtual machines">
          <Figure value={virtualMachines.protected}>
            <PageLink to="/machines" search={{ state: 'Protected' }}>
              Protected
            </PageLink>
          </Figure>
          <Figure value={virtualMachines.unprotected}>
            <PageLink to="/machines" search={{ state: 'NotProtected' }}>
              Not protected
            </PageLink>
          </Figure>
          <Figure value={hosts.total}>
            <PageLink to="/hosts">Hosts</PageLink>
          </Figure>
        </Tile>
        <Tile title="Jobs of the last 24 hours">
          <Figure value={jobCount('Completed')}>
            <PageLink to="/jobs" search={{ status: 'Completed' }}>
              Completed
            </PageLink>
          </Figure>
          <Figure value={jobCount('CompletedWithWarnings')}>
            <PageLink to="/jobs" search={{ status: 'CompletedWithWarnings' }}>
              With warnings
            </PageLink>
          </Figure>
          <Figure value={jobCount('Failed')}>
            <PageLink to="/jobs" search={{ status: 'Failed' }}>
              Failed
            </PageLink>
          </Figure>
          <Figure value={jobCount('InProgress', 'Cancelling')}>
            <PageLink to="/jobs" search={{ status: 'InProgress' }}>
              In progress
            </PageLink>
          </Figure>
        </Tile>
        <Tile title="Backup items">
          <Figure value={protectedItems.total}>
            <PageLink to="/items">All</PageLink>
          </Figure>
          <Figure value={protectedItems.byState.IRPending ?? 0}>
            <PageLink to="/items" search={{ state: 'IRPending' }}>
              Initial backup pending
            </PageLink>
          </Figure>
          <Figure value={protectedItems.failing}>
            <PageLink to="/items" search={{ status: 'Failed' }}>
              Failing
            </PageLink>
          </Figure>
        </Tile>
        <Tile title="Storage">
          <Figure value={formatBytes(storage.storedBytes)}>
            Used in <PageLink to="/vaults">{counted(storage.vaults, 'vault')}</PageLink>
          </Figure>
          <Figure value={formatBytes(Math.max(0, storage.uniqueBytes - storage.storedBytes))}>
            Saved by compression
          </Figure>
          <Figure value={storage.recoveryPoints.toLocaleString()}>Recovery points</Figure>
        </Tile>
      </Tiles>
      <Subtitle1 as="h2">Needs attention</Subtitle1>
      {overview.attention.length === 0 ? (
        <Status tone="good">Nothing needs attention.</Status>
      ) : (
        <ul className={styles.list}>
          {overview.attention.map((entry) => (
            <li key={entry.kind + entry.resourceId} className={styles.entry}>
              <Status tone={entry.severity === 'error' ? 'bad' : 'warning'}>{kinds[entry.kind]}</Status>
              <AttentionLink attention={entry} />
              <span className={styles.message}>{entry.message}</span>
            </li>
          ))}
        </ul>
      )}
      {overview.moreAttention > 0 && <p>And {overview.moreAttention.toLocaleString()} more.</p>}
      <p className={styles.quiet}>
        As of <Time at={overview.time} />
      </p>
    </>
  );
}

const kinds: Record<Attention['kind'], string> = {
  ...alertWords,
  BackupOverdue: 'Backup overdue',
  VaultNotReady: 'Vault not ready',
  SoftDeleted: 'Soft deleted',
};

/** What somebody who has just begun does next. */
function nextStep({ hosts, storage, virtualMachines, protectedItems }: Overview) {
  if (hosts.total === 0)
    return (
      <Empty title="Connect a host">
        No libvirt was found yet. The service finds the one of its own machine by itself; another is added
        with <code>holdfast host add NAME --uri URI</code>.
      </Empty>
    );
  if (storage.vaults === 0)
    return (
      <Empty
        title={`Found ${counted(virtualMachines.total, 'virtual machine')} on ${counted(hosts.total, 'host')}`}
        action={
          <PageButton to="/vaults/new" appearance="primary">
            Create a vault
          </PageButton>
        }
      >
        Create a vault to keep their backups in; then choose what to protect.
      </Empty>
    );
  if (protectedItems.total === 0 && virtualMachines.total > 0)
    return (
      <Empty
        title={`${counted(virtualMachines.total, 'virtual machine')}, none protected`}
        action={
          <PageButton to="/machines" appearance="primary">
            Choose what to protect
          </PageButton>
        }
      >
        A click protects a VM with the vault's default policy: every day, kept for 30 days.
      </Empty>
    );
  return null;
}
