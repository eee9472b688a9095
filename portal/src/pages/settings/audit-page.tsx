import { Button, MessageBar, MessageBarBody } from '@fluentui/react-components';
import { ShieldCheckmarkRegular } from '@fluentui/react-icons';
import { useMutation } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { type AuditEntry, auditStatuses } from '../../../../src/api/client/browser.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { useRows } from '../../api/lists.ts';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Empty } from '../../parts/empty.tsx';
import { ChoiceFilter, TextFilter } from '../../parts/filters.tsx';
import { counted } from '../../parts/format.ts';
import { Page } from '../../parts/page.tsx';
import { Problem } from '../../parts/problem.tsx';
import { Status, type Tone } from '../../parts/status.tsx';
import { Time } from '../../parts/time.tsx';
import { auditQuery } from './audit-search.ts';

const route = getRouteApi('/audit');

const tones: Record<AuditEntry['properties']['status'], Tone> = {
  Started: 'busy',
  Succeeded: 'good',
  Failed: 'bad',
  Refused: 'warning',
};

const columns: Column<AuditEntry>[] = [
  { key: 'time', title: 'Time', grow: 1.6, render: ({ properties }) => <Time at={properties.time} /> },
  { key: 'who', title: 'Who', render: ({ properties }) => properties.principalName },
  {
    key: 'action',
    title: 'What',
    grow: 2.5,
    render: ({ properties }) => <span title={properties.action}>{afterProvider(properties.action)}</span>,
  },
  {
    key: 'resource',
    title: 'Resource',
    grow: 2,
    render: ({ properties }) => <span title={properties.resource}>{lastOf(properties.resource)}</span>,
  },
  {
    key: 'status',
    title: 'Outcome',
    render: ({ properties: { status } }) => <Status tone={tones[status]}>{status}</Status>,
  },
  { key: 'http', title: 'HTTP', hidden: true, render: ({ properties }) => properties.httpStatus ?? '' },
  { key: 'address', title: 'Address', render: ({ properties }) => properties.address },
  {
    key: 'request',
    title: 'Request id',
    hidden: true,
    grow: 2,
    render: ({ properties }) => <code>{properties.requestId}</code>,
  },
  {
    key: 'hash',
    title: 'Hash',
    hidden: true,
    grow: 2,
    render: ({ properties }) => <code>{properties.hash}</code>,
  },
];

/** The provider before it is long, and nearly always the same. */
const afterProvider = (action: string) => action.replace(/^[A-Za-z]+\.[A-Za-z]+\//, '');
const lastOf = (id: string) => id.slice(id.lastIndexOf('/') + 1);

/** Who has written what, newest first. */
export function AuditPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const change = (next: typeof search) =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace: true });
  const source = useRows(keys.audit(search), (next) => client.audit.page(auditQuery(search), next));
  const verify = useMutation({ mutationFn: () => client.audit.verify() });
  return (
    <Page
      title="Audit log"
      fill
      commands={
        <>
          <Button appearance="subtle" onClick={source.retry}>
            Refresh
          </Button>
          <Button
            appearance="subtle"
            icon={<ShieldCheckmarkRegular />}
            disabled={verify.isPending}
            onClick={() => verify.mutate()}
          >
            Verify
          </Button>
        </>
      }
    >
      {verify.error !== null && <Problem error={verify.error} title="The log could not be verified" />}
      {verify.data !== undefined && (
        <MessageBar intent={verify.data.intact ? 'success' : 'error'} layout="multiline">
          <MessageBarBody>
            {verify.data.intact
              ? `${counted(verify.data.entries, 'line')}: none was changed or taken out.`
              : `Line ${verify.data.brokenAt ?? 0} was changed or taken out.`}
          </MessageBarBody>
        </MessageBar>
      )}
      <DataTable
        id="audit"
        label="Audit log"
        columns={columns}
        source={source}
        rowKey={(entry) => entry.name}
        filters={
          <>
            <TextFilter label="Who (whole name)" value={search.who} onChange={(who) => change({ who })} />
            <ChoiceFilter
              label="Outcome"
              value={search.status}
              choices={auditStatuses.map((status) => [status, status] as const)}
              onChange={(status) => change({ status })}
            />
            <TextFilter
              label="Request id"
              value={search.request}
              onChange={(request) => change({ request })}
            />
          </>
        }
        empty={<Empty title="No lines">Nothing in the log matches the filters.</Empty>}
      />
    </Page>
  );
}
