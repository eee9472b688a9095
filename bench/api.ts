/**
 * How fast the REST API answers over HTTPS with much in the catalog: each list and each single thing in turn, asked for by
 * 50 clients that ask again as soon as they have an answer. On SQLite and on a PostgreSQL of its own. Hosts and stores are
 * made up, in memory; everything between them and the client is the service's. What the service's process takes of a
 * processor is told apart: the clients have a process of their own.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { sql } from 'kysely';
import { createLocalCredential } from '../src/access/index.ts';
import { createServer, ensureCertificate, resourceIds } from '../src/api/index.ts';
import { isPostgresAddress, openCatalog } from '../src/catalog/index.ts';
import {
  BackgroundWork,
  createLimits,
  Estate,
  JobEngine,
  StorePlaces,
  VaultKeys,
} from '../src/jobs/index.ts';
import { createMemoryHost } from '../src/machines/index.ts';
import { createStore, memoryBackend } from '../src/store/index.ts';
import { createDatabase, startPostgres } from '../tests/support/postgres.ts';
import {
  fillCatalog,
  hostNames,
  itemName,
  jobId,
  pointId,
  vaultOf,
  vaultsOfBench,
  vmName,
} from './api-catalog.ts';
import type { Round, RoundResult } from './api-clients.ts';
import type { BenchReport } from './main.ts';
import { UsageError } from './usage-error.ts';

const subscriptionId = '11111111-2222-3333-4444-555555555555';

interface Size {
  items: number;
  /** Jobs and recovery points of each. */
  runs: number;
  clients: number;
  answers: number;
  only: RegExp;
}

interface Measured {
  p50: number;
  p99: number;
  /** Milliseconds of a processor that the service took for an answer. */
  cpuMs: number;
  kib: number;
}

export const apiBench = {
  usage:
    '[--json] [--items 10000] [--runs 100] [--clients 50] [--answers 5000] [--only REGEX] [--database sqlite|postgres] [--dir DIR]',
  async run(args: readonly string[]): Promise<BenchReport> {
    const { size, database, parent } = readOptions(args);
    const directory = mkdtempSync(join(parent, 'holdfast-bench-'));
    const results: Record<string, Record<string, Measured>> = {};
    try {
      if (database !== 'postgres')
        results.sqlite = await measure(join(directory, 'catalog.db'), directory, size);
      if (database !== 'sqlite') {
        await using server = await startPostgres({ durable: true, parent });
        results.postgres = await measure(await createDatabase(server.directory), directory, size);
      }
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
    const rows = Object.entries(results).flatMap(([name, operations]) =>
      Object.entries(operations).map(([operation, measured]) => ({ name, operation, ...measured })),
    );
    const medians = rows.flatMap(({ name, operation, p50, p99, cpuMs }) =>
      Object.entries({ p99_ms: p99, p50_ms: p50, cpu_ms: cpuMs }).map(([figure, value]) => [
        `${figure}_${operation}_${name}`,
        Number(value.toFixed(3)),
      ]),
    );
    return { medians: Object.fromEntries(medians), ratios: {} };
  },
};

function readOptions(args: readonly string[]) {
  const values = parse(args);
  const whole = (name: 'items' | 'runs' | 'clients' | 'answers', least: number, most: number) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new UsageError(`--${name} is from ${least} to ${most}, not ${values[name]}`);
    return value;
  };
  if (!['sqlite', 'postgres', 'both'].includes(values.database))
    throw new UsageError(`--database is sqlite or postgres, not ${values.database}`);
  const size: Size = {
    items: whole('items', 100, 1e6),
    runs: whole('runs', 1, 1000),
    clients: whole('clients', 1, 1000),
    answers: whole('answers', 100, 1e6),
    only: new RegExp(values.only),
  };
  return { size, database: values.database, parent: resolve(values.dir) };
}

function parse(args: readonly string[]) {
  try {
    const options = {
      items: { type: 'string', default: '10000' },
      runs: { type: 'string', default: '100' },
      clients: { type: 'string', default: '50' },
      answers: { type: 'string', default: '5000' },
      only: { type: 'string', default: '' },
      database: { type: 'string', default: 'both' },
      dir: { type: 'string', default: process.env.TMPDIR ?? '/var/tmp' },
    } as const;
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function measure(place: string, directory: string, size: Size): Promise<Record<string, Measured>> {
  await using service = await openService(place, directory, size);
  const child = fork(join(import.meta.dirname, 'api-clients.ts'), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const results: Record<string, Measured> = {};
  const database = isPostgresAddress(place) ? 'PostgreSQL' : 'SQLite';
  console.log(
    `${database}: ${size.items} items, ${size.items * size.runs} jobs and points, ${size.clients} clients`,
  );
  console.log(['', 'p50 ms', 'p99 ms', 'CPU ms', 'KiB'].map(cell).join(''));
  try {
    for (const [name, paths] of Object.entries(operations(size))) {
      if (!size.only.test(name)) continue;
      const round = { port: service.port, ca: service.ca, tokens: service.tokens, paths };
      await ask(child, { ...round, answers: Math.ceil(size.answers / 5) }); // to warm up
      const before = process.cpuUsage();
      const { times, bytes } = await ask(child, { ...round, answers: size.answers });
      const { user, system } = process.cpuUsage(before);
      const measured = {
        p50: quantile(times, 0.5),
        p99: quantile(times, 0.99),
        cpuMs: (user + system) / 1000 / times.length,
        kib: bytes / times.length / 1024,
      };
      results[name] = measured;
      const { p50, p99, cpuMs, kib } = measured;
      console.log(
        [name, p50.toFixed(1), p99.toFixed(1), cpuMs.toFixed(2), kib.toFixed(1)].map(cell).join(''),
      );
    }
  } finally {
    child.kill();
  }
  return results;
}

const cell = (content: string, column: number) => (column === 0 ? content.padEnd(24) : content.padStart(10));

const quantile = (ascending: readonly number[], share: number) =>
  ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? Number.NaN;

async function ask(child: ChildProcess, round: Round): Promise<RoundResult> {
  child.send(round);
  const ended = new AbortController();
  const answer = await Promise.race([
    once(child, 'message', { signal: ended.signal }),
    once(child, 'exit', { signal: ended.signal }).then(() => {
      throw new Error('the clients gave up');
    }),
  ]).finally(() => ended.abort());
  return answer[0] as RoundResult;
}

/** What is asked for, by the name it is reported under; each of many things in turn. */
function operations({ items, runs }: Size): Record<string, string[]> {
  const version = 'api-version=2025-02-01';
  const subscription = `/subscriptions/${subscriptionId}`;
  const group = `${subscription}/resourceGroups/default`;
  const vault = (n: number) =>
    `${group}/providers/Microsoft.RecoveryServices/vaults/vault-${n % vaultsOfBench}`;
  const item = (i: number) =>
    `${vault(i)}/backupFabrics/Azure/protectionContainers/IaasVMContainer;iaasvmcontainerv2;default;${vmName(i)}/protectedItems/${itemName(i)}`;
  const each = (path: (n: number) => string, query = '') =>
    Array.from({ length: 997 }, (_, n) => `${path(n)}?${version}${query}`);
  const some = (n: number) => (n * 7919) % items;
  const run = (n: number) => (n * 31) % runs;
  const page = '&$top=20';
  const deep = (n: number) =>
    `&$skipToken=${token([`2026-01-${String((n % 28) + 1).padStart(2, '0')}T02:05:00.000Z`, ''])}`;
  return {
    vaults_list: each(() => `${subscription}/providers/Microsoft.RecoveryServices/vaults`),
    vault_get: each(vault),
    usages_list: each((n) => `${vault(n)}/usages`),
    summaries_list: each((n) => `${vault(n)}/backupUsageSummaries`),
    policies_list: each((n) => `${vault(n)}/backupPolicies`),
    policy_get: each((n) => `${vault(n)}/backupPolicies/EnhancedPolicy`),
    items_page: each((n) => `${vault(n)}/backupProtectedItems`, page),
    items_list: each((n) => `${vault(n)}/backupProtectedItems`),
    item_get: each((n) => item(some(n))),
    jobs_page: each((n) => `${vault(n)}/backupJobs`, page),
    jobs_list: each((n) => `${vault(n)}/backupJobs`),
    jobs_deep_page: Array.from(
      { length: 997 },
      (_, n) => `${vault(n)}/backupJobs?${version}${page}${deep(n)}`,
    ),
    jobs_failed_page: each(
      (n) => `${vault(n)}/backupJobs`,
      `${page}&$filter=${encodeURIComponent("status eq 'Failed'")}`,
    ),
    job_get: each((n) => `${vault(some(n))}/backupJobs/${jobId(run(n), some(n))}`),
    points_page: each((n) => `${item(some(n))}/recoveryPoints`, page),
    points_list: each((n) => `${item(some(n))}/recoveryPoints`),
    point_get: each((n) => `${item(some(n))}/recoveryPoints/${pointId(run(n), some(n))}`),
    containers_page: each((n) => `${vault(n)}/backupProtectionContainers`, page),
    vms_page: each(() => `${group}/providers/Microsoft.Compute/virtualMachines`, page),
    vm_get: each((n) => `${group}/providers/Microsoft.Compute/virtualMachines/${vmName(some(n))}`),
  };
}

const token = (key: readonly string[]) => Buffer.from(JSON.stringify(key)).toString('base64url');

/** The service over memory, with a filled catalog, listening. */
async function openService(place: string, directory: string, { items, runs, clients }: Size) {
  await using starting = new AsyncDisposableStack();
  const catalog = starting.use(await openCatalog(place));
  const { db } = catalog;
  const clock = {
    now: () => Temporal.Now.instant(),
    monotonicMs: () => performance.now(),
    sleep: async () => {},
  };
  const log = { info() {}, warn: console.error, error: console.error };
  const hosts = new Map(hostNames.map((name) => [name, createMemoryHost(clock)]));
  const machines = Array.from({ length: items }, (_, i) =>
    (hosts.get(hostNames[i % hostNames.length] ?? '') ?? createMemoryHost(clock)).addMachine(vmName(i), {
      vda: 512,
    }),
  );
  const stores = await Promise.all(
    Array.from({ length: vaultsOfBench }, () => createStore(memoryBackend(), { clock })),
  );
  const startedMs = performance.now();
  await fillCatalog(
    db,
    stores.map((store) => store.storeId),
    machines,
    runs,
  );
  await sql`analyze`.execute(db);
  console.log(`filled in ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
  const never = () => Promise.reject(new Error('nothing is opened in this bench'));
  const estate = starting.use(
    new Estate(
      db,
      {
        openHost: async ({ name }) => hosts.get(name) ?? createMemoryHost(clock),
        openStore: never,
        openReplica: never,
      },
      log,
    ),
  );
  for (const [i, store] of stores.entries()) estate.adoptStore(vaultOf(i, '').vault_id, store);
  const engine = new JobEngine(db, clock, log, { home: 'bench' });
  starting.defer(() => engine.signOff());
  starting.defer(() => engine.stop());
  await engine.resumeOpenJobs();
  const tls = await ensureCertificate(join(directory, 'tls'), '127.0.0.1', new Date());
  const credential = createLocalCredential();
  const app = createServer({
    scope: {
      workshop: {
        db,
        estate,
        engine,
        ...createLimits(db, clock, log, engine.worker),
        background: new BackgroundWork(),
        clock,
        log,
        signal: new AbortController().signal,
        snapshotRetryDelayMs: 1,
        jobHistoryDays: 180,
      },
      ids: resourceIds(subscriptionId),
      subscriptionId,
      defaultStoreRoot: directory,
      home: directory,
      restoreRoots: [],
      version: 'bench',
      startedAt: clock.now(),
      storePlaces: new StorePlaces(join(directory, 'store-credentials')),
      openStoreAt: never,
      createStore: never,
      openStore: never,
      vaultKeys: new VaultKeys(join(directory, 'keys'), clock),
    },
    credential,
    tls,
    log,
    // What is to be measured is the answer, not the refusal.
    throttle: { burst: 1e9, perSecond: 1e9 },
  });
  starting.defer(() => app.close());
  await app.listen({ host: '127.0.0.1', port: 0 });
  const tokens = [];
  for (let n = 0; n < clients; n += 1) tokens.push(await tokenOfNewClient(app, credential.token, n));
  const rest = starting.move();
  return {
    port: (app.server.address() as AddressInfo).port,
    ca: tls.cert,
    tokens,
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

/** Signs a new client in, as `@azure/identity` does. */
async function tokenOfNewClient(app: ReturnType<typeof createServer>, owner: string, n: number) {
  const made = await app.inject({
    method: 'PUT',
    url: `/subscriptions/${subscriptionId}/providers/Holdfast.Fleet/clients/client-${n}?api-version=2025-02-01`,
    headers: { authorization: `Bearer ${owner}` },
    payload: { properties: { role: 'Reader' } },
  });
  const { tenantId, clientId, clientSecret } = made.json().credentials;
  const answer = await app.inject({
    method: 'POST',
    url: `/${tenantId}/oauth2/v2.0/token`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
      scope: 'https://management.azure.com/.default',
    }).toString(),
  });
  return answer.json().access_token as string;
}
