import { Button, Spinner, Switch } from '@fluentui/react-components';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import type { Alert } from '../../../../src/api/client/browser.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { AskDialog } from '../../parts/ask-dialog.tsx';
import { Empty } from '../../parts/empty.tsx';
import { Page } from '../../parts/page.tsx';
import { PlainTable } from '../../parts/plain-table.tsx';
import { Problem } from '../../parts/problem.tsx';
import { Status } from '../../parts/status.tsx';
import { Time } from '../../parts/time.tsx';
import { alertWords } from './alert-words.ts';

const route = getRouteApi('/alerts');

/** What somebody should look at, until it is over. */
export function AlertsPage() {
  const { all = false } = route.useSearch();
  const navigate = route.useNavigate();
  const found = useQuery({ queryKey: keys.alerts(all), queryFn: () => client.alerts.list({ all }) });
  return (
    <Page
      title="Alerts"
      commands={
        <Switch
          label="Also those that are over"
          checked={all}
          onChange={(_event, { checked }) =>
            void navigate({ search: checked ? { all: true } : {}, replace: true })
          }
        />
      }
    >
      {found.error !== null && (
        <Problem
          error={found.error}
          title="The alerts could not be read"
          onRetry={() => void found.refetch()}
        />
      )}
      {found.isPending && <Spinner label="Asking for the alerts" />}
      {found.data?.length === 0 && (
        <Empty title="There are no alerts">
          The service looks three times a minute, and at its hosts every five minutes.
        </Empty>
      )}
      {found.data !== undefined && found.data.length > 0 && <Alerts alerts={found.data} />}
    </Page>
  );
}

function Alerts({ alerts }: { alerts: readonly Alert[] }) {
  return (
    <PlainTable
      label="Alerts"
      columns={['Alert', 'About', 'What is wrong, and what to do', 'Since', 'State']}
      minWidth="56rem"
    >
      {alerts.map((alert) => {
        const { kind, severity, target, message, action, firedAt, state } = alert.properties;
        return (
          <tr key={alert.id}>
            <td>
              <Status tone={severity === 'Warning' ? 'warning' : 'bad'}>{alertWords[kind]}</Status>
              <div>{severity}</div>
            </td>
            <td>{target}</td>
            <td>
              {message}
              <div>{action}</div>
            </td>
            <td>
              <Time at={firedAt} />
            </td>
            <td>
              {state}
              <div>
                <Dismiss alert={alert} />
              </div>
            </td>
          </tr>
        );
      })}
    </PlainTable>
  );
}

function Dismiss({ alert: { id, properties } }: { alert: Alert }) {
  const queries = useQueryClient();
  if (properties.state !== 'Open') return null;
  const what = `${alertWords[properties.kind]}, ${properties.target}`;
  const dismiss = async () => {
    await client.alerts.dismiss(id);
    await Promise.all(['alerts', 'overview'].map((kind) => queries.invalidateQueries({ queryKey: [kind] })));
  };
  return (
    <AskDialog
      trigger={
        <Button size="small" appearance="subtle" aria-label={`Dismiss ${what}`}>
          Dismiss
        </Button>
      }
      title={`Dismiss “${what}”`}
      confirm="Dismiss"
      onConfirm={dismiss}
    >
      <p>
        It is not shown any more while this goes on. When it comes again after it was over, that is another
        alert.
      </p>
    </AskDialog>
  );
}
