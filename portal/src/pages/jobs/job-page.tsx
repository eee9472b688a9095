import { Button, Spinner, Subtitle1 } from '@fluentui/react-components';
import { ArrowSyncRegular, DismissRegular } from '@fluentui/react-icons';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import type { Job } from '../../../../src/api/client/browser.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { Essentials } from '../../parts/essentials.tsx';
import { formatSeconds, secondsOf, spaced } from '../../parts/format.ts';
import { Page } from '../../parts/page.tsx';
import { Problem } from '../../parts/problem.tsx';
import { StateStatus } from '../../parts/status.tsx';
import { Time } from '../../parts/time.tsx';
import { JobErrors } from './job-errors.tsx';
import { JobTasks } from './job-tasks.tsx';

const route = getRouteApi('/vaults/$group/$vault/jobs/$job');

/** One job: what it is about, its phases with their figures, why it failed. */
export function JobPage() {
  const { group, vault, job: id } = route.useParams();
  const at = { resourceGroup: group, vault };
  const queries = useQueryClient();
  const found = useQuery({ queryKey: keys.job(id), queryFn: () => client.jobs.get(at, id) });
  const cancel = useMutation({
    mutationFn: () => client.jobs.cancel(at, id),
    onSettled: () => queries.invalidateQueries({ queryKey: keys.job(id) }),
  });
  const job = found.data;
  const canCancel = job?.properties.actionsInfo?.includes('Cancellable') === true;
  return (
    <Page
      title={
        job === undefined
          ? 'Job'
          : `${spaced(job.properties.operation)}: ${job.properties.entityFriendlyName}`
      }
      kind="Job"
      crumbs={[
        { text: 'Vaults', to: '/vaults' },
        { text: vault, to: `/vaults/${encodeURIComponent(group)}/${encodeURIComponent(vault)}` },
        {
          text: 'Jobs',
          to: `/vaults/${encodeURIComponent(group)}/${encodeURIComponent(vault)}?tab=jobs&period=all`,
        },
      ]}
      commands={
        <>
          <Button
            appearance="subtle"
            icon={<DismissRegular />}
            disabled={!canCancel || cancel.isPending}
            onClick={() => cancel.mutate()}
          >
            Cancel
          </Button>
          <Button appearance="subtle" icon={<ArrowSyncRegular />} onClick={() => void found.refetch()}>
            Refresh
          </Button>
        </>
      }
    >
      {cancel.error !== null && <Problem error={cancel.error} title="The job was not cancelled" />}
      {found.error !== null && (
        <Problem error={found.error} title="The job could not be read" onRetry={() => void found.refetch()} />
      )}
      {found.isPending && <Spinner label="Asking for the job" />}
      {job !== undefined && <JobBody job={job} />}
    </Page>
  );
}

function JobBody({ job }: { job: Job }) {
  const { properties } = job;
  return (
    <>
      <Essentials
        entries={[
          ['Workload name', properties.entityFriendlyName],
          ['Status', <StateStatus key="status" state={properties.status} />],
          ['Operation', spaced(properties.operation)],
          ['Type', properties.isUserTriggered ? 'On demand' : 'Scheduled'],
          ['Start time', <Time key="start" at={properties.startTime} />],
          ['End time', properties.endTime && <Time key="end" at={properties.endTime} />],
          ['Duration', formatSeconds(secondsOf(properties.duration))],
          ['Job id', <code key="id">{job.name}</code>],
        ]}
      />
      <JobErrors errors={properties.errorDetails ?? []} />
      {properties.extendedInfo !== undefined && (
        <>
          <Subtitle1 as="h2">Sub tasks</Subtitle1>
          <JobTasks tasks={properties.extendedInfo.tasksList} />
          {Object.keys(properties.extendedInfo.propertyBag).length > 0 && (
            <>
              <Subtitle1 as="h2">Details</Subtitle1>
              <Essentials entries={Object.entries(properties.extendedInfo.propertyBag)} />
            </>
          )}
        </>
      )}
    </>
  );
}
