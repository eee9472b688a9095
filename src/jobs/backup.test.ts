import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { onPostgres } from '../../tests/support/scratch-place.ts';
import { findJob, getDefinition, insertItem, listPoints, updateItem, updateJob } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { defaultPolicy } from '../protection/index.ts';
import { startBackup } from './backup.ts';
import { maintainAll, maintenanceIdle } from './maintenance.ts';
import { planNextBackup } from './next-backup.ts';
import { startDueBackups } from './scheduler.ts';
import { stopProtection } from './stop-protection.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';

let estate: SmallEstate;

beforeEach(async () => {
  estate = await createSmallEstate();
});
afterEach(() => estate[Symbol.asyncDispose]());

const bytes = (length: number, value: number) => new Uint8Array(length).fill(value);
const onDemand = { onDemand: {} };

/** Runs a backup to its end, a second after whatever came before. */
async function backUp(options: Parameters<typeof startBackup>[2] = onDemand): Promise<string> {
  estate.now = estate.now.add({ seconds: 1 });
  const jobId = await startBackup(estate.workshop, await estate.item(), options);
  await estate.settled(jobId);
  return jobId;
}

async function jobOf(jobId: string) {
  const found = await findJob(estate.workshop.db, jobId);
  if (found === undefined) throw new Error(`no job ${jobId}`);
  return { ...found.job, tasks: Object.fromEntries(found.tasks.map((task) => [task.task_id, task])) };
}

/** For how many days each point is kept, by its expiry. */
async function daysKept(): Promise<number[]> {
  return (await pointsOf()).map((point) =>
    Math.round((Date.parse(point.expires_at) - Date.parse(point.taken_at)) / 86_400_000),
  );
}

const pointsOf = () => listPoints(estate.workshop.db, estate.itemId);

/** Makes the next call of `operation` wait until the returned function says how it goes on. */
function holdNext(operation: 'takePoint' | 'openPoint') {
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  // It may be told to fail long before it gets here.
  released.promise.catch(() => {});
  estate.host.onCall = async (called) => {
    if (called !== operation) return;
    estate.host.onCall = () => {};
    reached.resolve();
    await released.promise;
  };
  return { reached: reached.promise, goOn: () => released.resolve(), fail: released.reject };
}

/** A whole disk of a stored point. */
async function stored(pointId: string, target: string): Promise<Uint8Array> {
  const store = await estate.store();
  const record = await store.readPoint(estate.itemId, pointId);
  const disk = record.disks.find((candidate) => candidate.name === target)?.disk;
  if (disk === undefined) throw new Error(`no disk ${target}`);
  const content = new Uint8Array(disk.sizeBytes);
  for await (const { offset, data } of store.openDisk(disk).stream()) content.set(data, offset);
  return content;
}

describe('a backup', () => {
  it('brings every point to the vault as it was, and reads only what changed after the first', async () => {
    const { host, vmUuid } = estate;
    host.write(vmUuid, 'vda', 0, bytes(300_000, 1));
    const first = await backUp();
    const before = host.contentOf(vmUuid, 'vda').slice();
    host.write(vmUuid, 'vda', 5000, bytes(10, 2));
    host.write(vmUuid, 'vdb', 70_000, bytes(4096, 3));
    const second = await backUp();

    for (const jobId of [first, second]) expect(await jobOf(jobId)).toMatchObject({ status: 'Completed' });
    const [one, two] = await pointsOf();
    expect(await stored(one?.point_id ?? '', 'vda')).toEqual(before);
    expect(await stored(two?.point_id ?? '', 'vda')).toEqual(host.contentOf(vmUuid, 'vda'));
    expect(await stored(two?.point_id ?? '', 'vdb')).toEqual(host.contentOf(vmUuid, 'vdb'));
    expect(JSON.parse(two?.transfer_json ?? '[]')).toMatchObject([
      { target: 'vda', basis: `delta since ${one?.point_id}`, readBytes: 4096 },
      { target: 'vdb', basis: `delta since ${one?.point_id}`, readBytes: 8192 },
    ]);
    const { progress_json: progress } = (await jobOf(second)).tasks['Transfer data to vault'] ?? {};
    expect(JSON.parse(progress ?? '{}').disks).toMatchObject([
      { name: 'vda', processedBytes: 4096, totalBytes: 4096 },
      { name: 'vdb', processedBytes: 8192, totalBytes: 8192 },
    ]);
    expect((await estate.item()).state).toBe('Protected');
  });

  it('keeps the definition apart from the point, and with the point in the store', async () => {
    await backUp();
    const [point] = await pointsOf();
    expect(JSON.parse(point?.frozen_json ?? '')).not.toHaveProperty('definition');
    const definition = JSON.parse(await getDefinition(estate.workshop.db, point?.point_id ?? ''));
    expect(definition.domainXml).toContain('web');
    const record = await (await estate.store()).readPoint(estate.itemId, point?.point_id ?? '');
    expect(record.metadata).toMatchObject({ frozen: { definition } });
  });

  it("tells in Azure's words what it has backed up, and how much of the vault that takes", async () => {
    // Bytes that no compression makes less of.
    estate.host.write(estate.vmUuid, 'vda', 0, randomBytes(100_000));
    const bag = JSON.parse((await jobOf(await backUp())).property_bag_json);
    const [point] = await pointsOf();
    const stored = JSON.parse(point?.transfer_json ?? '[]').reduce(
      (sum: number, disk: { storedBytes: number }) => sum + disk.storedBytes,
      0,
    );
    expect(stored).toBeGreaterThan(100_000);
    expect(bag).toMatchObject({
      'VM Name': 'web',
      'Backup Size': '1 MB', // in whole ones, what is begun counted
      'Backed-up disk(s)': 'vda;vdb',
      'Recovery Point Expiry Time in UTC': `${point?.expires_at.slice(0, 19)}Z`,
    });
    expect(bag).not.toHaveProperty('Excluded disk(s)');
  });

  it('keeps the snapshot and warns when the transfer fails, and the next backup brings it too', async () => {
    await backUp();
    estate.host.write(estate.vmUuid, 'vda', 0, bytes(4096, 7));
    const held = holdNext('openPoint');
    held.fail(new HoldfastError('HostUnreachable', 'The host is away.'));
    const failed = await backUp();
    expect(await jobOf(failed)).toMatchObject({
      status: 'CompletedWithWarnings',
      tasks: {
        'Take Snapshot': { status: 'Completed' },
        'Transfer data to vault': { status: 'Failed', message: 'The host is away.' },
      },
    });
    expect((await pointsOf()).at(-1)).toMatchObject({ in_snapshot: 1, in_vault: 0 });
    expect(await daysKept()).toEqual([30, 30]);

    const before = estate.host.contentOf(estate.vmUuid, 'vda').slice();
    estate.host.write(estate.vmUuid, 'vda', 8192, bytes(4096, 8));
    await backUp();
    const [, missed, last] = await pointsOf();
    for (const point of [missed, last]) {
      expect(point).toMatchObject({ in_vault: 1 });
      expect(JSON.parse(point?.transfer_json ?? '[]')[0].readBytes).toBe(4096);
    }
    expect(await stored(missed?.point_id ?? '', 'vda')).toEqual(before);
    expect(await stored(last?.point_id ?? '', 'vda')).toEqual(estate.host.contentOf(estate.vmUuid, 'vda'));
  });

  it('takes its snapshot while an earlier one transfers, and skips its own transfer', async () => {
    const held = holdNext('openPoint');
    const first = await startBackup(estate.workshop, await estate.item(), onDemand);
    await held.reached;
    const second = await backUp();
    expect(await jobOf(second)).toMatchObject({
      status: 'Completed',
      tasks: { 'Transfer data to vault': { status: 'Skipped' } },
    });
    const until = estate.now.add({ hours: 24 * 90 }).toString();
    await backUp({});
    await backUp({ onDemand: { until } });
    held.goOn();
    await estate.settled(first);
    expect((await pointsOf()).map((point) => point.in_vault)).toEqual([1, 0, 0, 0]);
    // A snapshot that stays one lives as long as instant restore, unless its caller named a date.
    expect(await daysKept()).toEqual([30, 2, 2, 90]);
    const expiry = (await pointsOf())[1]?.expires_at.slice(0, 19);
    expect(JSON.parse((await jobOf(second)).property_bag_json)).toMatchObject({
      'Recovery Point Expiry Time in UTC': `${expiry}Z`,
    });
  });

  it('leaves its transfer out after a restart too, once it was left out', async () => {
    const held = holdNext('openPoint');
    const first = await startBackup(estate.workshop, await estate.item(), onDemand);
    await held.reached;
    const second = await backUp();
    held.goOn();
    await estate.settled(first);
    await updateJob(estate.workshop.db, second, {
      status: 'InProgress',
      ended_at: null,
      owner: 'one that died',
    });
    await estate.restart();
    await estate.settled(second);
    expect(await jobOf(second)).toMatchObject({ status: 'Completed' });
    expect((await pointsOf()).map((point) => point.in_vault)).toEqual([1, 0]);
  });

  it('does not bring back protection that was stopped while it transferred', async () => {
    const held = holdNext('openPoint');
    const jobId = await startBackup(estate.workshop, await estate.item(), onDemand);
    await held.reached;
    await estate.settled(await stopProtection(estate.workshop, await estate.item()));
    held.goOn();
    await estate.settled(jobId);
    expect(await estate.item()).toMatchObject({ state: 'ProtectionStopped', policy_name: null });
  });

  it('refuses to start while another takes its snapshot', async () => {
    const held = holdNext('takePoint');
    const first = await startBackup(estate.workshop, await estate.item(), onDemand);
    await held.reached;
    await expect(startBackup(estate.workshop, await estate.item(), onDemand)).rejects.toMatchObject({
      code: 'UserErrorBackupOperationInProgress',
    });
    held.goOn();
    await estate.settled(first);
  });

  it('tries a refused snapshot once more, then fails with the reason', async () => {
    let refusals = 1;
    estate.host.onCall = (operation) => {
      if (operation === 'takePoint' && refusals-- > 0) throw new HoldfastError('HostUnreachable', 'Busy.');
    };
    expect(await jobOf(await backUp())).toMatchObject({ status: 'Completed' });
    refusals = 2;
    const failed = await jobOf(await backUp());
    expect(failed).toMatchObject({
      status: 'Failed',
      tasks: {
        'Take Snapshot': { status: 'Failed' },
        'Transfer data to vault': { status: 'Failed', started_at: null },
      },
    });
    expect(JSON.parse(failed.error_json ?? '')).toMatchObject({ code: 'HostUnreachable', message: 'Busy.' });
    expect(await pointsOf()).toHaveLength(1);
  });

  it('can be cancelled while it takes its snapshot, and while it transfers, and leaves nothing behind', async () => {
    await backUp();
    const [before] = await pointsOf();
    const held = holdNext('takePoint');
    const jobId = await startBackup(estate.workshop, await estate.item(), onDemand);
    await held.reached;
    await estate.workshop.engine.cancel(jobId);
    held.fail(new DOMException('aborted', 'AbortError'));
    await estate.settled(jobId);
    expect(await jobOf(jobId)).toMatchObject({
      status: 'Cancelled',
      tasks: {
        'Take Snapshot': { status: 'Cancelled' },
        'Transfer data to vault': { status: 'Cancelled', started_at: null },
      },
    });
    // That somebody wanted no backup is nothing wrong with the item.
    expect(await estate.item()).toMatchObject({ last_backup_status: 'Cancelled', last_error_json: null });

    const transfer = holdNext('openPoint');
    const other = await startBackup(estate.workshop, await estate.item(), onDemand);
    await transfer.reached;
    expect(await pointsOf()).toHaveLength(2);
    await estate.workshop.engine.cancel(other);
    transfer.fail(new DOMException('aborted', 'AbortError'));
    await estate.settled(other);
    expect(await jobOf(other)).toMatchObject({
      status: 'Cancelled',
      tasks: {
        'Take Snapshot': { status: 'Completed' },
        'Transfer data to vault': { status: 'Cancelled' },
      },
    });
    expect(await pointsOf()).toEqual([before]);

    estate.host.write(estate.vmUuid, 'vda', 8192, bytes(4096, 5));
    await backUp();
    const last = (await pointsOf()).at(-1)?.point_id ?? '';
    expect(await stored(last, 'vda')).toEqual(estate.host.contentOf(estate.vmUuid, 'vda'));
    // Its layer is merged as soon as those below it are.
    estate.now = estate.now.add({ hours: 24 * 5 });
    await backUp();
    expect(await estate.host.listPoints(estate.vmUuid)).toEqual([(await pointsOf()).at(-1)?.point_id]);
  });

  it('that was being cancelled when the process died leaves nothing behind either', async () => {
    await backUp();
    const [before] = await pointsOf();
    const held = holdNext('openPoint');
    const jobId = await startBackup(estate.workshop, await estate.item(), onDemand);
    await held.reached;
    await updateJob(estate.workshop.db, jobId, { status: 'Cancelling' });
    held.fail(new Error('the process went away'));
    await estate.restart();
    await estate.settled(jobId);
    expect(await jobOf(jobId)).toMatchObject({ status: 'Cancelled' });
    expect(await pointsOf()).toEqual([before]);
    const { points } = await (await estate.store()).listPoints();
    expect(points.map((point) => point.pointId)).toEqual([before?.point_id]);
  });
});

describe('after a restart', () => {
  it('a transfer that was under way is done again and completes', async () => {
    const held = holdNext('openPoint');
    estate.host.write(estate.vmUuid, 'vda', 0, bytes(4096, 9));
    const jobId = await startBackup(estate.workshop, await estate.item(), onDemand);
    await held.reached;
    held.fail(new Error('the process went away'));
    // The stop reaches the job before the failure does.
    await estate.restart();
    await estate.settled(jobId);
    expect(await jobOf(jobId)).toMatchObject({ status: 'Completed' });
    const [point] = await pointsOf();
    expect(await stored(point?.point_id ?? '', 'vda')).toEqual(estate.host.contentOf(estate.vmUuid, 'vda'));
  });

  it('a snapshot that the host took and nobody noted is noted, and transferred', async () => {
    await backUp();
    const held = holdNext('takePoint');
    const jobId = await startBackup(estate.workshop, await estate.item(), onDemand);
    await held.reached;
    // The host finishes the point, the service dies before it hears of it.
    const { pointId } = JSON.parse((await jobOf(jobId)).payload_json) as { pointId: string };
    estate.host.write(estate.vmUuid, 'vda', 0, bytes(4096, 4));
    const atPoint = estate.host.contentOf(estate.vmUuid, 'vda').slice();
    const request = { machineUuid: estate.vmUuid, excludedDisks: [], consistency: 'crash' } as const;
    estate.now = estate.now.add({ seconds: 1 });
    await estate.host.takePoint({ ...request, pointId });
    held.fail(new Error('the process went away'));
    await estate.restart();
    await estate.settled(jobId);
    expect(await jobOf(jobId)).toMatchObject({
      status: 'Completed',
      tasks: { 'Take Snapshot': { status: 'Completed' } },
    });
    expect((await pointsOf()).map((point) => point.in_vault)).toEqual([1, 1]);
    expect(await stored(pointId, 'vda')).toEqual(atPoint);
  });

  it('a snapshot that was not taken is failed with a code, and the next backup goes on', async () => {
    const held = holdNext('takePoint');
    const jobId = await startBackup(estate.workshop, await estate.item(), onDemand);
    await held.reached;
    held.fail(new Error('the process went away'));
    await estate.restart();
    await estate.settled(jobId);
    expect(await jobOf(jobId)).toMatchObject({ status: 'Failed' });
    expect(JSON.parse((await jobOf(jobId)).error_json ?? '')).toMatchObject({ code: 'JobInterrupted' });
    expect(await jobOf(await backUp())).toMatchObject({ status: 'Completed' });
  });

  it('layers on the host that no point and no job names are given up, from the bottom', async () => {
    await backUp();
    const stray = {
      machineUuid: estate.vmUuid,
      pointId: 'stray',
      excludedDisks: [],
      consistency: 'crash',
    } as const;
    await estate.host.takePoint(stray);
    await backUp();
    expect(await estate.host.listPoints(estate.vmUuid)).toContain('stray');
    estate.now = estate.now.add({ hours: 72 });
    await backUp();
    expect(await estate.host.listPoints(estate.vmUuid)).not.toContain('stray');
    const last = (await pointsOf()).at(-1)?.point_id ?? '';
    expect(await stored(last, 'vda')).toEqual(estate.host.contentOf(estate.vmUuid, 'vda'));
  });
});

describe('retention', () => {
  it('gives up snapshots and vault points when their time is over, and never the last', async () => {
    await backUp({});
    for (let day = 0; day < 33; day += 1) {
      estate.now = estate.now.add({ hours: 24 });
      await backUp({});
    }
    const points = await pointsOf();
    expect(points.filter((point) => point.in_vault === 1)).toHaveLength(
      defaultPolicy.retention.daily?.count ?? 0,
    );
    expect(points.filter((point) => point.in_snapshot === 1)).toHaveLength(2);
    const { points: records } = await (await estate.store()).listPoints();
    expect(records.map((record) => record.pointId)).toEqual(
      points.filter((point) => point.in_vault === 1).map((point) => point.point_id),
    );
    const last = points.at(-1)?.point_id ?? '';
    expect(await stored(last, 'vda')).toEqual(estate.host.contentOf(estate.vmUuid, 'vda'));
  });

  it.each(['HostUnreachable', 'UserErrorVmNotFoundV2'] as const)(
    'gives up vault points though the host says %s, and tells only what is wrong',
    async (code) => {
      await backUp();
      await backUp();
      const warn = vi.spyOn(estate.workshop.log, 'warn');
      estate.host.onCall = (operation) => {
        if (operation === 'listPoints') throw new HoldfastError(code, 'It is away.');
      };
      estate.now = estate.now.add({ hours: 24 * 31 });
      await maintainAll(estate.workshop);
      await maintenanceIdle(estate.workshop);
      expect((await pointsOf()).map((point) => point.in_vault)).toEqual([1]);
      expect((await (await estate.store()).listPoints()).points).toHaveLength(1);
      expect(warn.mock.calls.map(([, message]) => message)).toEqual(
        code === 'HostUnreachable' ? ['It is away.'] : [],
      );
    },
  );

  it.each([
    [180, undefined],
    [7, 7],
  ])('keeps jobs for %i days after their end where it was told %s', async (days, told) => {
    if (told !== undefined) estate.workshop.jobHistoryDays = told;
    const jobId = await backUp();
    const kept = async () => {
      await maintainAll(estate.workshop);
      await maintenanceIdle(estate.workshop);
      return (await findJob(estate.workshop.db, jobId)) !== undefined;
    };
    estate.now = estate.now.add({ hours: 24 * days - 1 });
    expect(await kept()).toBe(true);
    estate.now = estate.now.add({ hours: 2 });
    expect(await kept()).toBe(false);
  });

  // It counts turns of the event loop, which a database elsewhere does not keep to.
  it.skipIf(onPostgres())(
    'merges for one VM of a host at a time, and takes four snapshots at once',
    async () => {
      const { db, engine } = estate.workshop;
      for (const name of ['a', 'b', 'c', 'd', 'e']) {
        const vmUuid = estate.host.addMachine(name, { vda: 4096 });
        await insertItem(db, { ...(await estate.item()), item_id: name, vm_uuid: vmUuid, vm_name: name });
        await planNextBackup(db, name, estate.now);
      }
      const atOnce = { takePoint: 0, expirePoints: 0 };
      const most = { ...atOnce };
      estate.host.onCall = async (operation) => {
        if (operation !== 'takePoint' && operation !== 'expirePoints') return;
        atOnce[operation] += 1;
        most[operation] = Math.max(most[operation], atOnce[operation]);
        // Long enough for all the others to get here if nothing held them.
        for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        atOnce[operation] -= 1;
      };
      for (let round = 0; round < 3; round += 1) {
        estate.now = estate.now.add({ hours: 24 * 3 });
        const started = await startDueBackups(estate.workshop);
        expect(started).toHaveLength(6);
        await Promise.all(started.map((jobId) => engine.wait(jobId)));
        await maintenanceIdle(estate.workshop);
      }
      expect(most).toEqual({ takePoint: 4, expirePoints: 1 });
    },
  );
});

describe('collection', () => {
  it('gives back the space of expired points, and every point that is left reads back', async () => {
    const contents = new Map<string, Uint8Array>();
    const day = async (value: number) => {
      estate.now = estate.now.add({ hours: 24 });
      estate.host.write(estate.vmUuid, 'vda', 0, randomBytes(400_000));
      estate.host.write(estate.vmUuid, 'vdb', value * 4096, bytes(4096, value + 1));
      await backUp({});
      contents.set(
        (await pointsOf()).at(-1)?.point_id ?? '',
        estate.host.contentOf(estate.vmUuid, 'vda').slice(),
      );
      await maintainAll(estate.workshop);
      await maintenanceIdle(estate.workshop);
    };
    for (let n = 0; n < 12; n += 1) await day(n);
    const full = (await (await estate.store()).stats()).storedBytes;
    // Nothing is taken for a month, so that all but the last point expire; then two collections, a day apart.
    estate.now = estate.now.add({ hours: 24 * 40 });
    for (let n = 12; n < 16; n += 1) await day(n);
    const { storedBytes } = await (await estate.store()).stats();
    expect(storedBytes).toBeLessThan(full / 2);
    const left = await pointsOf();
    expect(left.length).toBeLessThanOrEqual(5);
    for (const { point_id: pointId } of left)
      expect(await stored(pointId, 'vda')).toEqual(contents.get(pointId));
  });
});

describe('the schedule', () => {
  it('loses no occurrence to a backup that is in its way', async () => {
    const held = holdNext('takePoint');
    const inTheWay = await startBackup(estate.workshop, await estate.item(), onDemand);
    await held.reached;
    estate.now = estate.now.add({ hours: 25 });
    expect(await startDueBackups(estate.workshop)).toEqual([]);
    held.goOn();
    await estate.settled(inTheWay);
    const started = await startDueBackups(estate.workshop);
    expect(started).toHaveLength(1);
    for (const jobId of started) await estate.settled(jobId);
  });

  it('goes on after the clock was ahead', async () => {
    const ahead = estate.now.add({ hours: 24 * 3650 }).toString({ fractionalSecondDigits: 3 });
    await updateItem(estate.workshop.db, estate.itemId, { schedule_handled_until: ahead });
    expect(await startDueBackups(estate.workshop)).toEqual([]);
    estate.now = estate.now.add({ hours: 25 });
    const started = await startDueBackups(estate.workshop);
    expect(started).toHaveLength(1);
    for (const jobId of started) await estate.settled(jobId);
  });

  it('starts the others when one item is broken', async () => {
    const { db } = estate.workshop;
    const vmUuid = estate.host.addMachine('api', { vda: 4096 });
    await insertItem(db, { ...(await estate.item()), item_id: 'i2', vm_uuid: vmUuid, vm_name: 'api' });
    await planNextBackup(db, 'i2', estate.now);
    await updateItem(db, 'i2', { policy_json: '{}' });
    const error = vi.spyOn(estate.workshop.log, 'error');
    estate.now = estate.now.add({ hours: 25 });
    const started = await startDueBackups(estate.workshop);
    expect(started).toHaveLength(1);
    expect(error).toHaveBeenCalledOnce();
    for (const jobId of started) await estate.settled(jobId);
  });

  it('starts one backup for a missed time, however often it looks, and none once stopped', async () => {
    expect(await startDueBackups(estate.workshop)).toEqual([]);
    estate.now = estate.now.add({ hours: 24 * 9 });
    const started = await startDueBackups(estate.workshop);
    expect(started).toHaveLength(1);
    for (const jobId of started) await estate.settled(jobId);
    expect(await startDueBackups(estate.workshop)).toEqual([]);
    await updateItem(estate.workshop.db, estate.itemId, { state: 'ProtectionStopped', policy_name: null });
    estate.now = estate.now.add({ hours: 48 });
    expect(await startDueBackups(estate.workshop)).toEqual([]);
  });
});
