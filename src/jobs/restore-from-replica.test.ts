import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findJob, findPoint, listPoints, updatePoint } from '../catalog/index.ts';
import { startBackup } from './backup.ts';
import type { RestoreOptions } from './restore-plan.ts';
import { startRestore } from './start-restore.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';

let estate: SmallEstate;
let target: string;

beforeEach(async () => {
  estate = await createSmallEstate();
  target = join(estate.directory, 'restored');
  estate.host.write(estate.vmUuid, 'vda', 100_000, new Uint8Array(50_000).fill(5));
  await estate.addReplica();
  const jobId = await startBackup(estate.workshop, await estate.item(), { onDemand: {} });
  await estate.settled(jobId);
  await estate.replicated();
  await updatePoint(estate.workshop.db, await pointId(), { in_snapshot: 0 });
});
afterEach(() => estate[Symbol.asyncDispose]());

async function pointId(): Promise<string> {
  return (await listPoints(estate.workshop.db, estate.itemId))[0]?.point_id ?? '';
}

async function restore(options: Partial<RestoreOptions> = {}) {
  const point = await findPoint(estate.workshop.db, estate.itemId, await pointId());
  if (point === undefined) throw new Error('no point');
  const jobId = await startRestore(estate.workshop, await estate.item(), point, {
    kind: 'disks',
    directory: target,
    ...options,
  });
  await estate.settled(jobId);
  const found = await findJob(estate.workshop.db, jobId);
  if (found === undefined) throw new Error('no job');
  return { ...found.job, properties: JSON.parse(found.job.property_bag_json), task: found.tasks[0] };
}

async function expectRestored(): Promise<void> {
  const image = await readFile(join(target, `web-${await pointId()}-vda.raw`));
  expect(image.equals(estate.host.contentOf(estate.vmUuid, 'vda'))).toBe(true);
  expect(await readdir(target)).toHaveLength(3);
}

/** What the vault's own store has, spoilt from its first chunk on. */
function spoilVault(): void {
  for (const [name, object] of estate.backend.objects) {
    if (!name.endsWith('.pack')) continue;
    const spoilt = Buffer.from(object);
    spoilt.fill(0xff, 16, 80);
    estate.backend.objects.set(name, spoilt);
  }
}

describe('a restore', () => {
  it('reads the replica when asked to', async () => {
    spoilVault();
    const job = await restore({ from: 'replica' });
    expect(job).toMatchObject({ status: 'Completed', properties: { 'Restored from': 'replica' } });
    expect(job.task).toMatchObject({ task_id: 'Transfer data from replica', status: 'Completed' });
    await expectRestored();
  });

  it("reads the vault's own store otherwise", async () => {
    const job = await restore();
    expect(job).toMatchObject({ status: 'Completed', properties: { 'Restored from': 'vault' } });
    await expectRestored();
  });

  it('turns to the replica by itself when the store is damaged, and says why', async () => {
    spoilVault();
    const job = await restore();
    expect(job).toMatchObject({ status: 'Completed', properties: { 'Restored from': 'replica' } });
    expect(job.task).toMatchObject({
      task_id: 'Transfer data from replica',
      message: expect.stringMatching(/own store could not be used: Bytes .* cannot be read/),
    });
    await expectRestored();
  });

  it('turns to the replica by itself when the store is gone', async () => {
    await estate.workshop.estate.closeStore('v1');
    estate.backend.objects.clear();
    const job = await restore();
    expect(job).toMatchObject({ status: 'Completed', properties: { 'Restored from': 'replica' } });
    await expectRestored();
  });

  it('stays with the store that was named', async () => {
    spoilVault();
    const job = await restore({ from: 'primary' });
    expect(job.status).toBe('Failed');
    expect(JSON.parse(job.error_json ?? '{}').code).toBe('StoreDamaged');
    expect(await readdir(target)).toEqual([]);
  });

  it('takes the replica for a point that only it has', async () => {
    await updatePoint(estate.workshop.db, await pointId(), { in_vault: 0 });
    await expect(restore({ from: 'primary' })).rejects.toMatchObject({ code: 'RecoveryPointNotInStore' });
    expect(await restore()).toMatchObject({
      status: 'Completed',
      properties: { 'Restored from': 'replica' },
    });
    await expectRestored();
  });

  it('refuses what cannot be', async () => {
    await expect(restore({ from: 'replica', tier: 'snapshot' })).rejects.toMatchObject({
      code: 'InvalidInput',
    });
    await updatePoint(estate.workshop.db, await pointId(), { in_replica: 0 });
    await expect(restore({ from: 'replica' })).rejects.toMatchObject({ code: 'RecoveryPointNotInStore' });
  });
});
