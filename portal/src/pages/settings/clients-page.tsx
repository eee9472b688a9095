import {
  Button,
  Field,
  Input,
  MessageBar,
  MessageBarBody,
  MessageBarTitle,
} from '@fluentui/react-components';
import { AddRegular } from '@fluentui/react-icons';
import { useQueryClient } from '@tanstack/react-query';
import { useBlocker } from '@tanstack/react-router';
import { useState } from 'react';
import type { Client, ClientSecret } from '../../../../src/api/client/browser.ts';
import { client as api } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { useWholeList } from '../../api/whole-list.ts';
import { AskDialog } from '../../parts/ask-dialog.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Empty } from '../../parts/empty.tsx';
import { Essentials } from '../../parts/essentials.tsx';
import { Page } from '../../parts/page.tsx';
import { Time } from '../../parts/time.tsx';
import { RoleFields, type RoleGrant } from './role-fields.tsx';

/** Programs that sign in with a secret. */
export function ClientsPage() {
  const [made, setMade] = useState<ClientSecret>();
  const source = useWholeList(keys.clients, () => api.clients.list());
  const columns: Column<Client>[] = [
    { key: 'name', title: 'Name', render: (client) => client.name },
    {
      key: 'id',
      title: 'Client id',
      grow: 2,
      render: ({ properties }) => <code>{properties.clientId}</code>,
    },
    { key: 'created', title: 'Since', render: ({ properties }) => <Time at={properties.createdAt} /> },
    {
      key: 'actions',
      title: 'Actions',
      grow: 1.5,
      render: (client) => (
        <>
          <RotateSecret client={client} onMade={setMade} />
          <DeleteClient client={client} />
        </>
      ),
    },
  ];
  return (
    <Page title="Clients" fill commands={<AddClient onMade={setMade} />}>
      {made !== undefined && <Secret made={made} onKept={() => setMade(undefined)} />}
      <DataTable
        id="clients"
        label="Clients"
        columns={columns}
        source={source}
        rowKey={(client) => client.id}
        empty={
          <Empty title="There is no client">
            Programs, such as Azure's SDKs, Terraform and scripts, call the service as clients. Add one for
            each.
          </Empty>
        }
      />
    </Page>
  );
}

/** What a program needs; the service does not tell the secret again. */
function Secret({ made, onKept }: { made: ClientSecret; onKept(): void }) {
  useBlocker({
    shouldBlockFn: () => !window.confirm('The secret is not shown again. Leave without having kept it?'),
    enableBeforeUnload: true,
  });
  const { tenantId, clientId, clientSecret, subscriptionId, endpoint } = made.credentials;
  const entries: [string, string][] = [
    ['Client secret', clientSecret],
    ['Client id', clientId],
    ['Tenant id', tenantId],
    ['Subscription id', subscriptionId],
    ['Endpoint', endpoint],
  ];
  return (
    <>
      <MessageBar intent="warning" layout="multiline">
        <MessageBarBody>
          <MessageBarTitle>Keep the secret of {made.name} now.</MessageBarTitle> It is shown this once.
        </MessageBarBody>
      </MessageBar>
      <Essentials
        entries={entries.map(([title, text]) => [title, <code key={title}>{text}</code>] as const)}
      />
      <div>
        <Button onClick={onKept}>I have kept it</Button>
      </div>
    </>
  );
}

function AddClient({ onMade }: { onMade(made: ClientSecret): void }) {
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [grant, setGrant] = useState<RoleGrant>({ role: 'Reader' });
  const add = async () => {
    onMade(await api.clients.create(name, { properties: grant }));
    setName('');
    await queries.invalidateQueries({ queryKey: keys.clients });
  };
  return (
    <AskDialog
      trigger={
        <Button appearance="subtle" icon={<AddRegular />}>
          Client
        </Button>
      }
      title="Add a client"
      confirm="Add"
      isReady={name !== ''}
      onConfirm={add}
    >
      <Field label="Client name" required>
        <Input value={name} autoComplete="off" onChange={(_event, { value }) => setName(value)} />
      </Field>
      <RoleFields value={grant} onChange={setGrant} />
    </AskDialog>
  );
}

function RotateSecret({ client, onMade }: { client: Client; onMade(made: ClientSecret): void }) {
  return (
    <AskDialog
      trigger={
        <Button size="small" appearance="subtle" aria-label={`New secret for ${client.name}`}>
          New secret
        </Button>
      }
      title={`New secret for ${client.name}`}
      confirm="Make a new secret"
      onConfirm={async () => onMade(await api.clients.rotateSecret(client.name))}
    >
      <p>The old secret, and the tokens that were got with it, are void at once.</p>
    </AskDialog>
  );
}

function DeleteClient({ client }: { client: Client }) {
  const queries = useQueryClient();
  const remove = async () => {
    await api.clients.delete(client.name);
    await queries.invalidateQueries({ queryKey: keys.clients });
  };
  return (
    <AskDialog
      trigger={
        <Button size="small" appearance="subtle" aria-label={`Delete ${client.name}`}>
          Delete
        </Button>
      }
      title={`Delete client ${client.name}`}
      confirm="Delete"
      onConfirm={remove}
    >
      <p>Its roles and its tokens end at once.</p>
    </AskDialog>
  );
}
