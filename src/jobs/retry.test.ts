import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { findJob, listPoints } from '../catalog/index.ts';
import { type ErrorCode, HoldfastError } from '../errors/index.ts';
import { startBackup } from './backup.ts';
import { runningOn } from './item-facts.ts';
import { startRestore } from './start-restore.ts';
import { stopProtection } from './stop-protection.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';

let estate: SmallEstate;
/** What the host refuses with, while it does. */
let refusal: HoldfastError | undefined;
/** How often the host was asked for a point. */
let takes: number;

beforeEach(async () => {
  estate = await createSmallEstate();
  estate.retries = true;
  refusal = undefined;
  takes = 0;
  estate.host.onCall = (operation) => {
    if (operation !== 'takePoint') return;
    takes += 1;
    if (refusal !== undefined) throw refusal;
  };
});
afterEach(() => estate[Symbol.asyncDispose]());

const away = (code: ErrorCode = 'HostUnreachable') => new HoldfastError(code, 'It is away.');

async function backUp(): Promise<string> {
  const jobId = await startBackup(estate.workshop, await estate.item(), { onDemand: {} });
  await estate.settled(jobId);
  return jobId;
}

async function jobOf(jobId: string) {
  const found = await findJob(estate.workshop.db, jobId);
  if (found === undefined) throw new Error(`no job ${jobId}`);
  const properties = JSON.parse(found.job.property_bag_json) as Record<string, string>;
  const error = found.job.error_json === null ? undefined : JSON.parse(found.job.error_json);
  const tasks = found.tasks.map(({ status }) => status);
  return {
    ...found.job,
    properties,
    error,
    tasks,
    message: found.tasks.find((task) => task.message)?.message,
  };
}

/** Lets time pass, and the worker look. */
async function pass(seconds: number): Promise<void> {
  estate.now = estate.now.add({ seconds });
  await estate.workshop.engine.beat();
  await estate.idle();
}

it('tries a backup again when the host is back, and says when and how often', async () => {
  refusal = away();
  const failedAt = estate.now;
  const jobId = await backUp();
  const at = failedAt.add({ seconds: 30 });
  expect(await jobOf(jobId)).toMatchObject({
    ...{ status: 'InProgress', ended_at: null, owner: null, failures: 1 },
    properties: { Retries: '1', 'Next try': at.toString({ smallestUnit: 'second' }) },
    error: { code: 'HostUnreachable', message: 'It is away.' },
    tasks: ['NotStarted', 'NotStarted'],
    message: `It is away. It is tried again at ${at.toString({ smallestUnit: 'second' })}.`,
  });
  expect(await estate.item()).toMatchObject({ last_backup_status: '', last_error_json: null });
  const before = takes;
  await pass(29);
  expect(takes).toBe(before);
  await pass(1);
  expect(takes).toBe(before + 1);
  refusal = undefined;
  await pass(89);
  expect((await jobOf(jobId)).failures).toBe(2);
  await pass(1);
  const job = await jobOf(jobId);
  expect(job).toMatchObject({ status: 'Completed', tasks: ['Completed', 'Completed'], error: undefined });
  expect(job.properties).toMatchObject({ Retries: '2' });
  expect(job.properties).not.toHaveProperty('Next try');
  expect(await estate.item()).toMatchObject({ last_backup_status: 'Completed', state: 'Protected' });
});

it('fails in the end, with the cause of the last try', async () => {
  refusal = away();
  const jobId = await backUp();
  for (const seconds of [30, 90, 270, 780]) {
    await pass(seconds);
    expect((await jobOf(jobId)).status).toBe('InProgress');
  }
  refusal = away('UserErrorVmNotInDesirableState');
  await pass(1800);
  expect(await jobOf(jobId)).toMatchObject({
    ...{ status: 'Failed', tasks: ['Failed', 'Failed'] },
    error: { code: 'UserErrorVmNotInDesirableState' },
    properties: { Retries: '5' },
  });
  expect(await estate.item()).toMatchObject({ last_backup_status: 'Failed' });
});

it('fails at once of what does not pass by itself', async () => {
  for (const code of ['UserErrorVmNotFoundV2', 'UserErrorHostStorageFull'] as const) {
    refusal = away(code);
    expect(await jobOf(await backUp())).toMatchObject({ status: 'Failed', failures: 0, error: { code } });
  }
});

it('does only the transfer again when that failed', async () => {
  const { estate: opened } = estate.workshop;
  vi.spyOn(opened, 'store').mockRejectedValueOnce(away('StoreUnavailable'));
  const jobId = await backUp();
  expect(await jobOf(jobId)).toMatchObject({ status: 'InProgress', tasks: ['Completed', 'NotStarted'] });
  await pass(30);
  expect(await jobOf(jobId)).toMatchObject({ status: 'Completed', tasks: ['Completed', 'Completed'] });
  expect(takes).toBe(1);
  expect(await listPoints(estate.workshop.db, estate.itemId)).toMatchObject([
    { in_snapshot: 1, in_vault: 1 },
  ]);
});

it('completes with warnings when the vault stays away', async () => {
  vi.spyOn(estate.workshop.estate, 'store').mockRejectedValue(away('StoreUnavailable'));
  const jobId = await backUp();
  for (const seconds of [30, 90, 270, 780, 1800]) await pass(seconds);
  expect(await jobOf(jobId)).toMatchObject({
    ...{ status: 'CompletedWithWarnings', tasks: ['Completed', 'Failed'] },
    error: { code: 'StoreUnavailable' },
  });
});

it('is cancelled while it waits, and leaves nothing behind', async () => {
  vi.spyOn(estate.workshop.estate, 'store').mockRejectedValueOnce(away('StoreUnavailable'));
  const jobId = await backUp();
  const { engine, db } = estate.workshop;
  expect(engine.cancelRefusal(await jobOf(jobId))).toBeUndefined();
  await engine.cancel(jobId);
  await estate.settled(jobId);
  expect(await jobOf(jobId)).toMatchObject({
    status: 'Cancelled',
    error: { code: 'UserErrorJobSuccessfullyCancelled' },
  });
  expect((await findJob(db, jobId))?.job.property_bag_json).not.toContain('Next try');
  expect(await listPoints(db, estate.itemId)).toEqual([]);
  await pass(30);
  expect((await jobOf(jobId)).status).toBe('Cancelled');
});

it('waits across a restart, and not for a clock that was set back', async () => {
  refusal = away();
  const jobId = await backUp();
  await estate.restart();
  expect(await jobOf(jobId)).toMatchObject({ failures: 1, owner: null });
  refusal = undefined;
  estate.now = estate.now.subtract({ hours: 24 });
  await pass(0);
  expect((await jobOf(jobId)).status).toBe('Completed');
});

it("takes no snapshot any more once protection was stopped, and stands in nobody's way meanwhile", async () => {
  refusal = away();
  const jobId = await backUp();
  const { workshop } = estate;
  expect(await runningOn(workshop.db, estate.itemId)).toEqual([]);
  await estate.settled(await stopProtection(workshop, await estate.item()));
  refusal = undefined;
  const before = takes;
  await pass(30);
  expect(await jobOf(jobId)).toMatchObject({
    status: 'Failed',
    error: { code: 'UserErrorBcmDatasourceNotPresent' },
  });
  expect(takes).toBe(before);
});

it('begins a restore anew, and leaves nothing of the first try', async () => {
  await backUp();
  const [point] = await listPoints(estate.workshop.db, estate.itemId);
  if (point === undefined) throw new Error('no point');
  const directory = join(estate.directory, 'restored');
  const options = { kind: 'disks' as const, directory, tier: 'vault' as const };
  vi.spyOn(estate.workshop.estate, 'store').mockRejectedValueOnce(away('StoreUnavailable'));
  const jobId = await startRestore(estate.workshop, await estate.item(), point, options);
  await estate.settled(jobId);
  expect(await jobOf(jobId)).toMatchObject({ status: 'InProgress', error: { code: 'StoreUnavailable' } });
  expect(await readdir(directory)).toEqual([]);
  await pass(30);
  expect(await jobOf(jobId)).toMatchObject({ status: 'Completed', properties: { Retries: '1' } });
  const names = ['vda.raw', 'vdb.raw'].map((name) => `web-${point.point_id}-${name}`);
  expect((await readdir(directory)).sort()).toEqual([...names, `web-${point.point_id}.xml`]);
});
