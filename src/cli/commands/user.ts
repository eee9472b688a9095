import { type Command, Option } from 'commander';
import { addCommand, addNoun, type Cli, onRun } from '../command.ts';
import { roleNames, scopeOf, withScope } from '../role-scope.ts';
import { readSecret } from '../secret-file.ts';

export function addUserCommands(program: Command, cli: Cli): void {
  const noun = addNoun(program, 'user', 'people who sign in with a password');

  const create = withScope(
    addCommand(noun, {
      name: 'create <user>',
      summary: 'Add a user with a password and a role.',
      args: { user: 'the name to sign in with' },
      example: 'holdfast user create ada --role Operator --password-file -',
      exits: ['conflict'],
    }),
  )
    .addOption(
      new Option('--role <role>', 'the role it starts with').choices(roleNames).makeOptionMandatory(),
    )
    .requiredOption('--password-file <file>', 'file with the password; - is standard input');
  onRun<{ role: string; passwordFile: string; scope?: string }>(create, cli, async (call) => {
    const password = await readSecret(call.options.passwordFile);
    const client = await call.connect();
    const { role } = call.options;
    const scope = await scopeOf(call, client);
    const made = await client.people.put(call.name, { properties: { password, role, scope } });
    call.json(made);
    call.write(`User ${made.name} is added.\n`);
  });

  const list = addCommand(noun, { name: 'list', summary: 'List the users.', example: 'holdfast user list' });
  onRun(list, cli, async (call) => {
    call.list(
      await (await call.connect()).people.list(),
      [{ header: 'NAME' }, { header: 'SIGNS IN' }, { header: 'ADDED' }],
      ({ name, properties }) => [name, properties.signsIn, call.time(properties.createdAt)],
      `No users yet. Add one: ${call.nextCommand('user create NAME --role Owner --password-file -', false)}`,
    );
  });

  const reset = addCommand(noun, {
    name: 'set-password <user>',
    summary: 'Give a user another password, and end all its sessions.',
    args: { user: 'its name' },
    example: 'holdfast user set-password ada --password-file -',
    exits: ['notFound'],
  }).requiredOption('--password-file <file>', 'file with the password; - is standard input');
  onRun<{ passwordFile: string }>(reset, cli, async (call) => {
    const password = await readSecret(call.options.passwordFile);
    const client = await call.connect();
    await client.people.get(call.name); // or a name mistyped would be told to need a role
    await client.people.put(call.name, { properties: { password } });
    call.write(`User ${call.name} has another password.\n`);
  });

  const remove = addCommand(noun, {
    name: 'delete <user>',
    summary: 'Delete a user with its roles and sessions.',
    args: { user: 'its name' },
    example: 'holdfast user delete ada',
    exits: ['notFound'],
  });
  onRun(remove, cli, async (call) => {
    await (await call.connect()).people.delete(call.name);
    call.write(`User ${call.name} is deleted.\n`);
  });
}
