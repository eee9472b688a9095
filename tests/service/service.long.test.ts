import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

const main = resolve(import.meta.dirname, '../../src/main.ts');

let directory: string;
let home: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-service-'));
  home = join(directory, 'home');
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((done) => child.once('exit', done));
      child.kill('SIGKILL');
      await gone;
    }
  }
  await rm(directory, { recursive: true, force: true });
});

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

function holdfast(...args: string[]) {
  return start([...args, '--home', home]);
}

function start(args: string[]): { child: ChildProcess; ended: Promise<Ended>; ready: Promise<void> } {
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...process.env, NO_COLOR: '1' },
  });
  children.push(child);
  let stdout = '';
  let stderr = '';
  const ready = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<Ended>();
  child.stdout?.on('data', (text) => {
    stdout += text;
    if (stdout.includes('serves')) ready.resolve();
  });
  child.stderr?.on('data', (text) => {
    stderr += text;
  });
  child.once('close', (code) => {
    ended.resolve({ code, stdout, stderr });
    ready.reject(new Error(`it ended with ${code}: ${stdout}${stderr}`));
  });
  ready.promise.catch(() => {});
  return { child, ended: ended.promise, ready: ready.promise };
}

const serve = (...args: string[]) => holdfast('serve', '--listen', '127.0.0.1:0', ...args);
const run = (...args: string[]) => holdfast(...args).ended;

it('serves over TLS from the first start, keeps its files to itself, and stops cleanly', async () => {
  const service = serve();
  await service.ready;
  expect((await stat(home)).mode & 0o777).toBe(0o700);
  expect((await stat(join(home, 'run', 'local.json'))).mode & 0o777).toBe(0o600);
  expect((await stat(join(home, 'tls', 'key.pem'))).mode & 0o777).toBe(0o600);

  const shown = await run('service', 'show', '--output', 'json');
  expect(shown).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(shown.stdout)).toMatchObject({ home });

  const made = await run('client', 'create', '--name', 'ci', '--role', 'Reader');
  expect((await stat(join(home, 'catalog.db'))).mode & 0o777).toBe(0o600);

  service.child.kill('SIGTERM');
  const { code, stdout, stderr } = await service.ended;
  expect(code).toBe(0);
  // The link is for whoever starts the service; what it logs has no secret.
  const link =
    /^Become its owner.*: https:\/\/127\.0\.0\.1:\d+\/holdfast\/first-run\?code=([\w-]{43})$/m.exec(stdout);
  expect(link?.[1]).toBeDefined();
  expect(stderr).not.toContain(link?.[1]);
  expect(stderr).not.toContain(JSON.parse(made.stdout).clientSecret);
  expect(existsSync(join(home, 'run', 'local.json'))).toBe(false);
  const gone = await run('vault', 'list');
  expect(gone.code).not.toBe(0);
  expect(gone.stderr).toMatch(/serve/);
});

it('closes a home that others could read', async () => {
  await mkdir(home, { mode: 0o755 });
  await chmod(home, 0o755);
  for (const name of ['lock', 'catalog.db']) {
    await writeFile(join(home, name), '');
    await chmod(join(home, name), 0o644);
  }
  await serve().ready;
  const modeOf = async (path: string) => (await stat(path)).mode & 0o777;
  expect(await modeOf(home)).toBe(0o700);
  for (const name of ['lock', 'catalog.db', 'catalog.db-wal'])
    expect(await modeOf(join(home, name))).toBe(0o600);
});

it('ends at a failed start, with nothing left of it', async () => {
  await mkdir(join(home, 'run', 'local.json', 'x'), { recursive: true }); // the last thing to be written
  const failed = await serve().ended;
  expect(failed).toMatchObject({ code: 1, stdout: '' });
  await rm(join(home, 'run'), { recursive: true });
  await serve().ready; // lock and catalog were let go of
});

it('stops although its last files can not be removed, and says so', async () => {
  const service = serve();
  await service.ready;
  const localFile = join(home, 'run', 'local.json');
  await rm(localFile);
  await mkdir(localFile);
  service.child.kill('SIGTERM');
  const ended = await service.ended;
  expect(ended.code).toBe(1);
  expect(ended.stderr).toMatch(/local\.json/);
  await rm(localFile, { recursive: true });
  await serve().ready;
});

it.each([
  ['a home that is a file', 'HomeNotUsable', () => writeFile(home, ''), []],
  ['a home under a file', 'HomeNotUsable', () => writeFile(home, ''), ['--home', 'sub']],
  ['a home of somebody else', 'HomeNotUsable', giveAway, []],
  ['a catalog that is none', 'CatalogDamaged', () => damage(Buffer.alloc(8192, 'x')), []],
  ['a word that is no log level', 'InvalidCommandLine', async () => {}, ['--log-level', 'loud']],
  ['a home without a name', 'InvalidInput', async () => {}, ['--home', '']],
])('refuses %s as %s, without a stack', async (_title, code, prepare, args) => {
  if (code === 'HomeNotUsable' && prepare === giveAway && process.getuid?.() !== 0) return;
  await prepare();
  const given = args.map((arg) => (arg === 'sub' ? join(home, 'sub') : arg));
  const all = [
    'serve',
    '--listen',
    '127.0.0.1:0',
    ...(given.includes('--home') ? [] : ['--home', home]),
    ...given,
  ];
  const refused = await start(all).ended;
  expect(refused.stderr).toMatch(new RegExp(`^Error ${code}: .+\\nWhat to do: .+\\n$`));
  expect(refused.code).toBeGreaterThan(0);
});

async function giveAway(): Promise<void> {
  await mkdir(home);
  await chown(home, 65_534, 65_534);
}

async function damage(content: Buffer): Promise<void> {
  await mkdir(home);
  await writeFile(join(home, 'catalog.db'), content);
}

it('ends at once when it is told to stop a second time', async () => {
  const service = serve();
  await service.ready;
  const { endpoint, token, caFile } = JSON.parse(await readFile(join(home, 'run', 'local.json'), 'utf8'));
  // A request whose body never comes keeps a clean stop waiting.
  const hanging = request(`${endpoint}/subscriptions`, {
    method: 'POST',
    ca: await readFile(caFile),
    headers: { authorization: `Bearer ${token}`, expect: '100-continue', 'content-length': 10 },
  });
  hanging.on('error', () => {}); // it is cut off in the end
  hanging.flushHeaders();
  await once(hanging, 'continue');
  const stopping = new Promise<void>((done) => {
    service.child.stderr?.on('data', (text) => String(text).includes('stopping') && done());
  });
  service.child.kill('SIGTERM');
  await stopping;
  expect(service.child.exitCode).toBe(null);
  service.child.kill('SIGTERM');
  expect((await service.ended).code).toBe(143);
});

it('refuses a second service on the same home, and the first goes on', async () => {
  const first = serve();
  await first.ready;
  const second = await serve().ended;
  expect(second.code).toBe(11);
  expect(second.stderr).toMatch(/^Error HomeInUse: .+\nWhat to do: .+/);
  expect((await run('vault', 'list')).code).toBe(0);
});

it('is back after kill -9, with its vaults', async () => {
  const first = serve();
  await first.ready;
  expect((await run('vault', 'create', 'Main')).code).toBe(0);
  first.child.kill('SIGKILL');
  await first.ended;
  const second = serve();
  await second.ready;
  const listed = JSON.parse((await run('vault', 'list', '--output', 'json')).stdout);
  expect(listed).toMatchObject([{ name: 'Main', properties: { holdfast: { status: 'Ready' } } }]);
});

it('says which address it cannot have', async () => {
  const taken = createServer();
  await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done));
  const address = taken.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const refused = await holdfast('serve', '--listen', `127.0.0.1:${port}`).ended;
  taken.close();
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toMatch(/^Error AddressNotUsable: .*127\.0\.0\.1/);
  expect((await holdfast('serve', '--listen', 'nonsense').ended).stderr).toMatch(/^Error InvalidInput: /);
});

it('starts with a store that is missing or newer, says so, and loses nothing', async () => {
  const first = serve();
  await first.ready;
  await run('vault', 'create', 'Main');
  first.child.kill('SIGTERM');
  await first.ended;

  const [storeName] = await readdir(join(home, 'stores'));
  const store = join(home, 'stores', storeName ?? '');
  const halves = ['holdfast-store', 'holdfast-store-copy'].map((name) => join(store, name));
  const text = await readFile(halves[0] ?? '', 'utf8');
  const newer = text.replace(/^holdfast-store 1\n/, 'holdfast-store 99\n');
  expect(newer).not.toBe(text);

  const statusWhile = async () => {
    const service = serve();
    await service.ready;
    const [vault] = JSON.parse((await run('vault', 'list', '--output', 'json')).stdout);
    service.child.kill('SIGTERM');
    await service.ended;
    return vault.properties.holdfast as { status: string; statusMessage?: string };
  };
  for (const half of halves) await writeFile(half, newer);
  expect(await statusWhile()).toMatchObject({
    status: 'Unavailable',
    statusMessage: expect.stringContaining('version 99'),
  });
  for (const half of halves) await writeFile(half, text);
  await rename(store, `${store}.away`);
  expect((await statusWhile()).status).toBe('Unavailable');
  await rename(`${store}.away`, store);
  expect((await statusWhile()).status).toBe('Ready');
});
