import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findJob, findPoint } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { startBackup } from './backup.ts';
import { maintainItem, maintenanceIdle } from './maintenance.ts';
import { startRestore } from './start-restore.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';

let estate: SmallEstate;
let target: string;
/** What the disks held when the point was taken. */
let then: Map<string, Buffer>;
let pointId: string;

beforeEach(async () => {
  estate = await createSmallEstate();
  target = join(estate.directory, 'restored');
  estate.host.write(estate.vmUuid, 'vda', 100_000, new Uint8Array(300_000).fill(5));
  estate.host.write(estate.vmUuid, 'vdb', 4096, new Uint8Array(4096).fill(9));
  then = new Map(
    ['vda', 'vdb'].map((disk) => [disk, Buffer.from(estate.host.contentOf(estate.vmUuid, disk))]),
  );
  await estate.settled(await startBackup(estate.workshop, await estate.item(), { onDemand: {} }));
  [pointId = ''] = await estate.host.listPoints(estate.vmUuid);
});
afterEach(() => estate[Symbol.asyncDispose]());

async function restoreLive(): Promise<string> {
  const point = await findPoint(estate.workshop.db, estate.itemId, pointId);
  if (point === undefined) throw new Error('no point');
  return startRestore(estate.workshop, await estate.item(), point, {
    kind: 'machine',
    machineName: 'copy',
    directory: target,
    start: true,
    live: true,
  });
}

const jobOf = async (jobId: string) => (await findJob(estate.workshop.db, jobId))?.job;

async function expectWhole(): Promise<void> {
  expect((await readdir(target)).sort()).toEqual(['copy-vda.qcow2', 'copy-vdb.qcow2']);
  for (const [disk, content] of then)
    expect((await readFile(join(target, `copy-${disk}.qcow2`))).equals(content), disk).toBe(true);
}

it('gives a VM that runs already the disks of the point, and leaves nothing else', async () => {
  estate.host.write(estate.vmUuid, 'vda', 0, new Uint8Array(500_000).fill(1)); // later than the point
  const jobId = await restoreLive();
  await estate.settled(jobId);
  expect(await jobOf(jobId)).toMatchObject({ status: 'Completed' });
  await expectWhole();
});

it('tries again for as long as the disks cannot be copied', async () => {
  let failures = 3;
  estate.host.onCall = (operation) => {
    if (operation === 'detachLiveMachine' && failures-- > 0)
      throw new HoldfastError('HostUnreachable', 'No.');
  };
  const jobId = await restoreLive();
  await estate.settled(jobId);
  expect(await jobOf(jobId)).toMatchObject({ status: 'Completed' });
  await expectWhole();
});

it('ends when the VM is removed before its disks are there', async () => {
  estate.host.onCall = async (operation) => {
    if (operation !== 'detachLiveMachine') return;
    const copy = (await estate.host.listMachines()).find(({ name }) => name === 'copy');
    estate.host.removeMachine(copy?.uuid ?? '');
  };
  const jobId = await restoreLive();
  await estate.settled(jobId);
  const job = await jobOf(jobId);
  expect(job).toMatchObject({ status: 'Failed' });
  expect(job?.error_json).toContain('UserErrorVmNotFoundV2');
});

it('after a death at any step is brought to its end, or undone', async () => {
  let completed = 0;
  let undone = 0;
  for (let statement = 0; ; statement++) {
    const jobId = await restoreLive();
    estate.dieAtStatement(statement);
    await estate.workshop.engine.wait(jobId);
    const died = estate.isDead();
    await estate.restart();
    await estate.settled(jobId);
    const job = await jobOf(jobId);
    const copy = (await estate.host.listMachines()).find(({ name }) => name === 'copy');
    if (job?.status === 'Completed') {
      completed++;
      await expectWhole();
      expect(copy).toBeDefined();
    } else {
      undone++;
      expect(job, `statement ${statement}`).toMatchObject({ status: 'Failed' });
      expect(copy).toBeUndefined();
      expect(await readdir(target).catch(() => [])).toEqual([]);
    }
    if (!died) break;
    if (copy !== undefined) estate.host.removeMachine(copy.uuid);
    target = join(estate.directory, `restored-${statement}`);
  }
  expect(completed).toBeGreaterThan(5);
  expect(undone).toBeGreaterThan(3);
});

it('keeps its point in the vault until the VM stands alone, whatever the policy says', async () => {
  const reached = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  estate.host.onCall = async (operation) => {
    if (operation !== 'detachLiveMachine') return;
    reached.resolve();
    await goOn.promise;
  };
  const jobId = await restoreLive();
  await reached.promise;
  // A newer point, so that this one may expire.
  await estate.workshop.engine.wait(
    await startBackup(estate.workshop, await estate.item(), { onDemand: {} }),
  );
  estate.now = estate.now.add({ hours: 24 * 400 });
  const newer = await startBackup(estate.workshop, await estate.item(), { onDemand: {} });
  await estate.workshop.engine.wait(newer);
  maintainItem(estate.workshop, estate.itemId);
  await maintenanceIdle(estate.workshop);
  const stored = async () => (await (await estate.store()).listPoints()).points.map((point) => point.pointId);
  expect(await stored()).toContain(pointId);

  goOn.resolve();
  await estate.settled(jobId);
  await expectWhole();
  maintainItem(estate.workshop, estate.itemId);
  await maintenanceIdle(estate.workshop);
  expect(await stored()).not.toContain(pointId);
});

it.each([
  { kind: 'disks' },
  { start: false },
  { tier: 'snapshot' },
  { diskFormat: 'raw' },
  { allowDamaged: true },
] as const)('refuses what it cannot be: %o', async (wish) => {
  const point = await findPoint(estate.workshop.db, estate.itemId, pointId);
  const options = {
    kind: 'machine',
    machineName: 'copy',
    directory: target,
    start: true,
    live: true,
  } as const;
  if (point === undefined) throw new Error('no point');
  await expect(
    startRestore(estate.workshop, await estate.item(), point, { ...options, ...wish }),
  ).rejects.toMatchObject({ code: 'InvalidInput' });
});
