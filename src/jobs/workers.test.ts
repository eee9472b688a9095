import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { onPostgres, type ScratchPlace, scratchPlace } from '../../tests/support/scratch-place.ts';
import { until } from '../../tests/support/until.ts';
import {
  type Catalog,
  findJob,
  findSetting,
  listOpenJobs,
  openCatalog,
  saveSetting,
} from '../catalog/index.ts';
import type { JobStatus } from '../protection/index.ts';
import { JobEngine, type NewJob, type Operation } from './engine.ts';
import { type JobContext, LeaseLost } from './job-context.ts';
import { PhaseGuard } from './phase-guard.ts';
import { leaseMs } from './worker.ts';

/**
 * Two processes with one catalog, each with an engine of its own. On PostgreSQL each has its own connection, too; with
 * SQLite, where one thread would wait for itself, they share it.
 */
interface Process {
  catalog: Catalog;
  engine: JobEngine;
  phases: PhaseGuard;
}

let directory: string;
let scratch: ScratchPlace;
let now: Temporal.Instant;
let monotonicMs: number;
const processes: Process[] = [];
const log = { info() {}, warn() {}, error() {} };
const clock = { now: () => now, monotonicMs: () => monotonicMs, sleep: async () => {} };

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-workers-'));
  scratch = await scratchPlace(directory);
  now = Temporal.Instant.from('2026-01-01T00:00:00Z');
  monotonicMs = 0;
});
afterEach(async () => {
  const ending = processes.splice(0);
  for (const { engine } of ending) {
    await engine.stop();
    await engine.signOff();
  }
  for (const catalog of new Set(ending.map((each) => each.catalog))) await catalog[Symbol.asyncDispose]();
  await scratch[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

async function startProcess(
  operation: (process: Process) => Operation<{ itemId: string }>,
  options: { mostJobs?: number; home?: string } = {},
): Promise<Process> {
  const shared = onPostgres() ? undefined : processes[0]?.catalog;
  const catalog = shared ?? (await openCatalog(scratch.place));
  const engine = new JobEngine(catalog.db, clock, log, { isShared: true, ...options });
  const process = { catalog, engine, phases: new PhaseGuard(catalog.db, clock, log, engine.worker) };
  processes.push(process);
  engine.register('Restore', operation(process));
  await engine.resumeOpenJobs();
  return process;
}

const newJob = (itemId: string): NewJob<{ itemId: string }> => ({
  vaultId: 'v1',
  itemId,
  entityName: itemId,
  userTriggered: true,
  payload: { itemId },
  taskIds: [],
});

const pass = (milliseconds: number) => {
  now = now.add({ milliseconds });
  monotonicMs += milliseconds;
};

/** Work that goes on until it is let go, or stopped. */
function patientWork() {
  const begun: string[] = [];
  const reasons: unknown[] = [];
  const done = Promise.withResolvers<JobStatus>();
  const work =
    (how: string) =>
    (name: string) =>
    ({ signal }: { signal: AbortSignal }) => {
      begun.push(`${name} ${how}`);
      return new Promise<JobStatus>((resolve, reject) => {
        void done.promise.then(resolve);
        const stop = () => {
          reasons.push(signal.reason);
          reject(signal.reason);
        };
        if (signal.aborted) stop();
        else signal.addEventListener('abort', stop);
      });
    };
  const of = (name: string): Operation<{ itemId: string }> => ({
    run: work('runs')(name),
    resume: work('resumes')(name),
    cancelRefusal: () => undefined,
  });
  return { begun, reasons, finish: () => done.resolve('Completed'), of };
}

const statusOf = async ({ catalog }: Process, jobId: string) =>
  (await findJob(catalog.db, jobId))?.job.status;

const propertiesOf = async ({ catalog }: Process, jobId: string) =>
  (await findJob(catalog.db, jobId))?.job.property_bag_json ?? '';

it('runs every job of one queue once, and no phase of an item twice at a time', async () => {
  const runs: string[] = [];
  const inPhase = new Set<string>();
  const workers = new Set<string>();
  let clashes = 0;
  const operation = ({ phases, engine }: Process): Operation<{ itemId: string }> => {
    const run: Operation<{ itemId: string }>['run'] = async ({ payload: { itemId }, jobId }) => {
      runs.push(jobId);
      workers.add(engine.worker.id);
      await using phase = await phases.tryEnter('transfer', itemId);
      if (phase === undefined) {
        clashes += 1;
        return 'Failed';
      }
      expect(inPhase.has(itemId)).toBe(false);
      inPhase.add(itemId);
      for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      inPhase.delete(itemId);
      return 'Completed';
    };
    return { run, resume: run };
  };
  const [a, b] = [
    await startProcess(operation, { mostJobs: 3 }),
    await startProcess(operation, { mostJobs: 3 }),
  ];
  const jobs = Array.from({ length: 40 }, (_, i) => newJob(`item-${i % 4}`));
  const jobIds = await a.engine.startMany('Restore', async () => jobs);
  while ((await listOpenJobs(a.catalog.db)).length > 0) {
    await Promise.all([a.engine.beat(), b.engine.beat()]);
    await Promise.all(jobIds.flatMap((jobId) => [a.engine.wait(jobId), b.engine.wait(jobId)]));
  }
  expect(runs.toSorted()).toEqual(jobIds.toSorted());
  expect(workers.size).toBe(2);
  const statuses = await Promise.all(jobIds.map((jobId) => statusOf(a, jobId)));
  expect(statuses.filter((status) => status === 'Failed')).toHaveLength(clashes);
  expect(statuses.filter((status) => status === 'Completed')).toHaveLength(40 - clashes);
});

it('takes up the job of a worker that died when its lease is over, and not before', async () => {
  const work = patientWork();
  const a = await startProcess(() => work.of('a'));
  const b = await startProcess(() => work.of('b'));
  const jobId = await a.engine.start('Restore', newJob('i'));
  await using _phase = await a.phases.tryEnter('transfer', 'i');
  pass(leaseMs - 1);
  await b.engine.beat();
  expect(await b.phases.tryEnter('transfer', 'i')).toBeUndefined();
  expect(work.begun).toEqual(['a runs']);
  pass(2);
  await b.engine.beat();
  expect(work.begun).toEqual(['a runs', 'b resumes']);
  await using taken = await b.phases.tryEnter('transfer', 'i');
  expect(taken).toBeDefined();
  // It was only late, and finds that it has nothing any more.
  await a.engine.beat();
  expect(work.reasons).toEqual([expect.any(LeaseLost)]);
  expect(await statusOf(b, jobId)).toBe('InProgress');
  work.finish();
  await b.engine.wait(jobId);
  expect(await statusOf(a, jobId)).toBe('Completed');
});

it('writes nothing of a job any more once another worker may have it, however late it comes', async () => {
  const goOn = Promise.withResolvers<void>();
  const refused: unknown[] = [];
  const done = Promise.withResolvers<JobStatus>();
  const late = { ...newJob('i'), taskIds: ['Copy'] };
  const writes = (context: JobContext<{ itemId: string }>) => [
    () => context.savePayload({ itemId: 'another' }),
    () => context.setProperties({ Said: 'late' }),
    () => context.setError({ code: 'Late', message: 'late', action: '' }),
    () => context.skipTask('Copy', 'late'),
    () => context.write((tx) => saveSetting(tx, 'late', 'yes')),
  ];
  const a = await startProcess(() => ({
    async run(context) {
      await context.setProperties({ Said: 'in time' });
      await goOn.promise;
      for (const write of writes(context)) refused.push(await write().catch((error: unknown) => error));
      expect(context.signal.reason).toBeInstanceOf(LeaseLost);
      return 'Failed';
    },
    resume: () => done.promise,
  }));
  const b = await startProcess(() => ({
    run: () => done.promise,
    async resume(context) {
      await context.runTask('Copy', async (task) => {
        await task.say('taken up');
        await done.promise;
      });
      return done.promise;
    },
  }));
  const jobId = await a.engine.start('Restore', late);
  await until('it has begun', async () => (await propertiesOf(b, jobId)).includes('in time'));
  // A goes on without knowing: it does not come to its next beat.
  pass(leaseMs + 1);
  await b.engine.beat();
  await until(
    'it is taken up',
    async () => (await findJob(b.catalog.db, jobId))?.tasks[0]?.message === 'taken up',
  );
  goOn.resolve();
  await a.engine.wait(jobId);
  expect(refused).toEqual(refused.map(() => expect.any(LeaseLost)));
  expect(refused).toHaveLength(5);
  expect(await findSetting(b.catalog.db, 'late')).toBeUndefined();
  const found = await findJob(b.catalog.db, jobId);
  expect(found?.job).toMatchObject({ status: 'InProgress', ended_at: null, error_json: null });
  expect(JSON.parse(found?.job.payload_json ?? '')).toEqual({ itemId: 'i' });
  expect(found?.job.property_bag_json).toContain('in time');
  expect(found?.tasks).toMatchObject([{ status: 'InProgress', message: 'taken up' }]);
  done.resolve('Completed');
  await b.engine.wait(jobId);
  expect(await statusOf(b, jobId)).toBe('Completed');
});

it('has nothing to write for a job of a worker that was forgotten and that nobody has taken yet', async () => {
  const goOn = Promise.withResolvers<void>();
  const refused = Promise.withResolvers<unknown>();
  const a = await startProcess(() => ({
    async run(context) {
      await goOn.promise;
      await context.setProperties({ Said: 'late' }).catch(refused.resolve);
      return 'Completed';
    },
    resume: async () => 'Completed',
  }));
  const b = await startProcess(() => patientWork().of('b'), { mostJobs: 0 });
  const jobId = await a.engine.start('Restore', newJob('i'));
  pass(leaseMs + 1);
  // It takes the phases of the dead, and has no room for their jobs.
  await using phase = await b.phases.tryEnter('transfer', 'i');
  expect(phase).toBeDefined();
  goOn.resolve();
  expect(await refused.promise).toBeInstanceOf(LeaseLost);
  await a.engine.wait(jobId);
  expect(await statusOf(b, jobId)).toBe('InProgress');
});

it('lets go of its jobs by itself when it can not renew its lease in time, and takes them up again', async () => {
  const work = patientWork();
  const a = await startProcess(() => work.of('a'));
  const jobId = await a.engine.start('Restore', newJob('i'));
  const { db } = a.catalog;
  const renew = db.updateTable;
  db.updateTable = () => {
    throw new Error('connection refused');
  };
  pass(leaseMs / 2);
  await a.engine.beat();
  expect(work.reasons).toEqual([]);
  pass(leaseMs / 2);
  await a.engine.beat();
  expect(work.reasons).toEqual([expect.any(LeaseLost)]);
  db.updateTable = renew;
  await a.engine.beat();
  expect(work.begun).toEqual(['a runs', 'a resumes']);
  work.finish();
  await a.engine.wait(jobId);
  expect(await statusOf(a, jobId)).toBe('Completed');
});

it('takes up at once what the process before left in the same home, or signed off from', async () => {
  const work = patientWork();
  const a = await startProcess(() => work.of('a'), { home: 'one' });
  const jobId = await a.engine.start('Restore', newJob('i'));
  const next = await startProcess(() => work.of('next'), { home: 'one' });
  expect(work.begun).toEqual(['a runs', 'next resumes']);
  await next.engine.stop();
  await next.engine.signOff();
  const other = await startProcess(() => work.of('other'), { home: 'two' });
  expect(work.begun).toEqual(['a runs', 'next resumes', 'other resumes']);
  work.finish();
  await other.engine.wait(jobId);
  expect(await statusOf(other, jobId)).toBe('Completed');
});

it('cancels a job that another worker has, and one that waits for any', async () => {
  const work = patientWork();
  const a = await startProcess(() => work.of('a'), { mostJobs: 1 });
  const b = await startProcess(() => work.of('b'), { mostJobs: 0 });
  const [first = '', second = ''] = await a.engine.startMany('Restore', async () => [
    newJob('i'),
    newJob('j'),
  ]);
  const ownerOf = async (jobId: string) => (await findJob(a.catalog.db, jobId))?.job.owner;
  const [running, waiting] = (await ownerOf(first)) === null ? [second, first] : [first, second];
  for (const jobId of [running, waiting]) {
    const found = await findJob(a.catalog.db, jobId);
    expect(found && b.engine.cancelRefusal(found.job)).toBeUndefined();
  }
  await b.engine.cancel(running);
  await b.engine.cancel(waiting);
  expect(await statusOf(a, running)).toBe('Cancelling');
  await a.engine.beat();
  await a.engine.wait(running);
  expect(await statusOf(b, running)).toBe('Cancelled');
  await a.engine.beat();
  await a.engine.wait(waiting);
  expect(await statusOf(b, waiting)).toBe('Cancelled');
  expect(work.begun.filter((what) => what === 'a runs')).toHaveLength(1);
  await expect(b.engine.cancel(waiting)).rejects.toMatchObject({ code: 'JobNotCancellable' });
});

it('begins what a person asked for before what the schedule did', async () => {
  const work = patientWork();
  const order: string[] = [];
  const a = await startProcess(
    () => ({
      run: async ({ payload }) => {
        order.push(payload.itemId);
        return 'Completed';
      },
      resume: async () => 'Completed',
    }),
    { mostJobs: 1 },
  );
  await a.engine.startMany('Restore', async () => [
    { ...newJob('first'), userTriggered: false },
    { ...newJob('asked for'), userTriggered: true },
    { ...newJob('last'), userTriggered: false },
  ]);
  while ((await listOpenJobs(a.catalog.db)).length > 0) await a.engine.beat();
  expect(order[0]).toBe('asked for');
  expect(order.toSorted()).toEqual(['asked for', 'first', 'last']);
  work.finish();
});
