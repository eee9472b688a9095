import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  findJob,
  findPoint,
  findReplica,
  getUpkeep,
  listJobs,
  listPoints,
  updatePoint,
} from '../catalog/index.ts';
import { startBackup } from './backup.ts';
import { startCollection } from './collect-store.ts';
import { startRepair } from './repair-store.ts';
import { startReplication } from './replicate.ts';
import type { RestoreOptions } from './restore-plan.ts';
import { startRestore } from './start-restore.ts';
import type { VerificationSummary } from './store-damage.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';
import { isVerificationDue, startDueVerifications } from './verify-due.ts';
import { isReplicaVerificationDue, startReplicaVerification } from './verify-replica.ts';
import { startVerification } from './verify-store.ts';

let estate: SmallEstate;

/** Random content does not compress: every chunk is a frame of its size. */
const chunkBytes = 64 * 1024;

beforeEach(async () => {
  estate = await createSmallEstate();
  estate.host.write(estate.vmUuid, 'vda', 0, randomBytes(4 * chunkBytes));
  await backUp();
});
afterEach(() => estate[Symbol.asyncDispose]());

async function backUp(): Promise<void> {
  estate.now = estate.now.add({ seconds: 1 });
  const jobId = await startBackup(estate.workshop, await estate.item(), { onDemand: {} });
  await estate.settled(jobId);
}

async function ended(started: Promise<string>) {
  const jobId = await started;
  await estate.settled(jobId);
  const found = await findJob(estate.workshop.db, jobId);
  if (found === undefined) throw new Error('no job');
  const { job, tasks } = found;
  return {
    status: job.status,
    error:
      job.error_json === null
        ? undefined
        : (JSON.parse(job.error_json) as { code: string; message: string; action: string }),
    properties: JSON.parse(job.property_bag_json) as Record<string, string>,
    tasks: tasks.map((task) => task.status),
  };
}

const verify = () => ended(startVerification(estate.workshop, estate.vault, { userTriggered: true }));
const packs = () => [...estate.backend.objects.keys()].filter((name) => name.endsWith('.pack'));

/** Of the pack with the disk's content; its frames begin at byte 16, one chunk after the other. */
function flip(at: number): void {
  const pack = estate.backend.objects.get(packs()[0] ?? '') ?? Buffer.alloc(0);
  pack[at] = (pack[at] ?? 0) ^ 1;
}

const upkeep = () => getUpkeep(estate.workshop.db, 'v1');
const latestPoint = async () => (await listPoints(estate.workshop.db, estate.itemId)).at(-1)?.point_id ?? '';

describe('a verification', () => {
  it('of a sound store completes, and is remembered', async () => {
    expect(await verify()).toMatchObject({
      status: 'Completed',
      properties: { 'Packs in store': '1', 'Recovery points': '1' },
      tasks: ['Completed'],
    });
    const { verified_at, verify_cursor_json, verification_json } = await upkeep();
    expect(verified_at).not.toBe(null);
    expect(verify_cursor_json).toBe(null);
    expect(JSON.parse(verification_json ?? '')).toMatchObject({
      damagedPointCount: 0,
      referencedBytes: 4 * chunkBytes,
    });
  });

  it('that finds damage fails, and names VM, point, disk and stretch', async () => {
    flip(16 + chunkBytes + 5);
    const { status, error, properties } = await verify();
    const pointId = await latestPoint();
    expect(status).toBe('Failed');
    expect(error?.code).toBe('StoreDamaged');
    expect(error?.message).toContain(`web, point ${pointId}`);
    expect(error?.message).toContain(`vda ${chunkBytes} bytes in 1 stretch (${chunkBytes}+${chunkBytes})`);
    expect(error?.action).toContain('--allow-damaged');
    expect(properties).toMatchObject({ 'Damaged packs': '1', 'Damaged recovery points': '1' });
    const found = JSON.parse((await upkeep()).verification_json ?? '') as VerificationSummary;
    expect(found.damagedPoints).toEqual([
      expect.objectContaining({
        vm: 'web',
        pointId,
        disks: [
          expect.objectContaining({ target: 'vda', gaps: [{ offset: chunkBytes, length: chunkBytes }] }),
        ],
      }),
    ]);
  });

  it('warns of damage that no point has lost anything by', async () => {
    flip(3);
    expect(await verify()).toMatchObject({
      status: 'CompletedWithWarnings',
      error: { code: 'StoreDamaged', action: expect.stringContaining('holdfast store repair') },
    });
  });

  it.each(['while the store is open', 'while nobody looked'])(
    'misses a point whose record somebody has deleted %s',
    async (when) => {
      const pointId = await latestPoint();
      await backUp();
      const name = `points/${estate.itemId}/${pointId}.point`;
      expect(estate.backend.objects.delete(name)).toBe(true);
      if (when === 'while nobody looked') await estate.restart();
      const { status, error, properties } = await verify();
      expect(status).toBe('Failed');
      expect(error).toMatchObject({ code: 'StoreDamaged', message: expect.stringContaining(pointId) });
      expect(properties).toMatchObject({ 'Recovery points': '1' });
    },
  );

  it('goes on after a restart of the service where it was', async () => {
    for (let number = 0; number < 3; number++) {
      estate.host.write(estate.vmUuid, 'vda', 0, randomBytes(4 * chunkBytes));
      await backUp();
    }
    const ids = packs().sort((a, b) => ((a.split('/')[2] ?? '') < (b.split('/')[2] ?? '') ? -1 : 1));
    expect(ids.length).toBeGreaterThanOrEqual(4);
    const { get } = estate.backend;
    const reached = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const read: string[] = [];
    estate.backend.get = async (name, range) => {
      if (name === ids[2]) {
        reached.resolve();
        await go.promise;
      }
      if (name.endsWith('.pack') && (range?.length ?? 0) > 1000) read.push(name);
      return await get(name, range);
    };
    const jobId = await startVerification(estate.workshop, estate.vault, { userTriggered: true });
    await reached.promise;
    // Who asks again meanwhile is told of the same job.
    expect(await startVerification(estate.workshop, estate.vault, { userTriggered: true })).toBe(jobId);
    const restarted = estate.restart();
    go.resolve();
    await restarted;
    await estate.settled(jobId);
    expect((await findJob(estate.workshop.db, jobId))?.job.status).toBe('Completed');
    expect(read.filter((name) => name === ids[0])).toHaveLength(1);
    expect(read.filter((name) => name === ids[1])).toHaveLength(1);
    expect(read).toContain(ids[3]);
    estate.backend.get = get;
  });

  it('is due by the age of the last, spread over the days, and again a day after one that did not end', () => {
    const now = Temporal.Instant.from('2026-11-21T06:00:00Z');
    const ago = (hours: number) => now.subtract({ hours }).toString();
    const never = { verify_every_days: null, verify_started_at: null, verified_at: null };
    const vault = { vault_id: 'v1', created_at: ago(24 * 31) };
    expect(isVerificationDue(vault, never, now)).toBe(true);
    expect(isVerificationDue({ ...vault, created_at: ago(0) }, never, now)).toBe(false);
    expect(isVerificationDue(vault, { ...never, verify_every_days: 0 }, now)).toBe(false);
    const endedAgo = (hours: number) => ({
      ...never,
      verify_started_at: ago(hours + 1),
      verified_at: ago(hours),
    });
    expect(isVerificationDue(vault, endedAgo(24 * 29), now)).toBe(false);
    expect(isVerificationDue(vault, endedAgo(24 * 30), now)).toBe(true);
    expect(isVerificationDue(vault, { ...endedAgo(24 * 7), verify_every_days: 7 }, now)).toBe(true);
    const stuck = (hours: number) => ({
      ...never,
      verify_started_at: ago(hours),
      verified_at: ago(hours + 500),
    });
    expect(isVerificationDue(vault, stuck(23), now)).toBe(false);
    expect(isVerificationDue(vault, stuck(24), now)).toBe(true);
    expect(isVerificationDue(vault, endedAgo(-5), now)).toBe(true); // a clock gone wrong
    const firstDays = Array.from({ length: 200 }, (_, number) => {
      const one = { vault_id: crypto.randomUUID(), created_at: ago(number) };
      return Array.from({ length: 32 }, (_, day) => day).find((day) =>
        isVerificationDue(one, never, now.add({ hours: 24 * day })),
      );
    });
    expect(firstDays.every((day) => day !== undefined && day <= 30)).toBe(true);
    expect(new Set(firstDays).size).toBeGreaterThan(20);
  });

  it('is started by the schedule, once', async () => {
    const list = () => listJobs(estate.workshop.db, 'v1', { operation: 'VerifyStore' }, { limit: 9 });
    estate.now = Temporal.Instant.from(estate.vault.created_at).add({ hours: 24 * 400 });
    await startDueVerifications(estate.workshop);
    const [job] = await list();
    expect(job).toMatchObject({ user_triggered: 0 });
    await estate.settled(job?.job_id ?? '');
    await startDueVerifications(estate.workshop);
    expect(await list()).toHaveLength(1);
    estate.now = estate.now.add({ hours: 24 * 30 });
    await startDueVerifications(estate.workshop);
    expect(await list()).toHaveLength(2);
  });
});

describe('a repair', () => {
  it('says what it would do, and does it when told so', async () => {
    const [name = ''] = packs();
    const whole = Buffer.from(estate.backend.objects.get(name) ?? Buffer.alloc(0));
    flip(3);
    await verify();
    const plan = await ended(startRepair(estate.workshop, estate.vault, { dryRun: true }));
    expect(plan.status).toBe('Completed');
    expect(plan.properties.Plan).toBe(`rewrite ${name}: its header is damaged\n1 to do, 0 lost for now`);
    expect(estate.backend.objects.get(name)?.equals(whole)).toBe(false);
    const done = await ended(startRepair(estate.workshop, estate.vault, { dryRun: false }));
    expect(done.status).toBe('Completed');
    expect(estate.backend.objects.get(name)?.equals(whole)).toBe(true);
    expect((await verify()).status).toBe('Completed');
    const nothing = await ended(startRepair(estate.workshop, estate.vault, { dryRun: false }));
    expect(nothing.properties.Plan).toBe('nothing to repair');
  });

  it('ends with warnings where points stay damaged', async () => {
    flip(16 + 5);
    await verify();
    const { status, error } = await ended(startRepair(estate.workshop, estate.vault, { dryRun: false }));
    expect(status).toBe('CompletedWithWarnings');
    expect(error?.message).toContain('web, point');
  });
});

describe('a collection', () => {
  it('can be tried and done by hand', async () => {
    estate.host.write(estate.vmUuid, 'vda', 0, randomBytes(4 * chunkBytes));
    await backUp();
    const [first] = await listPoints(estate.workshop.db, estate.itemId);
    const store = await estate.store();
    await store.deletePoint(estate.itemId, first?.point_id ?? '');
    await updatePoint(estate.workshop.db, first?.point_id ?? '', { in_vault: 0 });
    const dry = await ended(startCollection(estate.workshop, estate.vault, { dryRun: true, force: false }));
    expect(dry.status).toBe('Completed');
    expect(dry.properties.Plan).toMatch(/^condemn [0-9a-f]{64}: .*\ngeneration 1, 1 points: condemn 1 /);
    expect((await store.stats()).condemnedPacks).toBe(0);
    const done = await ended(startCollection(estate.workshop, estate.vault, { dryRun: false, force: false }));
    expect(Number(done.properties['Bytes to be given back later'])).toBeGreaterThan(4 * chunkBytes);
    expect((await store.stats()).condemnedPacks).toBe(1);
    expect((await upkeep()).collected_at).not.toBe(null);
  });
});

describe('a restore of a damaged point', () => {
  const target = () => join(estate.directory, 'restored');

  async function restore(options: Partial<RestoreOptions> = {}) {
    const pointId = await latestPoint();
    const point = await findPoint(estate.workshop.db, estate.itemId, pointId);
    if (point === undefined) throw new Error('no point');
    return ended(
      startRestore(estate.workshop, await estate.item(), point, {
        kind: 'disks',
        directory: target(),
        tier: 'vault',
        ...options,
      }),
    );
  }

  it('is refused, and the refusal says how to get what is left', async () => {
    flip(16 + chunkBytes + 5);
    const { status, error } = await restore();
    expect(status).toBe('Failed');
    expect(error).toMatchObject({ code: 'StoreDamaged', action: expect.stringContaining('--allow-damaged') });
    expect(error?.message).toContain(`Bytes ${chunkBytes} to ${2 * chunkBytes - 1}`);
    expect(await readdir(target())).toEqual([]);
  });

  it.each(['disks', 'machine'] as const)(
    'on request brings back what can be read of the %s, with a list of the rest',
    async (kind) => {
      const expected = Buffer.from(estate.host.contentOf(estate.vmUuid, 'vda'));
      flip(16 + chunkBytes + 5);
      flip(16 + 3 * chunkBytes + 5);
      const { status, error, properties } = await restore({
        allowDamaged: true,
        kind,
        ...(kind === 'machine' ? { machineName: 'again' } : { diskFormat: 'raw' }),
      });
      expect(status).toBe('CompletedWithWarnings');
      expect(error?.code).toBe('RestoredWithGaps');
      expect(properties['Unreadable stretches']).toBe(
        `vda: 2 stretches, ${2 * chunkBytes} bytes (${chunkBytes}+${chunkBytes}, ${3 * chunkBytes}+${chunkBytes})`,
      );
      const list = properties['List of unreadable stretches'] ?? '';
      expect(JSON.parse(await readFile(list, 'utf8'))).toMatchObject({
        machine: 'web',
        disks: [
          {
            target: 'vda',
            gapBytes: 2 * chunkBytes,
            gaps: [
              { offset: chunkBytes, length: chunkBytes },
              { offset: 3 * chunkBytes, length: chunkBytes },
            ],
          },
        ],
      });
      expect((await readdir(target())).filter((name) => name.startsWith('.'))).toEqual([]);
      if (kind === 'machine') return;
      expected.fill(0, chunkBytes, 2 * chunkBytes).fill(0, 3 * chunkBytes, 4 * chunkBytes);
      const image = (await readdir(target())).find((name) => name.endsWith('-vda.raw')) ?? '';
      expect((await readFile(join(target(), image))).equals(expected)).toBe(true);
    },
  );

  it('leaves no list beside disks that are whole', async () => {
    const { status } = await restore({ allowDamaged: true });
    expect(status).toBe('Completed');
    expect((await readdir(target())).filter((name) => name.endsWith('.json'))).toEqual([]);
  });

  it('has no such thing for the snapshot', async () => {
    await expect(restore({ allowDamaged: true, tier: 'snapshot' })).rejects.toMatchObject({
      code: 'InvalidInput',
    });
  });
});

/** So many days after some moment. */
const at = (days: number) =>
  Temporal.Instant.from('2026-01-01T00:00:00.000Z')
    .add({ hours: 24 * days })
    .toString({ fractionalSecondDigits: 3 });

describe('a store with a replica', () => {
  const replicate = async () => {
    await estate.addReplica();
    expect(
      await ended(startReplication(estate.workshop, estate.vault, { userTriggered: true })),
    ).toMatchObject({ status: 'Completed' });
  };
  const repair = () => ended(startRepair(estate.workshop, estate.vault, { dryRun: false }));

  it('is healed from it by the verification that finds the damage, and is sound for the next', async () => {
    await replicate();
    flip(16 + chunkBytes + 5);
    const { status, error, properties } = await verify();
    expect(status).toBe('CompletedWithWarnings');
    expect(error?.message).toContain('no recovery point has lost anything by it');
    expect(properties['Healed from replica']).toBe('1 recovery point(s), 1 chunk(s)');
    const { points } = await (await estate.store()).listPoints();
    for (const { itemId, pointId } of points)
      expect(await (await estate.store()).verifyPoint(itemId, pointId, {})).toEqual([]);
  });

  it('is healed by a repair, too, and only what the replica has', async () => {
    await replicate();
    await (await estate.store()).verify();
    flip(16 + chunkBytes + 5);
    const { damagedPoints } = await (await estate.store()).verify();
    expect(damagedPoints).toHaveLength(1);
    const healed = (await repair()).properties;
    expect(healed['Healed from replica']).toBe('1 recovery point(s), 1 chunk(s)');
    expect(healed.Plan).toMatch(/^heal points\/i1\/.*\n1 done, 0 lost for now$/);
  });

  it('has the replica verified and healed, too, and goes on where that was stopped', async () => {
    await replicate();
    const replicaPacks = () =>
      [...estate.replicaBackend.objects.keys()].filter((name) => name.endsWith('.pack'));
    const verifyReplica = () =>
      ended(startReplicaVerification(estate.workshop, estate.vault, { userTriggered: true }));
    expect(await verifyReplica()).toMatchObject({ status: 'Completed', tasks: ['Completed'] });
    const { verified_at: verifiedAt } = (await findReplica(estate.workshop.db, 'v1')) ?? {};
    expect(verifiedAt).toEqual(expect.any(String));

    for (const name of replicaPacks()) {
      const pack = estate.replicaBackend.objects.get(name);
      pack?.fill(0xff, 16 + chunkBytes, 16 + chunkBytes + 10);
    }
    const healed = await verifyReplica();
    expect(healed).toMatchObject({ status: 'CompletedWithWarnings', error: { code: 'StoreDamaged' } });
    expect(healed.properties['Healed from vault']).toBe('1 recovery point(s), 1 chunk(s)');
    const replica = await estate.workshop.estate.replica(
      (await findReplica(estate.workshop.db, 'v1')) as never,
    );
    for (const { itemId, pointId } of (await replica.listPoints()).points)
      expect(await replica.verifyPoint(itemId, pointId, {})).toEqual([]);

    // Repaired as the vault's own store is: what is around the frames word for word, and content from the vault.
    const [pack = ''] = replicaPacks();
    const packBytes = estate.replicaBackend.objects.get(pack);
    packBytes?.fill(0xff, 3, 4);
    await replica.verify();
    const repairReplica = (dryRun: boolean) =>
      ended(startRepair(estate.workshop, estate.vault, { dryRun, replica: true }));
    const plan = await repairReplica(true);
    expect(plan.properties).toMatchObject({
      Store: 'replica',
      Plan: expect.stringContaining(`rewrite ${pack}: its header is damaged`),
    });
    expect(packBytes?.[3]).toBe(0xff);
    expect((await repairReplica(false)).status).toBe('Completed');
    expect(estate.replicaBackend.objects.get(pack)?.[3]).not.toBe(0xff);
    estate.replicaBackend.objects.delete('points/marker');
    expect((await repairReplica(false)).properties.Plan).toContain('rewrite points/marker');

    for (const name of replicaPacks()) estate.replicaBackend.objects.get(name)?.fill(0xff, 16, 16 + 9);
    flip(16 + 5);
    const lost = await verifyReplica();
    expect(lost).toMatchObject({ status: 'Failed', error: { code: 'StoreDamaged' } });
    expect(lost.error?.message).toContain('in the replica of vault');
  });

  it.each([
    ['not before its time', { verify_started_at: null, verified_at: null }, 29, false],
    ['in time', { verify_started_at: null, verified_at: null }, 30, true],
    ['so long after the last one', { verify_started_at: at(10), verified_at: at(11) }, 40, false],
    ['again a day after one that did not end', { verify_started_at: at(30), verified_at: at(1) }, 31, true],
    [
      'not at once after one that did not end',
      { verify_started_at: at(30), verified_at: at(1) },
      30.5,
      false,
    ],
  ])('has its replica verified by the schedule %s', (_, row, day, due) => {
    const now = Temporal.Instant.from(at(0)).add({ hours: 24 * day });
    expect(isReplicaVerificationDue({ created_at: at(0), ...row }, 30, now)).toBe(due);
    expect(isReplicaVerificationDue({ created_at: at(0), ...row }, 0, now)).toBe(false);
  });

  it('stays damaged where the replica is away or damaged in the same place', async () => {
    await replicate();
    flip(16 + chunkBytes + 5);
    for (const [name, object] of estate.replicaBackend.objects)
      if (name.endsWith('.pack')) object.fill(0xff, 16, object.length - 4096);
    expect(await verify()).toMatchObject({ status: 'Failed', error: { code: 'StoreDamaged' } });
    await estate.workshop.estate.closeReplica('v1');
    estate.replicaBackend.objects.clear();
    expect(await verify()).toMatchObject({ status: 'Failed', error: { code: 'StoreDamaged' } });
  });
});
