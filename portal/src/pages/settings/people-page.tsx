import { Button, Field, Input } from '@fluentui/react-components';
import { AddRegular } from '@fluentui/react-icons';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { Person } from '../../../../src/api/client/browser.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { useWholeList } from '../../api/whole-list.ts';
import { AskDialog } from '../../parts/ask-dialog.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Empty } from '../../parts/empty.tsx';
import { Page } from '../../parts/page.tsx';
import { Time } from '../../parts/time.tsx';
import { RoleFields, type RoleGrant } from './role-fields.tsx';

const columns: Column<Person>[] = [
  { key: 'name', title: 'User name', render: (person) => person.name },
  {
    key: 'signs-in',
    title: 'Signs in',
    render: ({ properties }) => (properties.signsIn === 'here' ? 'Here' : 'At the OpenID Connect provider'),
  },
  { key: 'created', title: 'Since', render: ({ properties }) => <Time at={properties.createdAt} /> },
  {
    key: 'principal',
    title: 'Principal id',
    hidden: true,
    grow: 2,
    render: ({ properties }) => <code>{properties.principalId}</code>,
  },
  {
    key: 'actions',
    title: 'Actions',
    grow: 1.5,
    render: (person) => (
      <>
        {person.properties.signsIn === 'here' && <SetPassword person={person} />}
        <DeletePerson person={person} />
      </>
    ),
  },
];

/** Who may sign in. */
export function PeoplePage() {
  const source = useWholeList(keys.people, () => client.people.list());
  return (
    <Page title="Users" fill commands={<AddPerson />}>
      <DataTable
        id="people"
        label="Users"
        columns={columns}
        source={source}
        rowKey={(person) => person.id}
        empty={<Empty title="There is no user">Add one with the button above.</Empty>}
      />
    </Page>
  );
}

function PasswordField({ value, onChange }: { value: string; onChange(value: string): void }) {
  return (
    <Field label="Password" required hint="12 characters at least">
      <Input
        type="password"
        autoComplete="new-password"
        value={value}
        onChange={(_event, data) => onChange(data.value)}
      />
    </Field>
  );
}

function AddPerson() {
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [grant, setGrant] = useState<RoleGrant>({ role: 'Reader' });
  const add = async () => {
    await client.people.put(name, { properties: { password, ...grant } });
    setName('');
    setPassword('');
    await queries.invalidateQueries({ queryKey: keys.people });
  };
  return (
    <AskDialog
      trigger={
        <Button appearance="subtle" icon={<AddRegular />}>
          User
        </Button>
      }
      title="Add a user"
      confirm="Add"
      isReady={name !== '' && password !== ''}
      onConfirm={add}
    >
      <Field label="User name" required>
        <Input value={name} autoComplete="off" onChange={(_event, { value }) => setName(value)} />
      </Field>
      <PasswordField value={password} onChange={setPassword} />
      <RoleFields value={grant} onChange={setGrant} />
    </AskDialog>
  );
}

function SetPassword({ person }: { person: Person }) {
  const [password, setPassword] = useState('');
  const set = async () => {
    await client.people.put(person.name, { properties: { password } });
    setPassword('');
  };
  return (
    <AskDialog
      trigger={
        <Button size="small" appearance="subtle" aria-label={`Set password of ${person.name}`}>
          Set password
        </Button>
      }
      title={`Password of ${person.name}`}
      confirm="Set"
      isReady={password !== ''}
      onConfirm={set}
    >
      <p>All sessions of this user end.</p>
      <PasswordField value={password} onChange={setPassword} />
    </AskDialog>
  );
}

function DeletePerson({ person }: { person: Person }) {
  const queries = useQueryClient();
  const remove = async () => {
    await client.people.delete(person.name);
    await queries.invalidateQueries({ queryKey: keys.people });
  };
  return (
    <AskDialog
      trigger={
        <Button size="small" appearance="subtle" aria-label={`Delete ${person.name}`}>
          Delete
        </Button>
      }
      title={`Delete user ${person.name}`}
      confirm="Delete"
      onConfirm={remove}
    >
      <p>The roles and the sessions of this user end at once.</p>
    </AskDialog>
  );
}
