import { Button, Field, Select } from '@fluentui/react-components';
import { AddRegular } from '@fluentui/react-icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { RoleAssignment } from '../../../../src/api/client/browser.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { useWholeList } from '../../api/whole-list.ts';
import { AskDialog } from '../../parts/ask-dialog.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Empty } from '../../parts/empty.tsx';
import { Page } from '../../parts/page.tsx';
import { Time } from '../../parts/time.tsx';
import { RoleFields, type RoleGrant, scopeWords } from './role-fields.tsx';

const subscription = async () => `/subscriptions/${await client.subscriptionId()}`;

/** Names of users and clients by their principals' ids; empty for whoever may not see them. */
function usePrincipals(): { id: string; text: string }[] {
  const people = useQuery({ queryKey: keys.people, queryFn: () => client.people.list() });
  const clients = useQuery({ queryKey: keys.clients, queryFn: () => client.clients.list() });
  return [
    ...(people.data ?? []).map(({ name, properties }) => ({
      id: properties.principalId,
      text: `${name} (user)`,
    })),
    ...(clients.data ?? []).map(({ name, properties }) => ({
      id: properties.clientId,
      text: `${name} (client)`,
    })),
  ];
}

/** Who may do what, and where. */
export function RolesPage() {
  const principals = usePrincipals();
  const nameOf = (id: string) => principals.find((principal) => principal.id === id)?.text ?? id;
  const source = useWholeList(keys.roles, async () => client.roles.list(await subscription()));
  const columns: Column<RoleAssignment>[] = [
    { key: 'who', title: 'Who', render: ({ properties }) => nameOf(properties.principalId) },
    { key: 'role', title: 'Role', render: ({ properties }) => properties.holdfast.role },
    {
      key: 'scope',
      title: 'Scope',
      render: ({ properties: { scope } }) => <span title={scope}>{scopeWords(scope)}</span>,
    },
    { key: 'since', title: 'Since', render: ({ properties }) => <Time at={properties.createdOn} /> },
    {
      key: 'actions',
      title: 'Actions',
      render: (assignment) => (
        <RemoveRole assignment={assignment} who={nameOf(assignment.properties.principalId)} />
      ),
    },
  ];
  return (
    <Page title="Role assignments" fill commands={<AssignRole principals={principals} />}>
      <DataTable
        id="roles"
        label="Role assignments"
        columns={columns}
        source={source}
        rowKey={(assignment) => assignment.id}
        empty={<Empty title="Nobody has a role">Give one with the button above.</Empty>}
      />
    </Page>
  );
}

function AssignRole({ principals }: { principals: { id: string; text: string }[] }) {
  const queries = useQueryClient();
  const [principalId, setPrincipalId] = useState('');
  const [grant, setGrant] = useState<RoleGrant>({ role: 'Reader' });
  const assign = async () => {
    await client.roles.assign(grant.scope ?? (await subscription()), {
      properties: { roleDefinitionId: grant.role, principalId },
    });
    setPrincipalId('');
    await queries.invalidateQueries({ queryKey: keys.roles });
  };
  return (
    <AskDialog
      trigger={
        <Button appearance="subtle" icon={<AddRegular />}>
          Role assignment
        </Button>
      }
      title="Give a role"
      confirm="Give"
      isReady={principalId !== ''}
      onConfirm={assign}
    >
      <Field label="User or client" required>
        <Select value={principalId} onChange={(_event, { value }) => setPrincipalId(value)}>
          <option value="">Choose</option>
          {principals.map(({ id, text }) => (
            <option key={id} value={id}>
              {text}
            </option>
          ))}
        </Select>
      </Field>
      <RoleFields value={grant} onChange={setGrant} />
    </AskDialog>
  );
}

function RemoveRole({ assignment, who }: { assignment: RoleAssignment; who: string }) {
  const queries = useQueryClient();
  const { holdfast, scope } = assignment.properties;
  const remove = async () => {
    await client.roles.remove(assignment.id);
    await queries.invalidateQueries({ queryKey: keys.roles });
  };
  return (
    <AskDialog
      trigger={
        <Button size="small" appearance="subtle" aria-label={`Remove ${holdfast.role} from ${who}`}>
          Remove
        </Button>
      }
      title={`Remove the role from ${who}`}
      confirm="Remove"
      onConfirm={remove}
    >
      <p>
        {who} is no longer {holdfast.role}: {scopeWords(scope)}. This counts from the next request on.
      </p>
    </AskDialog>
  );
}
