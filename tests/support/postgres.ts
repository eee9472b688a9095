import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { run } from '../../src/platform/index.ts';
import { until } from './until.ts';

/** A PostgreSQL server of our own, on a Unix socket in a directory of its own; any other on the machine is left alone. */
export interface ScratchPostgres extends AsyncDisposable {
  /** Where its socket is; `createDatabase` wants to know. */
  directory: string;
}

/** Where Debian puts the server's programs, which are on nobody's PATH; elsewhere they are. */
function findPrograms(): string {
  const [newest] = globSync('/usr/lib/postgresql/*/bin')
    .filter((directory) => existsSync(join(directory, 'initdb')))
    .sort((a, b) => Number(b.split('/')[4]) - Number(a.split('/')[4]));
  return newest ?? '';
}

/** The server refuses to run as root. @returns the command that leaves root, and the user it becomes */
async function unprivileged(): Promise<
  { prefix: string[]; uid: number; gid: number; user: string } | undefined
> {
  if (process.getuid?.() !== 0) return undefined;
  for (const user of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = (
        await run(['sh', '-c', 'id -u "$0" && id -g "$0"', user], { timeoutMs: 10_000 })
      ).stdout
        .trim()
        .split('\n')
        .map(Number) as [number, number];
      return { prefix: ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'], uid, gid, user };
    } catch {
      // No such user here.
    }
  }
  throw new Error('PostgreSQL does not run as root, and there is neither a user postgres nor nobody');
}

const setUpMs = 120_000;

/**
 * @param options.durable whether a commit waits for the disk; only a measurement needs it to
 * @param options.parent where its directory is made; the path of a socket must be short
 */
export async function startPostgres({ durable = false, parent = tmpdir() } = {}): Promise<ScratchPostgres> {
  const programs = findPrograms();
  const other = await unprivileged();
  const prefix = other?.prefix ?? [];
  const directory = mkdtempSync(join(parent, 'holdfast-pg-'));
  await using cleaning = new AsyncDisposableStack();
  cleaning.defer(() => rmSync(directory, { recursive: true, force: true }));
  if (other !== undefined) chownSync(directory, other.uid, other.gid);
  const data = join(directory, 'data');
  const initdb = [join(programs, 'initdb'), '-D', data, '-U', 'holdfast', '-A', 'trust', '--no-sync'];
  const [first = '', ...rest] = [...prefix, ...initdb, '--locale=C', '--encoding=UTF8'];
  await run([first, ...rest], { timeoutMs: setUpMs });
  const settings = {
    listen_addresses: '',
    unix_socket_directories: directory,
    fsync: durable ? 'on' : 'off',
    full_page_writes: durable ? 'on' : 'off',
    max_connections: '100',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  // It ends with us, also when we are killed.
  const [program = '', ...args] = [
    'setpriv',
    '--pdeathsig=INT',
    ...prefix.slice(1),
    join(programs, 'postgres'),
    '-D',
    data,
    ...options,
  ];
  const server = spawn(program, args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  server.stderr.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-4000)));
  const ended = once(server, 'close');
  cleaning.defer(async () => {
    // INT: connections are ended, what is committed stays. Then nothing is waited for.
    server.kill('SIGINT');
    const timer = setTimeout(() => server.kill('SIGKILL'), 30_000);
    await ended;
    clearTimeout(timer);
  });
  await until('PostgreSQL answers', async () => {
    if (server.exitCode !== null) throw new Error(`postgres ended with ${server.exitCode}: ${log}`);
    return tell(directory, 'select 1').then(
      () => true,
      () => false,
    );
  });
  const running = cleaning.move();
  return { directory, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

const addressOf = (directory: string, name: string) =>
  `postgres://holdfast@localhost/${name}?host=${encodeURIComponent(directory)}`;

async function tell(directory: string, statement: string): Promise<void> {
  const client = new pg.Client({
    connectionString: addressOf(directory, 'postgres'),
    connectionTimeoutMillis: 10_000,
  });
  try {
    await client.connect();
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Makes an empty database in a server of ours. @returns its address */
export async function createDatabase(directory: string, options = ''): Promise<string> {
  const name = `scratch_${crypto.randomUUID().replaceAll('-', '')}`;
  await tell(directory, `create database ${name} template template0 ${options}`);
  return addressOf(directory, name);
}

export async function dropDatabase(directory: string, address: string): Promise<void> {
  await tell(directory, `drop database ${new URL(address).pathname.slice(1)} with (force)`);
}
