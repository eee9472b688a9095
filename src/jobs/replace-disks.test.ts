import { afterEach, beforeEach, expect, it } from 'vitest';
import { findJob, findPoint, listPoints, type PointRow, updatePoint } from '../catalog/index.ts';
import { startBackup } from './backup.ts';
import type { RestoreOptions } from './restore-plan.ts';
import { startRestore } from './start-restore.ts';
import { allEnded, died } from './testing/deaths.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';

let estate: SmallEstate;
/** What the disk held at the point, and what it holds when it is replaced. */
let [atPoint, later]: [Uint8Array, Uint8Array] = [new Uint8Array(), new Uint8Array()];

const vda = () => estate.host.contentOf(estate.vmUuid, 'vda');

async function prepare(): Promise<void> {
  estate = await createSmallEstate();
  estate.host.write(estate.vmUuid, 'vda', 100_000, new Uint8Array(50_000).fill(5));
  await backUp();
  atPoint = vda().slice();
  estate.host.write(estate.vmUuid, 'vda', 90_000, new Uint8Array(20_000).fill(9));
  later = vda().slice();
}

beforeEach(prepare);
afterEach(() => estate[Symbol.asyncDispose]());

async function backUp(): Promise<void> {
  estate.now = estate.now.add({ seconds: 1 });
  await estate.settled(await startBackup(estate.workshop, await estate.item(), { onDemand: {} }));
}

const points = () => listPoints(estate.workshop.db, estate.itemId);

async function replace(options: Partial<RestoreOptions> = {}, point?: PointRow): Promise<string> {
  estate.now = estate.now.add({ seconds: 1 });
  const [first] = await points();
  if (first === undefined) throw new Error('no point');
  return startRestore(estate.workshop, await estate.item(), point ?? first, {
    kind: 'original',
    directory: '',
    ...options,
  });
}

it.each(['snapshot', 'vault'] as const)(
  'puts the VM’s disks back from the %s, and keeps what they had',
  async (tier) => {
    await estate.host.stopMachine(estate.vmUuid, { force: true });
    const jobId = await replace({ tier, start: true });
    await estate.settled(jobId);
    const record = await findJob(estate.workshop.db, jobId);
    expect(record?.job, record?.job.error_json ?? '').toMatchObject({ status: 'Completed' });
    expect(record?.tasks.map((task) => [task.task_id, task.status])).toEqual([
      [tier === 'vault' ? 'Transfer data from vault' : 'Copy data from snapshot', 'Completed'],
      ['Replace disks', 'Completed'],
    ]);
    expect(Buffer.from(vda()).equals(atPoint)).toBe(true);
    expect((await estate.host.getMachine(estate.vmUuid)).state).toBe('running');
    const [, before] = await points();
    expect(before).toMatchObject({ job_id: jobId, in_snapshot: 1, in_vault: 0 });
    expect(JSON.parse(before?.frozen_json ?? '{}')).toMatchObject({ isBeforeRestore: true });
    const { 'Recovery point of the replaced disks': named } = JSON.parse(
      record?.job.property_bag_json ?? '{}',
    );
    expect(named).toBe(before?.point_id);

    // The next backup is of what was restored; and there is a way back.
    await backUp();
    expect((await points()).at(-1)).toMatchObject({ in_vault: 1 });
    await estate.host.stopMachine(estate.vmUuid, { force: true });
    const back = await replace({}, before);
    await estate.settled(back);
    expect((await findJob(estate.workshop.db, back))?.job).toMatchObject({ status: 'Completed' });
    expect(Buffer.from(vda()).equals(later)).toBe(true);
  },
);

it('is refused while the VM runs, and for disks that it has not, or smaller', async () => {
  await expect(replace()).rejects.toMatchObject({ code: 'UserErrorVmNotShutDown' });
  await estate.host.stopMachine(estate.vmUuid, { force: true });
  await expect(replace({ disks: ['vdx'] })).rejects.toMatchObject({ code: 'InvalidInput' });
  const [point] = await points();
  if (point === undefined) throw new Error('no point');
  const frozen = JSON.parse(point.frozen_json);
  frozen.disks[0].sizeBytes += 4096;
  await updatePoint(estate.workshop.db, point.point_id, { frozen_json: JSON.stringify(frozen) });
  await expect(replace()).rejects.toThrow(/has 1048576 bytes now, and 1052672/);
  expect(Buffer.from(vda()).equals(later)).toBe(true);
});

it('leaves the disks as they are when it fails or is cancelled', async () => {
  await estate.host.stopMachine(estate.vmUuid, { force: true });
  const opening = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  estate.host.onCall = async (operation) => {
    if (operation !== 'openPoint') return;
    opening.resolve();
    await goOn.promise;
    throw new Error('the layers are gone');
  };
  const failed = await replace({ tier: 'snapshot' });
  await opening.promise;
  // A backup would take its point from under the restore.
  await expect(startBackup(estate.workshop, await estate.item(), { onDemand: {} })).rejects.toMatchObject({
    code: 'UserErrorBackupOperationInProgress',
  });
  goOn.resolve();
  await estate.settled(failed);
  expect((await findJob(estate.workshop.db, failed))?.job.status).toBe('Failed');
  expect(Buffer.from(vda()).equals(later)).toBe(true);
  expect(await points()).toHaveLength(1);
  estate.host.onCall = () => {};
});

it('is done, or has not begun, wherever the service dies', async () => {
  let ends = 0;
  for (let writes = 0; ; writes++) {
    await estate[Symbol.asyncDispose]();
    await prepare();
    await estate.host.stopMachine(estate.vmUuid, { force: true });
    estate.dieAtWrite(writes);
    const jobId = await replace({ tier: 'vault' }).catch(() => undefined);
    if (jobId !== undefined) await Promise.race([died(estate), estate.settled(jobId)]);
    const hasDied = estate.isDead();
    await estate.restart();
    await allEnded(estate);
    const isReplaced = Buffer.from(vda()).equals(atPoint);
    if (!isReplaced) expect(Buffer.from(vda()).equals(later), `after ${writes} writes`).toBe(true);
    const rows = await points();
    expect(rows.length, `after ${writes} writes`).toBe(isReplaced ? 2 : 1);
    // What no row names is given back by the maintenance.
    for (const { point_id: id } of rows)
      expect(await findPoint(estate.workshop.db, estate.itemId, id)).toMatchObject({ in_snapshot: 1 });
    const job = jobId === undefined ? undefined : (await findJob(estate.workshop.db, jobId))?.job;
    if (job !== undefined)
      expect([job.status, writes]).toEqual([isReplaced ? 'Completed' : 'Failed', writes]);
    if (isReplaced && hasDied) ends++;
    if (!hasDied) break;
  }
  expect(ends).toBeGreaterThan(0);
});
