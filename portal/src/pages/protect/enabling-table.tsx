import { Button, makeStyles, Subtitle1, tokens } from '@fluentui/react-components';
import { useQuery } from '@tanstack/react-query';
import type { VaultAddress } from '../../../../src/api/client/browser.ts';
import { itemParams, vaultParams } from '../../api/addresses.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { counted } from '../../parts/format.ts';
import { PageButton, PageLink } from '../../parts/links.tsx';
import { PlainTable } from '../../parts/plain-table.tsx';
import { Problem } from '../../parts/problem.tsx';
import { StateStatus, Status } from '../../parts/status.tsx';
import { JobErrors } from '../jobs/job-errors.tsx';
import type { Candidate } from './candidates.ts';
import type { Enabling, Progress } from './use-enabling.ts';

/** Should the stream of changes be interrupted, jobs under way are asked for this often. */
const askAgainMs = 5_000;

const useStyles = makeStyles({ buttons: { display: 'flex', columnGap: tokens.spacingHorizontalS } });

/** How far each VM has come whose backup is being enabled. */
export function EnablingTable({ enabling, onMore }: { enabling: Enabling; onMore(): void }) {
  const styles = useStyles();
  const { at, machines, progress } = enabling;
  const isAsking = progress.size < machines.length;
  return (
    <>
      <Subtitle1 as="h2">
        Asked for {progress.size} of {counted(machines.length, 'VM')}
      </Subtitle1>
      <PlainTable label="Progress" columns={['Name', 'Enable backup', 'Details']}>
        {machines.map((machine) => (
          <Row key={machine.id} at={at} machine={machine} progress={progress.get(machine.id)} />
        ))}
      </PlainTable>
      <div className={styles.buttons}>
        <PageButton
          appearance="primary"
          to="/vaults/$group/$vault"
          params={vaultParams(at)}
          search={{ tab: 'items' }}
        >
          Go to the backup items
        </PageButton>
        <Button disabled={isAsking} onClick={onMore}>
          Protect more VMs
        </Button>
      </div>
    </>
  );
}

interface RowProps {
  at: VaultAddress;
  machine: Candidate;
  progress: Progress | undefined;
}

function Row({ at, machine, progress }: RowProps) {
  const { jobId = '', error } = progress ?? {};
  const found = useQuery({
    queryKey: keys.job(jobId),
    queryFn: () => client.jobs.get(at, jobId),
    enabled: jobId !== '',
    refetchInterval: ({ state }) => (state.data?.properties.endTime === undefined ? askAgainMs : false),
  });
  const job = found.data?.properties;
  return (
    <tr>
      <td>{machine.name}</td>
      <td>
        {error !== undefined ? (
          <Status tone="bad">Refused</Status>
        ) : progress === undefined ? (
          <Status tone="neutral">Waiting</Status>
        ) : (
          <StateStatus state={job?.status ?? 'InProgress'} />
        )}
      </td>
      <td>
        {error !== undefined && <Problem error={error} />}
        {found.error !== null && <Problem error={found.error} onRetry={() => void found.refetch()} />}
        {job?.errorDetails !== undefined && <JobErrors errors={job.errorDetails} />}
        {jobId !== '' && (
          <>
            <PageLink to="/vaults/$group/$vault/jobs/$job" params={{ ...vaultParams(at), job: jobId }}>
              Job
            </PageLink>{' '}
            <PageLink
              to="/vaults/$group/$vault/items/$vmGroup/$vm"
              params={itemParams({ ...at, vm: machine.name, vmResourceGroup: machine.group })}
            >
              Backup item
            </PageLink>
          </>
        )}
      </td>
    </tr>
  );
}
