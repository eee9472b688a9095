import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type CliIo, runCli } from '../../src/cli/index.ts';
import { type ApiServer, createApiServer, subscriptionId } from '../support/api-server.ts';

let server: ApiServer;
let endpoint: string;
let caFile: string;

beforeEach(async () => {
  server = await createApiServer();
  endpoint = await server.app.listen({ host: '127.0.0.1', port: 0 });
  caFile = join(server.directory, 'ca.pem');
  await writeFile(caFile, server.ca);
  await mkdir(join(server.directory, 'run'));
  const local = { endpoint, token: server.token, caFile };
  await writeFile(join(server.directory, 'run', 'local.json'), JSON.stringify(local), { mode: 0o600 });
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
  expect(server.errors).toEqual([]);
});

async function run(line: string, io: Partial<CliIo> = {}) {
  let out = '';
  let err = '';
  const code = await runCli(line.split(' '), {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: {},
    timeZone: 'UTC',
    defaultHome: server.directory,
    ...io,
  });
  return { code, out, err };
}

it('makes clients, gives and takes roles, and shows what was done', async () => {
  const created = await run('client create --name ci --role Reader --vault Main');
  expect(created).toMatchObject({ code: 0, err: '' });
  const credentials = JSON.parse(created.out);
  expect(credentials).toEqual({
    tenantId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    clientId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    clientSecret: expect.stringMatching(/^[\w-]{43}$/),
    subscriptionId,
    endpoint,
    caFile,
  });
  expect(await run('client create --name CI --role Reader')).toMatchObject({ code: 11 });
  expect((await run('client list')).out).toContain(credentials.clientId);

  expect(await run('role assign --client ci --role Operator -g default')).toMatchObject({
    code: 0,
    out: 'Operator at group default is given.\n',
  });
  expect((await run('role assign --client ci --role Operator -g default')).code).toBe(11);
  expect((await run('role assign --role Operator')).code).toBe(2);
  const rows = (await run('role list')).out
    .split('\n')
    .slice(1, -1)
    .map((line) => line.split(/ {2,}/));
  expect(rows.map((row) => row.slice(0, 3))).toEqual([
    ['ci', 'Reader', 'vault default/Main'],
    ['ci', 'Operator', 'group default'],
  ]);
  expect(await run(`role remove ${rows[1]?.[3]}`)).toMatchObject({ code: 0 });
  expect(await run(`role remove ${rows[1]?.[3]}`)).toMatchObject({ code: 10 });
  expect((await run('role list -g default')).out.split('\n')).toHaveLength(3);

  const rotated = JSON.parse((await run('client rotate-secret ci')).out);
  expect(rotated.clientId).toBe(credentials.clientId);
  expect(rotated.clientSecret).not.toBe(credentials.clientSecret);
  expect(await run('client delete ci')).toMatchObject({ code: 0 });
  expect(await run('client delete ci')).toMatchObject({ code: 10 });

  const log = JSON.parse((await run('audit list --limit 4 --output json')).out);
  expect(log.map(({ properties }: { properties: { status: string } }) => properties.status)).toEqual([
    'Failed',
    'Started',
    'Succeeded',
    'Started',
  ]);
  expect((await run('audit verify')).out).toMatch(/^All \d+ lines are as they were written/);
});

it('signs people in from afar, and out again', async () => {
  const env = { XDG_CONFIG_HOME: join(server.directory, 'config') };
  const passwordFile = join(server.directory, 'password');
  await writeFile(passwordFile, 'correct horse battery\n');
  const created = await run(`user create ada --role Reader --vault Main --password-file ${passwordFile}`);
  expect(created).toMatchObject({ code: 0, out: 'User ada is added.\n' });
  const there = `--endpoint ${endpoint}`;
  expect(await run(`vault list ${there}`, { env })).toMatchObject({ code: 12 });
  const login = `login ${there} --ca-file ${caFile} --user ada --password-file ${passwordFile}`;
  expect(await run(login, { env })).toMatchObject({ code: 0, err: '' });
  const saved = join(env.XDG_CONFIG_HOME, 'holdfast', 'session.json');
  expect((await stat(saved)).mode & 0o777).toBe(0o600);
  expect((await run(`vault list ${there}`, { env })).out).toContain('Main');
  expect(await run(`user list ${there}`, { env })).toMatchObject({ code: 10 });
  expect(await run('vault list --endpoint https://127.0.0.1:1', { env })).toMatchObject({ code: 12 });
  expect(await run(`logout ${there}`, { env })).toMatchObject({ code: 0, out: 'Signed out.\n' });
  expect(await run(`vault list ${there}`, { env })).toMatchObject({ code: 12 });

  await writeFile(passwordFile, 'another horse battery');
  expect(await run(login, { env })).toMatchObject({ code: 12 });
  expect(await run(`user set-password nobody --password-file ${passwordFile}`)).toMatchObject({ code: 10 });
  expect(await run(`user set-password ada --password-file ${passwordFile}`)).toMatchObject({ code: 0 });
  expect(await run(login, { env })).toMatchObject({ code: 0 });
  expect(await run('role assign --user ada --role Operator')).toMatchObject({ code: 0 });
  expect((await run('user list')).out).toContain('ada');
  expect(await run('user delete ada')).toMatchObject({ code: 0 });
});
