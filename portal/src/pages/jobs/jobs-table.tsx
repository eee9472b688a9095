import type { Job } from '../../../../src/api/client/browser.ts';
import { vaultOf, vaultParams } from '../../api/addresses.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { useRows } from '../../api/lists.ts';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Empty } from '../../parts/empty.tsx';
import { ChoiceFilter, TextFilter } from '../../parts/filters.tsx';
import { formatSeconds, secondsOf, spaced } from '../../parts/format.ts';
import { PageLink } from '../../parts/links.tsx';
import { StateStatus } from '../../parts/status.tsx';
import { Time } from '../../parts/time.tsx';
import { type JobSearch, jobQuery, operations, periods, statuses } from './job-search.ts';

const columns: Column<Job>[] = [
  {
    key: 'name',
    title: 'Workload name',
    grow: 2,
    render: (job) => (
      <PageLink
        to="/vaults/$group/$vault/jobs/$job"
        params={{ ...vaultParams(vaultOf(job.id)), job: job.name }}
        title={job.properties.entityFriendlyName}
      >
        {job.properties.entityFriendlyName}
      </PageLink>
    ),
  },
  { key: 'operation', title: 'Operation', grow: 1.5, render: (job) => spaced(job.properties.operation) },
  {
    key: 'status',
    title: 'Status',
    grow: 1.5,
    render: (job) => <StateStatus state={job.properties.status} />,
  },
  {
    key: 'type',
    title: 'Type',
    grow: 1.2,
    render: (job) => (job.properties.isUserTriggered ? 'On demand' : 'Scheduled'),
  },
  { key: 'start', title: 'Start time', grow: 1.6, render: (job) => <Time at={job.properties.startTime} /> },
  {
    key: 'duration',
    title: 'Duration',
    align: 'end',
    render: (job) => formatSeconds(secondsOf(job.properties.duration)),
  },
  { key: 'vault', title: 'Vault', render: (job) => vaultOf(job.id).vault },
  {
    key: 'error',
    title: 'Error',
    hidden: true,
    grow: 2,
    render: (job) => job.properties.errorDetails?.[0]?.errorTitle ?? '',
  },
];

interface JobsTableProps {
  /** Only jobs of this vault. */
  vaultId?: string;
  search: JobSearch;
  onSearch(change: Partial<JobSearch>): void;
}

/** Jobs, newest first, live. */
export function JobsTable({ vaultId, search, onSearch }: JobsTableProps) {
  const query = { search, vaultId };
  const source = useRows(keys.jobs(query), (next) => client.estate.jobs(jobQuery(search, vaultId), next));
  const shown = vaultId === undefined ? columns : columns.filter((column) => column.key !== 'vault');
  return (
    <DataTable
      id="jobs"
      label="Backup jobs"
      columns={shown}
      source={source}
      rowKey={(job) => job.name}
      filters={
        <>
          <TextFilter label="Workload name" value={search.name} onChange={(name) => onSearch({ name })} />
          <ChoiceFilter
            label="Status"
            value={search.status}
            choices={statuses.map((status) => [status, spaced(status)] as const)}
            onChange={(status) => onSearch({ status })}
          />
          <ChoiceFilter
            label="Operation"
            value={search.operation}
            choices={operations.map((operation) => [operation, spaced(operation)] as const)}
            onChange={(operation) => onSearch({ operation })}
          />
          <ChoiceFilter
            label="Started"
            all="Last 24 hours"
            value={search.period === '24h' ? undefined : search.period}
            choices={[
              ...periods.slice(1).map(([period, text]) => [period, text] as const),
              ['all', 'At any time'],
            ]}
            onChange={(period) => onSearch({ period })}
          />
        </>
      }
      empty={
        <Empty title="No jobs">
          {search.period === 'all'
            ? 'Nothing matches the filters.'
            : 'Nothing ran in this time that matches the filters. Choose a longer time to see more.'}
        </Empty>
      }
    />
  );
}
