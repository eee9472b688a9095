/**
 * What one look of the scheduler costs: finding what is due, writing it down as jobs and claiming them, with many items
 * under hourly policies. The hosts are made up: a backup does nothing, and ends between two looks. On SQLite and on a
 * PostgreSQL of its own, each as durable as the service has it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Database, type ItemRow, insertVault, openCatalog } from '../src/catalog/index.ts';
import { createLimits, JobEngine, type SchedulersWorkshop, startDueBackups } from '../src/jobs/index.ts';
import {
  type BackupPolicy,
  enhancedPolicy,
  lookAtSchedule,
  startDelayMs,
  startWindowMs,
} from '../src/protection/index.ts';
import { createDatabase, startPostgres } from '../tests/support/postgres.ts';
import type { BenchReport } from './main.ts';
import { UsageError } from './usage-error.ts';

/** How often the service looks. */
const tickSeconds = 20;
const vaults = 10;
const itemsOfHost = 100;
const rowsAtOnce = 400;

interface Case {
  items: number;
  due: number;
}

interface Measured extends Case {
  seconds: number;
  cpuSeconds: number;
}

export const schedulerBench = {
  usage: '[--json] [--items 100000] [--ticks 5] [--dir DIR]',
  async run(args: readonly string[]): Promise<BenchReport> {
    const { items, ticks, parent } = readOptions(args);
    const directory = mkdtempSync(join(parent, 'holdfast-bench-'));
    try {
      const sqlite = await measure((name) => Promise.resolve(join(directory, `${name}.db`)), items, ticks);
      await using server = await startPostgres({ durable: true, parent });
      const postgres = await measure(() => createDatabase(server.directory), items, ticks);
      print({ SQLite: sqlite, PostgreSQL: postgres });
      return {
        medians: {
          tick_s_sqlite: usual(sqlite).seconds,
          tick_s_postgres: usual(postgres).seconds,
          rows_sqlite: sqlite,
          rows_postgres: postgres,
        },
        ratios: {},
      };
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
};

/** The case that stands for the service's day: all items, and what is due of them in one look. */
const usual = (rows: readonly Measured[]) => rows[0] as Measured;

function readOptions(args: readonly string[]): { items: number; ticks: number; parent: string } {
  const { values } = parse(args);
  const [items, ticks] = [Number(values.items), Number(values.ticks)];
  if (!Number.isInteger(items) || items < 1000 || items > 1e6)
    throw new UsageError(`--items is from 1000 to 1e6, not ${values.items}`);
  if (!Number.isInteger(ticks) || ticks < 1 || ticks > 100)
    throw new UsageError(`--ticks is from 1 to 100, not ${values.ticks}`);
  return { items, ticks, parent: resolve(values.dir) };
}

function parse(args: readonly string[]) {
  try {
    const options = {
      items: { type: 'string', default: '100000' },
      ticks: { type: 'string', default: '5' },
      dir: { type: 'string', default: process.env.TMPDIR ?? '/var/tmp' },
    } as const;
    return parseArgs({ args: [...args], options });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function measure(
  place: (name: string) => Promise<string>,
  items: number,
  ticks: number,
): Promise<Measured[]> {
  const windowMs = startWindowMs(items / vaults);
  const due = Math.ceil((items * tickSeconds * 1000) / windowMs);
  const rows: Measured[] = [];
  const fill = async (count: number, cases: readonly number[]) => {
    await using bench = await openBench(await place(`catalog-${count}`), count);
    for (const each of cases) rows.push({ items: count, due: each, ...(await bench.look(each, ticks)) });
  };
  await fill(items, [due, 0, due * 4]);
  await fill(items / 10, [due]);
  return rows;
}

const start = Temporal.Instant.from('2026-01-01T06:00:00Z');
const text = (moment: Temporal.Instant) => moment.toString({ fractionalSecondDigits: 3 });

async function openBench(place: string, items: number) {
  const catalog = await openCatalog(place);
  const dueTimes = await fillCatalog(catalog.db, items);
  let now = start;
  let taken = 0;
  const clock = {
    now: () => now,
    monotonicMs: () => performance.now(),
    sleep: async () => {},
  };
  const log = { info() {}, warn: console.error, error: console.error };
  const engine = new JobEngine(catalog.db, clock, log, { home: 'bench', mostJobs: 10_000 });
  // What the simulated hosts are asked for takes until the look is over, as it does in life.
  let overLook = Promise.withResolvers<void>();
  const work = async () => {
    await overLook.promise;
    return 'Completed' as const;
  };
  engine.register('Backup', { run: work, resume: work });
  await engine.resumeOpenJobs();
  const workshop: SchedulersWorkshop = {
    db: catalog.db,
    ...createLimits(catalog.db, clock, log, engine.worker),
    clock,
    log,
    engine,
    signal: new AbortController().signal,
  };

  const lookOnce = async (due: number) => {
    // Exactly so many more of the items have come due by now.
    taken += due;
    const latest = dueTimes[taken - 1];
    if (latest === undefined && due > 0)
      throw new Error('the bench has run out of items; give it fewer ticks');
    if (latest !== undefined) now = latest;
    const cpu = process.cpuUsage();
    const startedMs = performance.now();
    const started = await startDueBackups(workshop);
    const seconds = (performance.now() - startedMs) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    if (started.length !== due) throw new Error(`${started.length} backups started, not ${due}`);
    overLook.resolve();
    await Promise.all(started.map((jobId) => engine.wait(jobId)));
    overLook = Promise.withResolvers();
    return { seconds, cpuSeconds: (user + system) / 1e6 };
  };
  return {
    async look(due: number, ticks: number) {
      const looks: Awaited<ReturnType<typeof lookOnce>>[] = [];
      // The first is there to warm up.
      for (let tick = 0; tick <= ticks; tick += 1) looks.push(await lookOnce(due));
      return {
        seconds: median(looks.slice(1).map((look) => look.seconds)),
        cpuSeconds: median(looks.slice(1).map((look) => look.cpuSeconds)),
      };
    },
    async [Symbol.asyncDispose]() {
      overLook.resolve();
      await engine.stop();
      await engine.signOff();
      await catalog[Symbol.asyncDispose]();
    },
  };
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** @returns the moments at which the items come due, in order, to a millisecond apart from each other */
async function fillCatalog(db: Database, items: number): Promise<Temporal.Instant[]> {
  const perVault = Math.ceil(items / vaults);
  const policyJson = JSON.stringify(enhancedPolicy satisfies BackupPolicy);
  for (let vault = 0; vault < vaults; vault += 1) await insertVault(db, vaultOf(vault), [enhancedPolicy]);
  const delays = Array.from({ length: items }, (_, i) => ({
    itemId: `item-${i}`,
    vault: i % vaults,
    delayMs: startDelayMs(`item-${i}`, startWindowMs(perVault)),
  }));
  const rows = delays.map(({ itemId, vault, delayMs }, i): ItemRow => {
    const { nextDue } = lookAtSchedule(enhancedPolicy, start, start, delayMs);
    return {
      item_id: itemId,
      vault_id: `vault-${vault}`,
      vm_uuid: itemId,
      vm_name: itemId,
      host_resource_group: 'default',
      host_name: `host-${Math.floor(i / itemsOfHost)}`,
      policy_name: enhancedPolicy.name,
      policy_json: policyJson,
      duties_since: text(start),
      state: 'Protected',
      excluded_disks_json: '[]',
      agent_json: null,
      created_at: text(start),
      last_backup_status: 'Completed',
      last_backup_at: text(start),
      last_error_json: null,
      schedule_handled_until: text(start),
      next_due_at: text(nextDue),
      deleted_at: null,
      purge_at: null,
      purging: 0,
      revision: 0,
    };
  });
  await db.transaction().execute(async (tx) => {
    for (let from = 0; from < rows.length; from += rowsAtOnce)
      await tx
        .insertInto('items')
        .values(rows.slice(from, from + rowsAtOnce))
        .execute();
  });
  return rows
    .map((row) => row.next_due_at ?? '')
    .toSorted()
    .map((at) => Temporal.Instant.from(at));
}

const vaultOf = (vault: number) => ({
  vault_id: `vault-${vault}`,
  resource_group: 'default',
  name: `vault-${vault}`,
  location: 'local',
  tags_json: '{}',
  settings_json: '{}',
  store_path: '/none',
  store_id: 'none',
  encrypted: 0,
  immutability: 'Disabled' as const,
  soft_delete: 'Enabled' as const,
  soft_delete_days: 14,
  created_at: text(start),
});

function print(results: Record<string, readonly Measured[]>): void {
  const head = ['catalog', 'items', 'due', 'a look', 'of a processor'];
  const lines = Object.entries(results).flatMap(([name, rows]) =>
    rows.map(({ items, due, seconds, cpuSeconds }) => [
      name,
      String(items),
      String(due),
      `${seconds.toFixed(3)} s`,
      `${cpuSeconds.toFixed(3)} s`,
    ]),
  );
  for (const line of [head, ...lines]) console.log(line.map((cell) => cell.padEnd(16)).join(''));
}
