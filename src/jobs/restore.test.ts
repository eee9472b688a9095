import { link, mkdir, readdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { onPostgres } from '../../tests/support/scratch-place.ts';
import { findJob, findPoint, listPoints, type PointRow, updateJob, updatePoint } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { startBackup } from './backup.ts';
import { makeDirectoryFor, Placing } from './placing.ts';
import type { RestoreOptions } from './restore-plan.ts';
import { startRestore } from './start-restore.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';

let estate: SmallEstate;
let target: string;

beforeEach(async () => {
  estate = await createSmallEstate();
  target = join(estate.directory, 'restored');
  estate.host.write(estate.vmUuid, 'vda', 100_000, new Uint8Array(50_000).fill(5));
  const jobId = await startBackup(estate.workshop, await estate.item(), { onDemand: {} });
  await estate.settled(jobId);
});
afterEach(() => estate[Symbol.asyncDispose]());

async function thePoint() {
  const [pointId] = await estate.host.listPoints(estate.vmUuid);
  const point = await findPoint(estate.workshop.db, estate.itemId, pointId ?? '');
  if (point === undefined) throw new Error('no point');
  return point;
}

async function restore(options: Partial<RestoreOptions> = {}): Promise<string> {
  return startRestore(estate.workshop, await estate.item(), await thePoint(), {
    kind: 'disks',
    directory: target,
    ...options,
  });
}

const statusOf = async (jobId: string) => (await findJob(estate.workshop.db, jobId))?.job;

it.each(['snapshot', 'vault'] as const)('restores disks byte for byte from the %s', async (tier) => {
  const atPoint = estate.host.contentOf(estate.vmUuid, 'vda').slice();
  estate.host.write(estate.vmUuid, 'vda', 0, new Uint8Array(4096).fill(9));
  const jobId = await restore({ tier });
  await estate.settled(jobId);
  expect(await statusOf(jobId)).toMatchObject({ status: 'Completed' });
  const { point_id: id } = await thePoint();
  expect((await readdir(target)).sort()).toEqual([`web-${id}-vda.raw`, `web-${id}-vdb.raw`, `web-${id}.xml`]);
  expect((await readFile(join(target, `web-${id}-vda.raw`))).equals(atPoint)).toBe(true);
  expect((await readFile(join(target, `web-${id}-vdb.raw`))).every((byte) => byte === 0)).toBe(true);
});

it('takes the vault by itself once the snapshot is gone, and says so when asked for the snapshot', async () => {
  await updatePoint(estate.workshop.db, (await thePoint()).point_id, { in_snapshot: 0 });
  await expect(restore({ tier: 'snapshot' })).rejects.toMatchObject({
    code: 'UserErrorInstantRpNotFound',
  });
  const jobId = await restore({ disks: ['vdb'] });
  await estate.settled(jobId);
  const record = await findJob(estate.workshop.db, jobId);
  expect(record?.job.status).toBe('Completed');
  expect(record?.tasks.map((task) => task.task_id)).toEqual(['Transfer data from vault']);
});

it('refuses what is not there, and never overwrites a file', async () => {
  await expect(restore({ disks: ['vdx'] })).rejects.toMatchObject({ code: 'InvalidInput' });
  await expect(restore({ kind: 'machine', machineName: 'web' })).rejects.toMatchObject({
    code: 'UserErrorTargetVmExists',
  });
  await mkdir(target);
  const taken = join(target, `web-${(await thePoint()).point_id}-vda.raw`);
  await writeFile(taken, 'precious');
  await expect(restore()).rejects.toMatchObject({ code: 'UserErrorTargetPathExists' });
  expect(await readFile(taken, 'utf8')).toBe('precious');
});

it('says so where its directory cannot be made', async () => {
  const jobId = await restore({ directory: '/proc/holdfast' });
  await estate.settled(jobId);
  const job = await statusOf(jobId);
  expect(job?.status).toBe('Failed');
  expect(JSON.parse(job?.error_json ?? '{}')).toMatchObject({
    code: 'InvalidInput',
    message: expect.stringContaining("/proc/holdfast can't be made"),
  });
});

it('leaves nothing behind when it fails half way, and spares a file that appeared meanwhile', async () => {
  const { point_id: id } = await thePoint();
  let created = 0;
  estate.host.onCall = async (operation) => {
    if (operation !== 'createDisk') return;
    created += 1;
    if (created === 2) await writeFile(join(target, `web-${id}-vdb.raw`), 'precious');
  };
  const jobId = await restore();
  await estate.settled(jobId);
  const job = await statusOf(jobId);
  expect(job?.status).toBe('Failed');
  expect(JSON.parse(job?.error_json ?? '{}')).toMatchObject({ code: 'UserErrorTargetPathExists' });
  expect(await readdir(target)).toEqual([`web-${id}-vdb.raw`]);
  expect(await readFile(join(target, `web-${id}-vdb.raw`), 'utf8')).toBe('precious');
});

it('can be cancelled, and removes what it had written', async () => {
  const reached = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  estate.host.onCall = async (operation) => {
    if (operation !== 'createDisk') return;
    reached.resolve();
    await goOn.promise;
  };
  const jobId = await restore();
  await reached.promise;
  await estate.workshop.engine.cancel(jobId);
  goOn.resolve();
  await estate.settled(jobId);
  expect(await statusOf(jobId)).toMatchObject({ status: 'Cancelled' });
  expect(await readdir(target)).toEqual([]);
});

it('can be cancelled until the VM is being created, and says what it does in the words of its job', async () => {
  const { point_id: id, taken_at: takenAt } = await thePoint();
  let refusal: unknown;
  let jobId = '';
  estate.host.onCall = async (operation) => {
    if (operation !== 'defineRestored') return;
    refusal = await estate.workshop.engine.cancel(jobId).catch((error: unknown) => error);
  };
  jobId = await restore({ kind: 'machine', machineName: 'web-2' });
  await estate.settled(jobId);
  expect(refusal).toMatchObject({ code: 'JobNotCancellable' });
  const job = await statusOf(jobId);
  expect(job).toMatchObject({ status: 'Completed', operation: 'Restore' });
  expect(JSON.parse(job?.property_bag_json ?? '')).toMatchObject({
    'VM Name': 'web',
    'Job Type': 'Recover to a new virtual machine',
    'Recovery point time ': expect.stringContaining(takenAt.slice(0, 23)),
    'Target VM Name': 'web-2',
  });
  const disks = await restore({ directory: `${target}-disks` });
  await estate.settled(disks);
  const { 'Job Type': type, ...more } = JSON.parse((await statusOf(disks))?.property_bag_json ?? '');
  expect(type).toBe('Recover disks');
  expect(more).not.toHaveProperty('Target VM Name');
  expect(more).toMatchObject({ 'Restored disk(s)': expect.stringContaining(`web-${id}-vda.raw;`) });
});

it('whose process died between placing a file and noting it is undone, other files are left alone', async () => {
  const jobId = await restore();
  await estate.settled(jobId);
  const { point_id: id } = await thePoint();
  // The state such a death leaves: the final name linked to the working file, the note missing, the job open.
  const final = join(target, `web-${id}-vda.raw`);
  await link(final, join(target, `.web-${id}-vda.raw.${jobId}.partial`));
  await writeFile(join(target, `.web-${id}-vdb.raw.${jobId}.partial`), 'half');
  await writeFile(join(target, '.web-other.raw.another-job.partial'), 'not ours');
  // Meanwhile its user has put another file in the place of one that was noted.
  const replaced = join(target, `web-${id}-vdb.raw`);
  await writeFile(`${replaced}.new`, 'precious');
  await rename(`${replaced}.new`, replaced);
  await reopen(jobId, (payload) => ({
    ...payload,
    placed: payload.placed.filter((file) => file.path !== final),
  }));
  await estate.restart();
  await estate.settled(jobId);
  expect(await statusOf(jobId)).toMatchObject({ status: 'Failed' });
  expect((await readdir(target)).sort()).toEqual(['.web-other.raw.another-job.partial', `web-${id}-vdb.raw`]);
  expect(await readFile(replaced, 'utf8')).toBe('precious');
});

/** Makes an ended job look as if the process had died in it. */
async function reopen(
  jobId: string,
  change: (payload: { placed: { path: string }[] }) => object = (payload) => payload,
): Promise<void> {
  const job = await statusOf(jobId);
  await updateJob(estate.workshop.db, jobId, {
    status: 'InProgress',
    ended_at: null,
    owner: 'a process that died',
    payload_json: JSON.stringify(change(JSON.parse(job?.payload_json ?? '{}'))),
  });
}

it('brings disks of one point one after the other into the same directory', async () => {
  for (const disk of ['vda', 'vdb']) {
    const jobId = await restore({ disks: [disk] });
    await estate.settled(jobId);
    expect(await statusOf(jobId)).toMatchObject({ status: 'Completed' });
  }
  expect(await readdir(target)).toHaveLength(3);
});

it.each(['RecoveryPointNotOnHost', 'HostUnreachable'] as const)(
  'turns to the vault when the snapshot fails with %s, unless the snapshot was asked for',
  async (code) => {
    const fail = (operation: unknown) => {
      if (operation === 'openPoint') throw new HoldfastError(code, 'The layers are gone.');
    };
    estate.host.onCall = fail;
    const jobId = await restore();
    await estate.settled(jobId);
    const record = await findJob(estate.workshop.db, jobId);
    expect(record?.job.status).toBe('Completed');
    expect(record?.tasks).toMatchObject([{ task_id: 'Transfer data from vault', status: 'Completed' }]);
    const image = join(target, `web-${(await thePoint()).point_id}-vda.raw`);
    expect((await readFile(image)).equals(estate.host.contentOf(estate.vmUuid, 'vda'))).toBe(true);

    const strict = await restore({ tier: 'snapshot', directory: `${target}-strict` });
    await estate.settled(strict);
    expect(await statusOf(strict)).toMatchObject({ status: 'Failed' });
  },
);

it('brings disks from the vault though the host is away', async () => {
  estate.host.onCall = () => {
    throw new HoldfastError('HostUnreachable', 'The host is away.');
  };
  const jobId = await startRestore(
    estate.workshop,
    await estate.item(),
    (await listPoints(estate.workshop.db, estate.itemId))[0] as PointRow,
    { kind: 'disks', directory: target },
  );
  await estate.settled(jobId);
  expect(await statusOf(jobId)).toMatchObject({ status: 'Completed' });
});

describe('a new VM', () => {
  const asMachine = { kind: 'machine', machineName: 'copy', tier: 'vault', diskFormat: 'raw' } as const;

  // The trigger is SQLite's.
  it.skipIf(onPostgres())('keeps its disks when the catalog fails after it was made', async () => {
    await sql`create trigger full before update of property_bag_json on jobs
      when new.property_bag_json like '%Target VM Id%'
      begin select raise(abort, 'database or disk is full'); end`.execute(estate.workshop.db);
    const jobId = await restore(asMachine);
    await estate.settled(jobId);
    expect(await statusOf(jobId)).toMatchObject({ status: 'Completed' });
    expect((await estate.host.listMachines()).map((machine) => machine.name)).toContain('copy');
    expect((await readdir(target)).sort()).toEqual(['copy-vda.raw', 'copy-vdb.raw']);
  });

  it('loses its disks when it was refused', async () => {
    estate.host.onCall = (operation) => {
      if (operation === 'defineRestored') throw new HoldfastError('HostUnreachable', 'No.');
    };
    const jobId = await restore(asMachine);
    await estate.settled(jobId);
    expect(await statusOf(jobId)).toMatchObject({ status: 'Failed' });
    expect(await readdir(target)).toEqual([]);
  });

  it.each([true, false])(
    'after a death while it was defined (it was: %s) is kept or undone',
    async (defined) => {
      const jobId = await restore(asMachine);
      await estate.settled(jobId);
      const { machineUuid } = JSON.parse((await statusOf(jobId))?.payload_json ?? '{}') as {
        machineUuid: string;
      };
      if (!defined) estate.host.removeMachine(machineUuid);
      await reopen(jobId);
      await estate.restart();
      await estate.settled(jobId);
      expect((await statusOf(jobId))?.status).toBe(defined ? 'Completed' : 'Failed');
      expect(await readdir(target)).toHaveLength(defined ? 2 : 0);
    },
  );
});

describe('placing', () => {
  const notes = { placed: [] };
  const noLinks = async () => {
    throw Object.assign(new Error('no links here'), { code: 'EPERM' });
  };

  it.each([undefined, noLinks])('never replaces a file, with hard links and without', async (link) => {
    await mkdir(target);
    const placing = new Placing(target, 'job', notes, async () => {}, link === undefined ? {} : { link });
    const path = join(target, 'disk.raw');
    await writeFile(placing.partialPath(path), 'new');
    await placing.publish(path);
    expect(await readFile(path, 'utf8')).toBe('new');
    await writeFile(placing.partialPath(path), 'other');
    await expect(placing.publish(path)).rejects.toMatchObject({ code: 'UserErrorTargetPathExists' });
    expect(await readFile(path, 'utf8')).toBe('new');
    await placing.removeAll();
    expect(await readdir(target)).toEqual([]);
  });

  it('gives only directories it made itself to somebody', async () => {
    const owner = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
    await makeDirectoryFor(join(target, 'a', 'b'), owner);
    expect((await stat(join(target, 'a', 'b'))).isDirectory()).toBe(true);
    await symlink('/etc', join(target, 'link'));
    await makeDirectoryFor(join(target, 'link'), { uid: 65534, gid: 65534 });
    expect((await stat('/etc')).uid).toBe(0);
  });
});
