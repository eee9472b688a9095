import { type Command, Option } from 'commander';
import type { HoldfastClient, RoleAssignment } from '../../api/client/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import { addCommand, addNoun, type Cli, onRun } from '../command.ts';
import { roleNames, scopeOf, shortScope, withScope } from '../role-scope.ts';

interface AssignOptions {
  role: string;
  scope?: string;
  client?: string;
  user?: string;
  principal?: string;
}

export function addRoleCommands(program: Command, cli: Cli): void {
  const noun = addNoun(program, 'role', 'who may do what');

  const assign = withScope(
    addCommand(noun, {
      name: 'assign',
      summary: 'Give a role at the subscription, a resource group or a vault.',
      example: 'holdfast role assign --client terraform --role Operator --vault v1',
      exits: ['notFound', 'conflict'],
    }),
  )
    .addOption(new Option('--role <role>', 'the role').choices(roleNames).makeOptionMandatory())
    .option('--client <name>', 'the client that gets it')
    .option('--user <name>', 'the user who gets it')
    .option('--principal <id>', 'who gets it, by id');
  onRun<AssignOptions>(assign, cli, async (call) => {
    const client = await call.connect();
    const principalId = await principalOf(client, call.options);
    const made = await client.roles.assign(await scopeOf(call, client), {
      properties: { roleDefinitionId: call.options.role, principalId },
    });
    call.json(made);
    call.write(`${made.properties.holdfast.role} at ${shortScope(made.properties.scope)} is given.\n`);
  });

  const list = withScope(
    addCommand(noun, {
      name: 'list',
      summary: 'List the roles that are given at a scope and below it.',
      example: 'holdfast role list',
    }),
  );
  onRun<{ scope?: string }>(list, cli, async (call) => {
    const client = await call.connect();
    const rows = await client.roles.list(await scopeOf(call, client));
    const names = call.options.output === 'table' ? await namesOf(client) : new Map<string, string>();
    call.list(
      rows,
      [{ header: 'WHO' }, { header: 'ROLE' }, { header: 'WHERE' }, { header: 'ASSIGNMENT' }],
      ({ name, properties }) => [
        names.get(properties.principalId) ?? properties.principalId,
        properties.holdfast.role,
        shortScope(properties.scope),
        name,
      ],
      'No roles are given there.',
    );
  });

  const remove = addCommand(noun, {
    name: 'remove <assignment>',
    summary: 'Take a role away again.',
    args: { assignment: 'its id, as "role list" shows it' },
    example: 'holdfast role remove 6f9c1b0e-8d53-4f0e-9a36-0f5a3a2f7d11',
    exits: ['notFound'],
  });
  onRun(remove, cli, async (call) => {
    const client = await call.connect();
    const all = await client.roles.list(`/subscriptions/${await client.subscriptionId()}`);
    await client.roles.remove(assignmentOf(all, call.name).id);
    call.write('The role is taken away.\n');
  });
}

function assignmentOf(all: readonly RoleAssignment[], name: string): RoleAssignment {
  const found = all.find((row) => row.name === name.toLowerCase());
  if (found !== undefined) return found;
  throw new HoldfastError('ResourceNotFound', `There is no role assignment ${name}.`, {
    action: 'See "holdfast role list".',
  });
}

async function principalOf(client: HoldfastClient, options: AssignOptions): Promise<string> {
  const { principal, client: name, user } = options;
  const given = [principal, name, user].filter((value) => value !== undefined);
  if (given.length === 1 && principal !== undefined) return principal;
  if (given.length === 1 && user !== undefined) return (await client.people.get(user)).properties.principalId;
  if (given.length === 1 && name !== undefined) return (await client.clients.get(name)).properties.clientId;
  throw new HoldfastError('InvalidCommandLine', 'Who gets the role is not clear.', {
    action: 'Give one of --client, --user and --principal.',
  });
}

/** Whoever may see roles may not see who there is: then ids have to do. */
async function namesOf(client: HoldfastClient): Promise<Map<string, string>> {
  const [clients, people] = await Promise.all([
    client.clients.list().catch(() => []),
    client.people.list().catch(() => []),
  ]);
  return new Map([
    ...clients.map(({ name, properties }) => [properties.clientId, name] as const),
    ...people.map(({ name, properties }) => [properties.principalId, name] as const),
  ]);
}
