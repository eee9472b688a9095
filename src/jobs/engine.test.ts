import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { onPostgres, type ScratchPlace, scratchPlace } from '../../tests/support/scratch-place.ts';
import {
  type Catalog,
  findJob,
  insertVault,
  listOpenJobs,
  openCatalog,
  updateJob,
} from '../catalog/index.ts';
import { isHoldfastError } from '../errors/index.ts';
import type { JobStatus } from '../protection/index.ts';
import { JobEngine, type NewJob, type Operation } from './engine.ts';

let directory: string;
let catalog: Catalog;
let scratch: ScratchPlace;
const warnings: string[] = [];
const log = { info() {}, warn: (_: object, message: string) => void warnings.push(message), error() {} };
const clock = {
  now: () => Temporal.Now.instant(),
  monotonicMs: () => performance.now(),
  sleep: async () => {},
};

beforeEach(async () => {
  warnings.length = 0;
  directory = await mkdtemp(join(tmpdir(), 'holdfast-engine-'));
  scratch = await scratchPlace(directory);
  catalog = await openCatalog(scratch.place);
  await insertVault(
    catalog.db,
    {
      vault_id: 'v1',
      resource_group: 'default',
      name: 'Main',
      location: 'local',
      tags_json: '{}',
      settings_json: '{}',
      store_path: '/s',
      store_id: 's1',
      encrypted: 0,
      immutability: 'Disabled',
      soft_delete: 'Enabled',
      soft_delete_days: 14,
      created_at: '2026-01-01T00:00:00.000Z',
    },
    [],
  );
});
afterEach(async () => {
  vi.useRealTimers();
  await catalog[Symbol.asyncDispose]();
  await scratch[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const newJob = (taskIds: string[] = []): NewJob<object> => ({
  vaultId: 'v1',
  itemId: undefined,
  entityName: 'web',
  userTriggered: true,
  payload: {},
  taskIds,
});

async function engineOf(operation: Operation<object>): Promise<JobEngine> {
  const engine = new JobEngine(catalog.db, clock, log);
  await engine.worker.enter();
  engine.register('Restore', operation);
  return engine;
}

const jobOf = async (jobId: string) => (await findJob(catalog.db, jobId))?.job;

it('never leaves a job that has ended looking as if it ran, whenever the cancel comes', async () => {
  const seen = new Set<string>();
  for (let offset = 0; offset < 80; offset += 1) {
    const work = Promise.withResolvers<JobStatus>();
    const engine = await engineOf({
      run: () => work.promise,
      resume: () => work.promise,
      cancelRefusal: () => undefined,
    });
    const jobId = await engine.start('Restore', newJob());
    work.resolve('Completed');
    for (let turn = 0; turn < offset; turn += 1) await Promise.resolve();
    const answer = await engine.cancel(jobId).then(
      () => 'accepted',
      (error: unknown) => (isHoldfastError(error) ? error.code : String(error)),
    );
    await engine.wait(jobId);
    seen.add(answer);
    expect(await jobOf(jobId)).toMatchObject({ status: 'Completed', ended_at: expect.any(String) });
  }
  expect(seen).toContain('JobNotCancellable');
  expect([...seen].filter((answer) => answer !== 'accepted')).toEqual(['JobNotCancellable']);

  const resumed = vi.fn(async () => 'Completed' as const);
  const next = await engineOf({ run: resumed, resume: resumed });
  await next.resumeOpenJobs();

  expect(resumed).not.toHaveBeenCalled();
});

it('stops a job at once when it is cancelled, and says so when it had ended by itself', async () => {
  const engine = await engineOf({
    run: ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    resume: async () => 'Completed',
    cancelRefusal: () => undefined,
  });
  const jobId = await engine.start('Restore', newJob());
  await engine.cancel(jobId);
  await engine.wait(jobId);
  expect(await jobOf(jobId)).toMatchObject({ status: 'Cancelled' });
  await expect(engine.cancel(jobId)).rejects.toMatchObject({ code: 'JobNotCancellable' });
});

it('does not take up a job that has an end, whatever its status says', async () => {
  const resumed = vi.fn(async () => 'Completed' as const);
  const engine = await engineOf({ run: resumed, resume: resumed });
  const jobId = await engine.start('Restore', newJob());
  await engine.wait(jobId);
  await updateJob(catalog.db, jobId, { status: 'Cancelling', owner: 'another run' });
  expect(await listOpenJobs(catalog.db)).toEqual([]);
});

it('writes nothing down when what belongs with the job could not be written', async () => {
  const run = vi.fn(async () => 'Completed' as const);
  const engine = await engineOf({ run, resume: run });
  const start = engine.start('Restore', {
    ...newJob(),
    alongside: async (tx) => {
      await tx.updateTable('vaults').set({ name: 'Renamed' }).execute();
      throw new Error('the disk is full');
    },
  });
  await expect(start).rejects.toThrow('the disk is full');
  expect(await listOpenJobs(catalog.db)).toEqual([]);
  expect(await catalog.db.selectFrom('vaults').select('name').execute()).toEqual([{ name: 'Main' }]);
  expect(run).not.toHaveBeenCalled();
});

it('goes on with its work when the progress of it can not be written', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const engine = await engineOf({
    async run(context) {
      await context.runTask('Copy', async (task) => {
        task.reportProgress(() => ({ processedBytes: 1, readBytes: 0, newBytes: 0, storedBytes: 0 }));
        vi.spyOn(catalog.db, 'transaction').mockImplementationOnce(() => {
          throw new Error('database or disk is full');
        });
        vi.advanceTimersByTime(600);
      });
      return 'Completed';
    },
    resume: async () => 'Completed',
  });
  const jobId = await engine.start('Restore', newJob(['Copy']));
  await engine.wait(jobId);
  expect(await jobOf(jobId)).toMatchObject({ status: 'Completed' });
  expect(warnings).toEqual(["could not write down a task's progress"]);
});

// The trigger is SQLite's.
it.skipIf(onPostgres())('records the end of a job later when it can not be recorded at once', async () => {
  const db = new DatabaseSync(join(directory, 'catalog.db'));
  const forbid = "create trigger no_room before update on jobs begin select raise(abort, 'no room'); end";
  let waits = 0;
  const engine = new JobEngine(
    catalog.db,
    {
      ...clock,
      sleep: async () => {
        waits += 1;
        if (waits === 2) db.exec('drop trigger no_room');
      },
    },
    log,
  );
  await engine.worker.enter();
  const ended = vi.fn();
  engine.register('Backup', {
    run: async () => {
      db.exec(forbid);
      return 'Completed';
    },
    resume: async () => 'Completed',
    ended,
  });
  const jobId = await engine.start('Backup', newJob());
  await engine.wait(jobId);
  db.close();
  expect(waits).toBe(2);
  expect((await findJob(catalog.db, jobId))?.job.status).toBe('Completed');
  expect(ended).toHaveBeenCalledOnce();
});
