import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { lines, runLine, scratch, world, writeLocal } from './testing/scripted-service.ts';

describe('the way to the service', () => {
  test('no service runs for the home: says which, and how to start it', async () => {
    const home = await scratch();
    expect(await runLine(`service show --home ${home}`, {})).toEqual({
      code: 1,
      out: '',
      err: lines(
        `Error ServiceNotRunning: No Holdfast service runs for the home ${home}.`,
        `What to do: Start it with "holdfast serve --home ${home}", or name another one with --home or --endpoint.`,
      ),
    });
  });

  test('a token that others can read is used, with a warning', async () => {
    const { run, home, server } = await world({});
    await writeLocal(home, server, 'local-token', 0o644);
    const { code, err } = await run('service show');
    expect(code).toBe(0);
    expect(err).toBe(
      `Warning: ${home}/run/local.json holds a token and is open to other users of this machine; make it mode 0600.\n`,
    );
  });

  test('an endpoint gets only the token given for it, never that of a home', async () => {
    const { home, server, received } = await world({});
    const line = `service show --endpoint ${server.endpoint} --ca-file ${home}/ca.pem`;
    const refused = await runLine(line, { defaultHome: home });
    expect(refused.code).toBe(12);
    expect(refused.err).toContain('--token-file or HOLDFAST_TOKEN');
    expect(received).toEqual([]);
    await writeFile(join(home, 'token'), 'mine\n');
    expect((await runLine(`${line} --token-file ${home}/token`, {})).code).toBe(0);
    expect(received.at(-1)?.headers.authorization).toBe('Bearer mine');
  });

  test('the environment names the service too; a home that is named goes before its endpoint', async () => {
    const { home, server, received } = await world({});
    const env = {
      HOLDFAST_ENDPOINT: server.endpoint,
      HOLDFAST_TOKEN: 'from-env',
      HOLDFAST_CA_FILE: join(home, 'ca.pem'),
    };
    expect((await runLine('service show', { env })).code).toBe(0);
    expect((await runLine(`service show --home ${home}`, { env })).code).toBe(0);
    expect((await runLine('service show', { env: { HOLDFAST_HOME: home } })).code).toBe(0);
    expect(received.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer from-env',
      'Bearer local-token',
      'Bearer local-token',
    ]);
  });
});
