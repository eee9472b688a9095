import { resolve } from 'node:path';
import type { Command } from 'commander';
import { createClient } from '../../api/client/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import type { Call } from '../call.ts';
import { addCommand, type Cli, onRun } from '../command.ts';
import { readCa } from '../connection.ts';
import { forgetSession, saveSession } from '../saved-session.ts';
import { readSecret } from '../secret-file.ts';

export function addSignInCommands(program: Command, cli: Cli): void {
  const login = addCommand(program, {
    name: 'login',
    summary:
      'Sign in to a service with a user name and password; commands for its --endpoint use the session.',
    example: 'holdfast login --endpoint https://backup.example:8443 --user ada --password-file -',
  })
    .requiredOption('--user <name>', 'user name')
    .requiredOption('--password-file <file>', 'file with the password; - is standard input');
  onRun<{ user: string; passwordFile: string }>(login, cli, async (call) => {
    const endpoint = namedEndpoint(call);
    const caFile = call.options.caFile ?? (call.io.env.HOLDFAST_CA_FILE || undefined);
    const client = createClient({
      endpoint,
      token: undefined,
      ca: await readCa(caFile),
      signal: call.io.signal,
    });
    const { token, userName, expiresAt } = await client.session.begin(
      call.options.user,
      await readSecret(call.options.passwordFile),
    );
    if (token === undefined)
      throw new HoldfastError('AnswerNotUnderstood', 'The service gave no token for the session.');
    const saved = { endpoint, token, ...(caFile === undefined ? {} : { caFile: resolve(caFile) }) };
    const file = await saveSession(saved, call.io);
    call.json({ endpoint, userName, expiresAt });
    call.write(`Signed in as ${userName} until ${call.time(expiresAt)}. The session is in ${file}.\n`);
  });

  const logout = addCommand(program, {
    name: 'logout',
    summary: 'End the session that "login" began.',
    example: 'holdfast logout --endpoint https://backup.example:8443',
  });
  onRun(logout, cli, async (call) => {
    namedEndpoint(call);
    await (await call.connect()).session.end();
    await forgetSession(call.io);
    call.write('Signed out.\n');
  });
}

/** On the service's own machine its home is enough to be let in. */
function namedEndpoint(call: Call): string {
  const endpoint = call.options.endpoint ?? (call.io.env.HOLDFAST_ENDPOINT || undefined);
  if (endpoint !== undefined) return endpoint;
  throw new HoldfastError('InvalidCommandLine', 'No service is named.', {
    action: 'Give --endpoint https://HOST:PORT or set HOLDFAST_ENDPOINT.',
  });
}
