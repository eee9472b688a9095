import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import {
  type HttpsServer,
  type Received,
  type Reply,
  startHttpsServer,
} from '../../../tests/support/https-server.ts';
import type { CliIo } from '../io.ts';
import { runCli } from '../run-cli.ts';
import { group, itemId, subscription, vaultId } from './samples.ts';

const service = { version: '0.1.0', startedAt: '2026-11-21T05:00:00Z', subscriptionId: 's1', home: '/srv/h' };

/** What a route answers: a body for 200, or a whole reply; by `METHOD path`, with the subscription's prefixes removed. */
export type Routes = Record<string, unknown | ((received: Received, n: number) => Reply)>;

export const accepted: Reply = { status: 202, headers: { 'azure-asyncoperation': 'https://service/op/1' } };
const operation = {
  id: '/op/1',
  name: '1',
  status: 'Succeeded',
  startTime: '2026-11-21T05:00:00Z',
  endTime: '2026-11-21T05:00:00Z',
  properties: { objectType: 'OperationStatusJobExtendedInfo', jobId: 'j1' },
};

const shorter = (path: string) =>
  path.replace(itemId, 'ITEM').replace(vaultId, 'VAULT').replace(group, 'GROUP').replace(subscription, 'SUB');

export interface World {
  server: HttpsServer;
  home: string;
  received: Received[];
  /** Runs a command line and gives back all it did. */
  run(line: string | string[], io?: Partial<CliIo>): Promise<{ code: number; out: string; err: string }>;
}

/** A directory that goes with the test. */
export async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-cli-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

/** Runs a command line at a fixed time of day, without a home of its own. */
export async function runLine(line: string | string[], io: Partial<CliIo>) {
  let out = '';
  let err = '';
  const code = await runCli(typeof line === 'string' ? line.split(' ').filter(Boolean) : line, {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: {},
    now: () => Date.parse('2026-11-21T05:44:00Z'),
    timeZone: 'UTC',
    pollMs: 1,
    ...io,
  });
  return { code, out, err };
}

/** A service that answers as it is told, and a command line whose home is that service's. */
export async function world(routes: Routes): Promise<World> {
  const received: Received[] = [];
  const counts = new Map<string, number>();
  const known: Routes = { 'GET /holdfast/service': service, 'GET /op/1': operation, ...routes };
  const server = await startHttpsServer((request) => {
    received.push(request);
    const key = `${request.method} ${shorter(request.path)}`;
    const n = (counts.get(key) ?? 0) + 1;
    counts.set(key, n);
    const route = known[key];
    if (typeof route === 'function') return route(request, n);
    if (route !== undefined) return { body: route };
    return { status: 404, body: { error: { code: 'ResourceNotFound', message: `There is no ${key}.` } } };
  });
  onTestFinished(() => server[Symbol.asyncDispose]());
  const home = await scratch();
  await writeLocal(home, server);
  const run = (line: string | string[], io: Partial<CliIo> = {}) =>
    runLine(line, { defaultHome: home, ...io });
  return { server, home, received, run };
}

/** Writes what a service leaves in its home for those who look for it. */
export async function writeLocal(
  home: string,
  server: HttpsServer,
  token = 'local-token',
  mode = 0o600,
): Promise<void> {
  await mkdir(join(home, 'run'), { recursive: true });
  await writeFile(join(home, 'ca.pem'), server.ca);
  const file = join(home, 'run', 'local.json');
  await writeFile(file, JSON.stringify({ endpoint: server.endpoint, token, caFile: join(home, 'ca.pem') }));
  await chmod(file, mode);
}

export const lines = (...text: string[]) => `${text.join('\n')}\n`;
