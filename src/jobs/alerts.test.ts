import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  insertPoint,
  listAlerts,
  listVaults,
  saveUpkeep,
  updateAlert,
  updateItem,
  updateJob,
  updatePoint,
} from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { endThawAlert, fireThawAlert, lookForAlerts } from './alerts.ts';
import { startBackup } from './backup.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';

let estate: SmallEstate;
beforeEach(async () => {
  estate = await createSmallEstate();
  // Just verified, so that nothing is overdue.
  await saveUpkeep(estate.workshop.db, 'v1', { verified_at: text(estate.now) });
});
afterEach(() => estate[Symbol.asyncDispose]());

const text = (moment: Temporal.Instant) => moment.toString({ fractionalSecondDigits: 3 });

const all = (withResolved = false) =>
  listAlerts(estate.workshop.db, { withResolved, withDismissed: true, limit: 100 });

/** The kinds of what is open after a look, but for how full this machine's disk is. */
async function look(options = { withHosts: false }): Promise<string[]> {
  await lookForAlerts(estate.workshop, options);
  return (await all()).map(({ kind }) => kind).filter((kind) => kind !== 'StoreNearlyFull');
}

it('fires once for a VM whose backup fails, says what to do, and ends with the next that succeeds', async () => {
  estate.host.onCall = (operation) => {
    if (operation === 'takePoint')
      throw new HoldfastError('UserErrorVmNotInDesirableState', 'It is in transition.');
  };
  const backUp = async () =>
    estate.settled(await startBackup(estate.workshop, await estate.item(), { onDemand: {} }));
  expect(await look()).toEqual([]);
  await backUp();
  expect(await look()).toEqual(['BackupFailed']);
  expect(await look()).toEqual(['BackupFailed']);
  await backUp();
  expect(await look()).toEqual(['BackupFailed']);
  const [alert] = await all();
  expect(alert).toMatchObject({ vault_id: 'v1', target: 'web', severity: 1, resolved_at: null });
  expect(alert?.message).toContain('It is in transition.');
  expect(alert?.action).not.toBe('');
  estate.host.onCall = () => {};
  await backUp();
  expect(await look()).toEqual([]);
  expect((await all(true)).map(({ resolved_at: at }) => at !== null)).toEqual([true]);
});

it('does not fire again while it goes on after it was dismissed, but does when it comes back', async () => {
  const { db } = estate.workshop;
  const fail = (status: string) => updateItem(db, 'i1', { last_backup_status: status });
  await fail('Failed');
  expect(await look()).toEqual(['BackupFailed']);
  const [first] = await all();
  await updateAlert(db, first?.alert_id ?? '', { dismissed_at: text(estate.now), dismissed_by: 'ada' });
  expect(await look()).toEqual(['BackupFailed']);
  expect((await all())[0]?.alert_id).toBe(first?.alert_id);
  await fail('Completed');
  expect(await look()).toEqual([]);
  await fail('Failed');
  await look();
  expect((await all())[0]?.alert_id).not.toBe(first?.alert_id);
});

it('tells nothing of a VM that is gone, as Azure does', async () => {
  const error = { code: 'UserErrorVmNotFoundV2', message: 'Gone.', action: 'Stop.' };
  const change = { last_backup_status: 'Failed', last_error_json: JSON.stringify(error) };
  await updateItem(estate.workshop.db, 'i1', change);
  expect(await look()).toEqual([]);
});

it('tells of other jobs that failed, for a day', async () => {
  const { db } = estate.workshop;
  const jobId = await startBackup(estate.workshop, await estate.item(), { onDemand: {} });
  await estate.settled(jobId);
  const error = { code: 'StoreFull', message: 'No room.', action: 'Make room.' };
  const end = { operation: 'Restore', status: 'Failed', error_json: JSON.stringify(error) } as const;
  await updateJob(db, jobId, { ...end, ended_at: text(estate.now) });
  expect(await look()).toEqual(['JobFailed']);
  expect((await all())[0]).toMatchObject({ action: 'Make room.', subject: `job ${jobId}` });
  estate.now = estate.now.add({ hours: 25 });
  expect(await look()).toEqual([]);
});

it('tells of damaged points until there are none', async () => {
  const { db } = estate.workshop;
  await insertPoint(
    db,
    {
      point_id: '1',
      item_id: 'i1',
      job_id: 'j',
      taken_at: text(estate.now),
      expires_at: text(estate.now),
      rule_name: null,
      basis_json: '{}',
      run_at: null,
      promised_until: null,
      soft_deleted_until: null,
      deleted_by_person: 0,
      damaged: 1,
      in_snapshot: 0,
      in_vault: 1,
      in_replica: 0,
      frozen_json: '{}',
      transfer_json: null,
    },
    '{}',
  );
  expect(await look()).toEqual(['RecoveryPointsDamaged']);
  expect((await all())[0]).toMatchObject({ severity: 0, target: 'Main' });
  await updatePoint(db, '1', { damaged: 0 });
  expect(await look()).toEqual([]);
});

it('tells of a verification that does not happen', async () => {
  estate.now = estate.now.add({ hours: 36 * 24 });
  expect(await look()).toEqual([]);
  estate.now = estate.now.add({ hours: 2 * 24 });
  expect(await look()).toEqual(['VerificationOverdue']);
  await saveUpkeep(estate.workshop.db, 'v1', { verify_every_days: 0 });
  expect(await look()).toEqual([]);
});

it('tells of a host that does not answer, and leaves that alone where hosts are not asked', async () => {
  estate.host.onCall = (operation) => {
    if (operation === 'facts') throw new HoldfastError('HostUnreachable', 'Nobody is there.');
  };
  expect(await look({ withHosts: true })).toEqual(['HostUnreachable']);
  expect((await all())[0]).toMatchObject({ host_group: 'default', target: 'memory', vault_id: null });
  estate.host.onCall = () => {};
  expect(await look()).toEqual(['HostUnreachable']);
  expect(await look({ withHosts: true })).toEqual([]);
});

it('keeps the alert of a guest that may be frozen until the guest is known to be thawed', async () => {
  const { workshop } = estate;
  const host = {
    resource_group: 'default',
    name: 'memory',
    location: 'local',
    zone: null,
    uri: 'memory:',
    overlay_directory: null,
    created_at: text(estate.now),
  };
  await fireThawAlert(workshop, host, 'u1', "The file systems of 'web' may still be frozen: no answer.");
  await fireThawAlert(workshop, host, 'u1', "The file systems of 'web' may still be frozen: again.");
  expect(await look()).toEqual(['GuestNotThawed']);
  await endThawAlert(workshop, host, 'another');
  expect(await look()).toEqual(['GuestNotThawed']);
  await endThawAlert(workshop, host, 'u1');
  expect(await look()).toEqual([]);
});

it('goes on with the others where one thing cannot be looked at', async () => {
  const { db } = estate.workshop;
  await updateItem(db, 'i1', { last_backup_status: 'Failed', last_error_json: 'no JSON' });
  estate.now = estate.now.add({ hours: 90 * 24 });
  expect(await look()).toEqual(['VerificationOverdue']);
  expect((await listVaults(db)).length).toBe(1);
});
