import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  findJob,
  findReplica,
  inVault,
  listJobs,
  listPoints,
  type ReplicaRow,
  updatePoint,
  updateReplica,
} from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { openStore, type Store } from '../store/index.ts';
import { startBackup } from './backup.ts';
import { replicaLag } from './replica-state.ts';
import { collectReplica, copyToReplica, removeFromReplica, startReplication } from './replicate.ts';
import { isDue, startDueReplications } from './replicate-due.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';

let estate: SmallEstate;

beforeEach(async () => {
  estate = await createSmallEstate();
});
afterEach(() => estate[Symbol.asyncDispose]());

const bytes = (length: number, value: number) => new Uint8Array(length).fill(value);
const pointsOf = () => listPoints(estate.workshop.db, estate.itemId);
const places = async () => (await pointsOf()).map((row) => [row.in_vault, row.in_replica]);
const days = (number: number) => ({ hours: 24 * number });

/** A backup to its end, a second after whatever came before; then the replication that it has set going. */
async function backUp(): Promise<string> {
  estate.now = estate.now.add({ seconds: 1 });
  const jobId = await startBackup(estate.workshop, await estate.item(), { onDemand: {} });
  await estate.settled(jobId);
  await estate.replicated();
  const point = (await pointsOf()).at(-1);
  if (point === undefined) throw new Error('the backup left no point');
  return point.point_id;
}

async function sync(options: { force?: boolean } = {}) {
  const jobId = await startReplication(estate.workshop, estate.vault, { userTriggered: true, ...options });
  await estate.settled(jobId);
  return jobOf(jobId);
}

async function jobOf(jobId: string) {
  const found = await findJob(estate.workshop.db, jobId);
  if (found === undefined) throw new Error(`no job ${jobId}`);
  return { ...found.job, tasks: Object.fromEntries(found.tasks.map((task) => [task.task_id, task])) };
}

async function replications() {
  return (await listJobs(estate.workshop.db, 'v1', { operation: 'Replicate' }, { limit: 100 })).reverse();
}

async function replicaRow(): Promise<ReplicaRow> {
  const row = await findReplica(estate.workshop.db, 'v1');
  if (row === undefined) throw new Error('the vault has no replica');
  return row;
}

const lag = async () => replicaLag(estate.workshop.db, await replicaRow(), estate.now);
const replica = async (): Promise<Store> => estate.workshop.estate.replica(await replicaRow());

async function idsInReplica(): Promise<string[]> {
  return (await (await replica()).listPoints()).points.map(({ pointId }) => pointId).sort();
}

/** A disk of a point, read from a store. */
async function diskOf(store: Store, pointId: string, name: string): Promise<Uint8Array> {
  const { disks } = await store.readPoint(estate.itemId, pointId);
  const disk = disks.find((each) => each.name === name)?.disk;
  if (disk === undefined) throw new Error(`no disk ${name}`);
  const content = new Uint8Array(disk.sizeBytes);
  using reader = store.openDisk(disk);
  for await (const { offset, data } of reader.stream()) content.set(data, offset);
  return content;
}

/** Spoils the stored data of every pack that came since `before`. */
function spoilPacks(objects: Map<string, Buffer>, before: ReadonlySet<string>): void {
  for (const [name, object] of objects) {
    if (!name.endsWith('.pack') || before.has(name)) continue;
    const spoilt = Buffer.from(object);
    spoilt.fill(0xff, 16, 80);
    objects.set(name, spoilt);
  }
}

describe('a vault with a replica', () => {
  it('has every backup replicated as soon as it is in the vault, and the replica restores without the service', async () => {
    await estate.addReplica();
    const { host, vmUuid } = estate;
    host.write(vmUuid, 'vda', 0, bytes(300_000, 1));
    const one = await backUp();
    const before = host.contentOf(vmUuid, 'vda').slice();
    host.write(vmUuid, 'vda', 100_000, bytes(10, 2));
    const two = await backUp();

    expect(await places()).toEqual([
      [inVault.yes, 1],
      [inVault.yes, 1],
    ]);
    const [first, second] = await replications();
    for (const job of [first, second])
      expect(job).toMatchObject({
        status: 'Completed',
        entity_name: 'Main',
        item_id: null,
        user_triggered: 0,
      });
    const task = (await jobOf(second?.job_id ?? '')).tasks[copyToReplica];
    expect(task).toMatchObject({ status: 'Completed', message: '1 copied' });
    expect(JSON.parse(task?.progress_json ?? '{}')).toMatchObject({ readBytes: 65_536, totalBytes: 65_536 });
    expect(await lag()).toEqual({ points: 0, bytes: 0, since: undefined });

    await estate.workshop.estate.closeReplica('v1');
    await using alone = await openStore(estate.replicaBackend, { clock: { now: () => estate.now } });
    const { points } = await alone.listPoints();
    expect(points.map(({ pointId }) => pointId)).toEqual([one, two]);
    expect(points[1]?.metadata).toMatchObject({ vault: 'Main', frozen: { machineName: 'web' } });
    expect(await diskOf(alone, one, 'vda')).toEqual(before);
    expect(await diskOf(alone, two, 'vda')).toEqual(host.contentOf(vmUuid, 'vda'));
  });

  it('tells how far behind it is, and catches up by the schedule', async () => {
    estate.host.write(estate.vmUuid, 'vda', 0, bytes(100_000, 1));
    await backUp();
    await backUp();
    await estate.addReplica();
    const [oldest] = await pointsOf();
    const behind = await lag();
    expect(behind).toMatchObject({ points: 2, since: oldest?.taken_at });
    expect(behind.bytes).toBeGreaterThan(65_536);
    await startDueReplications(estate.workshop);
    await estate.replicated();
    expect(await lag()).toMatchObject({ points: 0 });
    await startDueReplications(estate.workshop);
    expect(await replications()).toHaveLength(1);
    estate.now = estate.now.add(days(1));
    await startDueReplications(estate.workshop);
    await estate.replicated();
    expect((await replications()).at(-1)).toMatchObject({ status: 'Completed' });
    expect(await replications()).toHaveLength(2);
  });

  it('notices what the replica has lost', async () => {
    await estate.addReplica();
    const pointId = await backUp();
    await (await replica()).deletePoint(estate.itemId, pointId);
    expect(await sync()).toMatchObject({ status: 'Completed' });
    expect(await idsInReplica()).toEqual([pointId]);
  });

  it('says no when there is none, and joins the replication that is under way', async () => {
    const start = (force: boolean) =>
      startReplication(estate.workshop, estate.vault, { userTriggered: true, force });
    await expect(start(false)).rejects.toMatchObject({ code: 'ResourceNotFound' });
    await estate.addReplica();
    const jobId = await start(false);
    expect(await start(false)).toBe(jobId);
    await expect(start(true)).rejects.toMatchObject({ code: 'ResourceInUse', target: jobId });
    await estate.settled(jobId);
  });

  it('brings points that are made while it is at work', async () => {
    await estate.addReplica();
    await backUp();
    await (await replica()).deletePoint(estate.itemId, (await pointsOf())[0]?.point_id ?? '');
    const { put } = estate.replicaBackend;
    estate.replicaBackend.put = async (name, parts) => {
      estate.replicaBackend.put = put;
      estate.now = estate.now.add({ seconds: 1 });
      estate.host.write(estate.vmUuid, 'vda', 0, bytes(5000, 7));
      await estate.workshop.engine.wait(
        await startBackup(estate.workshop, await estate.item(), { onDemand: {} }),
      );
      await put(name, parts);
    };
    const before = (await replications()).length;
    expect(JSON.parse((await sync()).property_bag_json)).toMatchObject({ 'Recovery points copied': '2' });
    expect(await replications()).toHaveLength(before + 1);
    expect(await idsInReplica()).toHaveLength(2);
  });
});

describe('retention', () => {
  it('follows the source: what expires there goes here', async () => {
    await estate.addReplica();
    const first = await backUp();
    estate.now = estate.now.add(days(20));
    const second = await backUp();
    estate.now = estate.now.add(days(15)); // the first has expired
    const third = await backUp();
    expect(await (await estate.store()).listPoints()).toMatchObject({
      points: [{ pointId: second }, { pointId: third }],
    });
    // Whether the replication after the backup or the next one sees it is a matter of who is faster.
    expect(await sync()).toMatchObject({ status: 'Completed', error_json: null });
    const messages: unknown[] = [];
    for (const { job_id } of await replications())
      messages.push((await jobOf(job_id)).tasks[removeFromReplica]?.message);
    expect(messages).toContain('1 removed, 2 kept');
    expect(messages).not.toContain('2 removed, 1 kept');
    expect((await pointsOf()).map((row) => row.point_id)).not.toContain(first);
    expect(await idsInReplica()).toEqual([second, third]);
    expect((await pointsOf()).map((row) => row.point_id)).toEqual([second, third]);
  });

  it('keeps what the source has lost before its time', async () => {
    await estate.addReplica();
    const ids = [await backUp(), await backUp(), await backUp()];
    const source = await estate.store();
    for (const pointId of ids) await source.deletePoint(estate.itemId, pointId);
    expect(await sync({ force: true })).toMatchObject({ status: 'Completed' });
    expect(await idsInReplica()).toEqual(ids);
  });

  it('refuses to remove most of what there is, until told to', async () => {
    await estate.addReplica();
    for (let number = 0; number < 8; number++) await backUp();
    const source = await estate.store();
    for (const { point_id: pointId } of await pointsOf()) await source.deletePoint(estate.itemId, pointId);
    estate.now = estate.now.add(days(400));
    const refused = await sync();
    expect(refused.status).toBe('CompletedWithWarnings');
    expect(JSON.parse(refused.error_json ?? '{}')).toMatchObject({
      code: 'ReplicaRemovalRefused',
      message: expect.stringContaining("7 of the replica's 8"),
    });
    expect(await idsInReplica()).toHaveLength(8);
    expect(await sync({ force: true })).toMatchObject({ status: 'Completed' });
    expect(await idsInReplica()).toHaveLength(1);
  });

  it('removes nothing while records of the source cannot be read', async () => {
    await estate.addReplica();
    const first = await backUp();
    estate.now = estate.now.add(days(20));
    const second = await backUp();
    await (await estate.store()).deletePoint(estate.itemId, first);
    estate.backend.objects.set(`points/${estate.itemId}/${second}.point`, Buffer.from('rubbish'));
    estate.now = estate.now.add(days(15));
    const job = await sync({ force: true });
    expect(JSON.parse(job.error_json ?? '{}').code).toBe('ReplicaRemovalRefused');
    expect(await idsInReplica()).toEqual([first, second]);
  });

  it('of its own keeps points longer than the vault, and they stay known', async () => {
    await estate.addReplica({ mode: 'keep', days: 365 });
    const first = await backUp();
    estate.now = estate.now.add(days(40));
    const second = await backUp();
    await sync();
    expect((await (await estate.store()).listPoints()).points).toHaveLength(1);
    expect(await idsInReplica()).toEqual([first, second]);
    expect((await pointsOf()).map((row) => [row.point_id, row.in_vault, row.in_replica])).toEqual([
      [first, inVault.no, 1],
      [second, inVault.yes, 1],
    ]);
    estate.now = estate.now.add(days(330));
    await sync();
    expect(await idsInReplica()).toEqual([second]);
    expect((await pointsOf()).map((row) => row.point_id)).toEqual([second]);
  });

  it('gives the space back, a day after it was given up', async () => {
    await estate.addReplica({ mode: 'keep', count: 1 });
    for (let number = 0; number < 4; number++) {
      estate.host.write(estate.vmUuid, 'vda', 0, randomBytes(500_000));
      await backUp();
    }
    const storedBytes = async () => (await (await replica()).stats()).storedBytes;
    const before = await storedBytes();
    expect((await sync()).tasks[collectReplica]).toMatchObject({ status: 'Skipped' });
    for (let day = 0; day < 3; day++) {
      estate.now = estate.now.add({ hours: 25 });
      expect((await sync()).tasks[collectReplica]).toMatchObject({ status: 'Completed' });
    }
    expect(await storedBytes()).toBeLessThan(before / 3);
    const store = await replica();
    const [pointId] = await idsInReplica();
    expect(await diskOf(store, pointId ?? '', 'vda')).toEqual(estate.host.contentOf(estate.vmUuid, 'vda'));
  });

  it('never touches a point that is no copy of the vault', async () => {
    await estate.addReplica();
    const store = await replica();
    for (const pointId of ['a', 'b']) {
      await using writer = await store.beginPoint({ itemId: estate.itemId, pointId });
      await writer.commit({
        createdAt: '2020-01-01T00:00:00Z',
        disks: [],
        metadata: { expiresAt: '2020-01-02T00:00:00Z' },
      });
    }
    const pointId = await backUp();
    await sync({ force: true });
    expect(await idsInReplica()).toEqual([pointId, 'a', 'b']);
  });
});

describe('trouble', () => {
  it('with one point leaves the others, is shown, and is tried again after a while', async () => {
    const before = new Set(estate.backend.objects.keys());
    estate.host.write(estate.vmUuid, 'vda', 0, bytes(100_000, 1));
    const bad = await backUp();
    spoilPacks(estate.backend.objects, before);
    for (let at = 0; at < 3; at++)
      estate.host.write(estate.vmUuid, 'vda', at * 65_536, bytes(65_536, 5 + at));
    const good = await backUp();
    await estate.addReplica();
    const job = await sync();
    expect(job).toMatchObject({ status: 'CompletedWithWarnings' });
    expect(JSON.parse(job.error_json ?? '{}')).toMatchObject({
      code: 'StoreDamaged',
      message: expect.stringMatching(new RegExp(`point ${bad} cannot be copied: disk vda .* Bytes`)),
    });
    expect(job.tasks[copyToReplica]?.message).toBe('1 copied, 1 could not be');
    expect(await idsInReplica()).toEqual([good]);
    expect(await lag()).toMatchObject({ points: 1 });
    expect(await replicaRow()).toMatchObject({ failures: 1, completed_at: null });

    await startDueReplications(estate.workshop);
    expect(await replications()).toHaveLength(1);
    estate.now = estate.now.add({ minutes: 6 });
    await startDueReplications(estate.workshop);
    await estate.replicated();
    expect(await replicaRow()).toMatchObject({ failures: 2 });
    // A new backup does not set it going while it waits; the schedule brings its point.
    await backUp();
    expect(await replications()).toHaveLength(2);
  });

  it('with a record in the replica is mended from the source', async () => {
    await estate.addReplica();
    const pointId = await backUp();
    estate.replicaBackend.objects.set(`points/${estate.itemId}/${pointId}.point`, Buffer.from('rubbish'));
    expect(await sync()).toMatchObject({ status: 'Completed' });
    expect(await (await replica()).listPoints()).toMatchObject({ points: [{ pointId }], damaged: [] });
  });

  it.each([
    ['is full', new HoldfastError('StoreFull', 'no space left'), 'StoreFull'],
    ['does not answer', new HoldfastError('StoreUnavailable', 'gone'), 'StoreUnavailable'],
  ])(
    'of the replica that %s fails the job and no backup, and the next try goes on',
    async (_, error, code) => {
      await estate.addReplica();
      const { put } = estate.replicaBackend;
      estate.replicaBackend.put = () => Promise.reject(error);
      await backUp();
      expect((await estate.item()).last_backup_status).toBe('Completed');
      const [failed] = await replications();
      expect(failed).toMatchObject({ status: 'Failed' });
      expect(JSON.parse((await replicaRow()).last_error_json ?? '{}').code).toBe(code);
      estate.replicaBackend.put = put;
      expect(await sync()).toMatchObject({ status: 'Completed' });
      expect(await replicaRow()).toMatchObject({ failures: 0, last_error_json: null });
    },
  );

  it('of a service that stops in between costs nothing but time', async () => {
    estate.host.write(estate.vmUuid, 'vda', 0, bytes(700_000, 1));
    await backUp();
    const pointId = await backUp();
    await estate.addReplica();
    const reached = Promise.withResolvers<void>();
    const { put } = estate.replicaBackend;
    estate.replicaBackend.put = async (name, parts) => {
      await put(name, parts);
      if (name.includes('.point')) reached.resolve();
    };
    await startReplication(estate.workshop, estate.vault, { userTriggered: true });
    await reached.promise;
    await estate.restart();
    await estate.replicated();
    expect(await idsInReplica()).toContain(pointId);
    const jobs = await replications();
    expect(jobs).toHaveLength(1);
    expect(jobs[0]).toMatchObject({ status: 'Completed' });
    expect(await lag()).toMatchObject({ points: 0 });
  });

  it('is over when the job is cancelled', async () => {
    estate.host.write(estate.vmUuid, 'vda', 0, bytes(100_000, 1));
    await backUp();
    await estate.addReplica();
    const hold = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const { put } = estate.replicaBackend;
    estate.replicaBackend.put = async (name, parts) => {
      reached.resolve();
      await hold.promise;
      await put(name, parts);
    };
    const jobId = await startReplication(estate.workshop, estate.vault, { userTriggered: true });
    await reached.promise;
    const cancelled = estate.workshop.engine.cancel(jobId);
    hold.resolve();
    await cancelled;
    await estate.settled(jobId);
    expect(await jobOf(jobId)).toMatchObject({ status: 'Cancelled' });
  });
});

describe('the schedule', () => {
  const at = (minutes: number) => Temporal.Instant.from('2026-01-01T00:00:00Z').add({ minutes });
  const row = (failures: number, completed: number | null = 0) => ({
    attempted_at: at(0).toString(),
    completed_at: completed === null ? null : at(completed).toString(),
    failures,
  });

  it.each([
    ['at once when it never ran', { attempted_at: null, completed_at: null, failures: 0 }, 0, true],
    ['not before a day has passed', row(0), 23 * 60, false],
    ['once a day has passed', row(0), 24 * 60, true],
    ['not at once after a failure', row(1), 4, false],
    ['five minutes after the first failure', row(1), 5, true],
    ['later after the third', row(3), 19, false],
    ['no later than six hours after any', row(40, null), 6 * 60, true],
    ['at once when the clock was set back', row(0), -60, true],
  ])('runs %s', (_, state, minutes, due) => {
    expect(isDue(state, at(minutes))).toBe(due);
  });

  it('keeps to the rate that was set', async () => {
    const slept: number[] = [];
    estate.workshop.clock.sleep = async (ms) => void slept.push(ms);
    for (const disk of ['vda', 'vdb']) estate.host.write(estate.vmUuid, disk, 0, bytes(262_144, 1));
    await backUp();
    await estate.addReplica();
    await updateReplica(estate.workshop.db, 'v1', { bytes_per_second: 65_536 });
    expect(await sync()).toMatchObject({ status: 'Completed' });
    // The second disk waits for the four seconds that the first one takes.
    expect(Math.max(...slept)).toBeGreaterThan(3000);
    expect(Math.max(...slept)).toBeLessThanOrEqual(4000);
  });

  it('forgets a point that is nowhere any more', async () => {
    await estate.addReplica();
    const pointId = await backUp();
    await backUp();
    await updatePoint(estate.workshop.db, pointId, { in_snapshot: 0, in_vault: inVault.no });
    await (await replica()).deletePoint(estate.itemId, pointId);
    await (await estate.store()).deletePoint(estate.itemId, pointId);
    await sync();
    expect((await pointsOf()).map((row) => row.point_id)).not.toContain(pointId);
  });
});
