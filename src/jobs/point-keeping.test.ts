import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findJob, listPoints, type PointRow, updateItem } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { type BackupPolicy, enhancedPolicy } from '../protection/index.ts';
import { startBackup } from './backup.ts';
import { planNextBackup } from './next-backup.ts';
import { underPolicy } from './policies.ts';
import { startDueBackups } from './scheduler.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';

let estate: SmallEstate;

/** Every 4 hours from 08:00, UTC; Sundays are kept for 4 weeks. 1 March 2026 is a Sunday. */
const hourly: BackupPolicy = {
  ...enhancedPolicy,
  retention: { daily: { count: 30 }, weekly: { count: 20, days: ['Sunday'] } },
};
const at = (text: string) => Temporal.Instant.from(`2026-03-${text}Z`);

beforeEach(async () => {
  estate = await createSmallEstate();
  estate.now = at('01T15:00');
  await updateItem(estate.workshop.db, estate.itemId, underPolicy(hourly, estate.now));
  await planNextBackup(estate.workshop.db, estate.itemId, estate.now);
});
afterEach(() => estate[Symbol.asyncDispose]());

/** Lets time pass to each of the moments, and runs what is due then. */
async function passing(...moments: string[]): Promise<PointRow[]> {
  for (const moment of moments) {
    estate.now = at(moment);
    estate.host.write(
      estate.vmUuid,
      'vda',
      4096 * (Number(moment.slice(3, 5)) + 1),
      new Uint8Array(10).fill(1),
    );
    for (const jobId of await startDueBackups(estate.workshop)) await estate.settled(jobId);
  }
  return listPoints(estate.workshop.db, estate.itemId);
}

const view = (points: PointRow[]) =>
  points.map(
    (point) =>
      `${point.taken_at.slice(8, 16)} ${point.in_vault === 1 ? 'vault' : 'snapshot'} ${point.rule_name} until ${point.expires_at.slice(0, 10)}`,
  );

describe('an hourly policy', () => {
  it('brings the first and the last of each day to the vault, and keeps the others as snapshots', async () => {
    const points = await passing('01T16:00', '01T20:00', '02T00:00', '02T04:00', '02T20:00');
    expect(view(points)).toEqual([
      '01T16:00 vault Daily until 2026-03-31',
      '01T20:00 vault Weekly until 2026-07-19',
      '02T00:00 snapshot InstantRestore until 2026-03-09',
      '02T04:00 snapshot InstantRestore until 2026-03-09',
      '02T20:00 vault Daily until 2026-04-01',
    ]);
    const job = await findJob(estate.workshop.db, points[2]?.job_id ?? '');
    expect(job?.job.status).toBe('Completed');
    expect(job?.tasks).toMatchObject([
      { task_id: 'Take Snapshot', status: 'Completed' },
      { task_id: 'Transfer data to vault', status: 'Skipped', message: expect.stringContaining('policy') },
    ]);
    // What changed since the last point in the vault came with the next that went there.
    const [vda] = JSON.parse(points[4]?.transfer_json ?? '[]') as { basis: string; readBytes: number }[];
    expect(vda).toMatchObject({ basis: `delta since ${points[1]?.point_id}`, readBytes: 3 * 4096 });
  });

  it('brings what the last backup of a day failed to bring with the first of the next, under its tags', async () => {
    await passing('01T16:00');
    estate.host.onCall = (operation) => {
      if (operation === 'takePoint') throw new HoldfastError('HostUnreachable', 'Away.');
    };
    await passing('01T20:00');
    estate.host.onCall = () => {};
    expect(view(await passing('02T00:00', '02T04:00')).slice(1)).toEqual([
      '02T00:00 vault Weekly until 2026-07-20',
      '02T04:00 snapshot InstantRestore until 2026-03-09',
    ]);
  });

  it('brings the oldest to the vault, too, before its host has more snapshots than it carries', async () => {
    const { db } = estate.workshop;
    // Of so many disks a host carries two snapshots.
    const disks = Object.fromEntries(Array.from({ length: 80 }, (_, n) => [`vd${n}`, 4096]));
    const vmUuid = estate.host.addMachine('big', disks);
    await updateItem(db, estate.itemId, { vm_uuid: vmUuid, vm_name: 'big' });
    const run = async (moment: string) => {
      estate.now = at(moment);
      estate.host.write(vmUuid, 'vd7', 0, new Uint8Array(4096).fill(estate.now.epochMilliseconds % 251));
      for (const jobId of await startDueBackups(estate.workshop)) await estate.settled(jobId);
      return (await listPoints(db, estate.itemId)).map(
        (point) =>
          `${point.taken_at.slice(8, 13)}${point.in_snapshot === 1 ? ' snapshot' : ''}${point.in_vault === 1 ? ' vault' : ''}`,
      );
    };
    await run('02T00:00');
    await run('02T04:00');
    expect(await run('02T08:00')).toEqual(['02T00 snapshot vault', '02T04 snapshot', '02T08 snapshot']);
    expect(await run('02T12:00')).toEqual([
      '02T00 vault',
      '02T04 vault',
      '02T08 snapshot',
      '02T12 snapshot vault',
    ]);
    const [first, second] = await listPoints(db, estate.itemId);
    expect(second).toMatchObject({ rule_name: 'InstantRestore' });
    const transfers = JSON.parse(second?.transfer_json ?? '[]') as {
      target: string;
      basis: string;
      readBytes: number;
    }[];
    expect(transfers.filter(({ readBytes }) => readBytes > 0)).toMatchObject([
      { target: 'vd7', basis: `delta since ${first?.point_id}`, readBytes: 4096 },
    ]);
  });

  it('leaves a snapshot one after a restart in the middle of its job', async () => {
    await passing('01T16:00');
    estate.now = at('02T08:00');
    const jobId = await startBackup(estate.workshop, await estate.item(), { runAt: `${at('01T19:00')}` });
    await estate.settled(jobId);
    const { db } = estate.workshop;
    await db
      .updateTable('jobs')
      .set({ status: 'InProgress', ended_at: null, owner: 'one that died' })
      .where('job_id', '=', jobId)
      .execute();
    await db
      .updateTable('job_tasks')
      .set({ status: 'NotStarted' })
      .where('job_id', '=', jobId)
      .where('position', '=', 1)
      .execute();
    await estate.restart();
    await estate.settled(jobId);
    expect((await listPoints(estate.workshop.db, estate.itemId)).map((point) => point.in_vault)).toEqual([
      1, 0,
    ]);
  });
});

describe('an on-demand backup', () => {
  it('goes to the vault, is kept as its caller said, and does no duty of the schedule', async () => {
    await passing('01T16:00');
    estate.now = at('01T19:00');
    const until = '2026-12-24T12:00:00Z';
    for (const options of [{}, { until }]) {
      await estate.settled(await startBackup(estate.workshop, await estate.item(), { onDemand: options }));
      estate.now = estate.now.add({ minutes: 10 });
    }
    expect(view(await passing('01T20:00'))).toEqual([
      '01T16:00 vault Daily until 2026-03-31',
      '01T19:00 vault null until 2026-03-31',
      '01T19:10 vault null until 2026-12-24',
      '01T20:00 vault Weekly until 2026-07-19',
    ]);
  });
});
