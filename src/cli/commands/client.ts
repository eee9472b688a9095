import { type Command, Option } from 'commander';
import type { ClientSecret } from '../../api/client/index.ts';
import type { Call } from '../call.ts';
import { addCommand, addNoun, type Cli, onRun } from '../command.ts';
import { roleNames, scopeOf, withScope } from '../role-scope.ts';

export function addClientCommands(program: Command, cli: Cli): void {
  const noun = addNoun(program, 'client', 'programs that sign in with a secret');

  const create = withScope(
    addCommand(noun, {
      name: 'create',
      summary: "Make a client with a role, and print what Azure's libraries need to sign in, as JSON, once.",
      example: 'holdfast client create --name terraform --role Contributor',
      exits: ['conflict'],
    }),
  )
    .requiredOption('--name <name>', 'its name here')
    .addOption(
      new Option('--role <role>', 'the role it starts with').choices(roleNames).makeOptionMandatory(),
    );
  onRun<{ name: string; role: string; scope?: string }>(create, cli, async (call) => {
    const client = await call.connect();
    const { name, role } = call.options;
    const scope = await scopeOf(call, client);
    printCredentials(call, await client.clients.create(name, { properties: { role, scope } }));
  });

  const list = addCommand(noun, {
    name: 'list',
    summary: 'List the clients.',
    example: 'holdfast client list',
  });
  onRun(list, cli, async (call) => {
    call.list(
      await (await call.connect()).clients.list(),
      [{ header: 'NAME' }, { header: 'CLIENT ID' }, { header: 'CREATED' }],
      ({ name, properties }) => [name, properties.clientId, call.time(properties.createdAt)],
      'No clients yet.',
    );
  });

  const rotate = addCommand(noun, {
    name: 'rotate-secret <client>',
    summary: 'Give a client another secret, printed as JSON, once; the old one is void at once.',
    args: { client: 'its name' },
    example: 'holdfast client rotate-secret terraform',
    exits: ['notFound'],
  });
  onRun(rotate, cli, async (call) => {
    printCredentials(call, await (await call.connect()).clients.rotateSecret(call.name));
  });

  const remove = addCommand(noun, {
    name: 'delete <client>',
    summary: 'Delete a client with its roles; its tokens are void at once.',
    args: { client: 'its name' },
    example: 'holdfast client delete terraform',
    exits: ['notFound'],
  });
  onRun(remove, cli, async (call) => {
    await (await call.connect()).clients.delete(call.name);
    call.write(`Client ${call.name} is deleted.\n`);
  });
}

/** JSON whatever the output: it is for a file or a program. The endpoint is where this command has reached the service. */
function printCredentials(call: Call, { credentials }: ClientSecret): void {
  const { endpoint, caFile } = call.reached;
  const text = JSON.stringify(
    { ...credentials, endpoint, ...(caFile === undefined ? {} : { caFile }) },
    null,
    call.options.output === 'jsonl' ? undefined : 2,
  );
  call.io.stdout.write(`${text}\n`);
}
