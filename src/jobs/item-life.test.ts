import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  findItem,
  findJob,
  type ItemRow,
  insertPolicy,
  insertVault,
  listJobs,
  listPoints,
  updatePoint,
  type VaultRow,
} from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { defaultPolicy, enhancedPolicy } from '../protection/index.ts';
import { createStore, memoryBackend } from '../store/index.ts';
import { startBackup } from './backup.ts';
import { configureProtection, type WantedProtection } from './configure.ts';
import { deleteData } from './delete-data.ts';
import { maintainAll, maintenanceIdle } from './maintenance.ts';
import { purge, startDuePurges } from './purge.ts';
import { startRestore } from './start-restore.ts';
import { stopProtection } from './stop-protection.ts';
import { allEnded } from './testing/deaths.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';
import { undelete } from './undelete.ts';
import { changeVaultSecurity } from './vault-security.ts';

let estate: SmallEstate;
let other: VaultRow;

beforeEach(async () => {
  estate = await createSmallEstate();
  other = { ...estate.vault, vault_id: 'v2', name: 'Second' };
  await insertVault(estate.workshop.db, other, [defaultPolicy]);
});
afterEach(() => estate[Symbol.asyncDispose]());

const pass = (days: number) => {
  estate.now = estate.now.add({ hours: Math.round(24 * days) });
};

/** How the job ended, and with which error. */
async function endOf(jobId: string): Promise<string[]> {
  await estate.settled(jobId);
  const job = (await findJob(estate.workshop.db, jobId))?.job;
  const error = job?.error_json == null ? [] : [(JSON.parse(job.error_json) as { code: string }).code];
  return [`${job?.operation} ${job?.status}`, ...error];
}

async function backUp(): Promise<string[]> {
  estate.now = estate.now.add({ seconds: 1 });
  return endOf(await startBackup(estate.workshop, await estate.item(), { onDemand: {} }));
}

/** One backup that stays on the host: the vault can't be read to. */
async function snapshotOnly(): Promise<void> {
  estate.host.onCall = (operation) => {
    if (operation === 'openPoint') throw new HoldfastError('HostUnreachable', 'Away.');
  };
  await backUp();
  estate.host.onCall = () => {};
}

async function configure(wanted: WantedProtection, vault = estate.vault, vmUuid = estate.vmUuid) {
  const found = (await estate.workshop.estate.listMachines()).find(({ machine }) => machine.uuid === vmUuid);
  if (found === undefined) throw new Error(`no VM ${vmUuid}`);
  const { item, jobId } = await configureProtection(estate.workshop, vault, found, wanted);
  expect(await endOf(jobId)).toEqual(['ConfigureBackup Completed']);
  return item;
}

const standard = { policyName: 'DefaultPolicy' };
const points = async () =>
  (await listPoints(estate.workshop.db, estate.itemId)).map((row) => [row.in_snapshot, row.in_vault]);
const stop = async (kind?: 'suspend') =>
  endOf(await stopProtection(estate.workshop, await estate.item(), kind));
const remove = async (typed = 'web') => endOf(await deleteData(estate.workshop, await estate.item(), typed));
const bringBack = async () => endOf(await undelete(estate.workshop, await estate.item()));
const secure = async (wanted: Parameters<typeof changeVaultSecurity>[2]) => {
  estate.vault = await changeVaultSecurity(estate.workshop, estate.vault, wanted);
};

const addPolicy = (policy: typeof defaultPolicy) => insertPolicy(estate.workshop.db, 'v1', policy);

describe('stopping', () => {
  it('keeps the points past their expiry, whatever becomes of the policy', async () => {
    await backUp();
    await backUp();
    expect(await stop()).toEqual(['DisableBackup Completed']);
    expect(await estate.item()).toMatchObject({ state: 'ProtectionStopped', policy_name: null });
    pass(400);
    await maintainAll(estate.workshop);
    await maintenanceIdle(estate.workshop);
    expect(await points()).toEqual([
      [0, 1],
      [0, 1],
    ]);
    await expect(backUp()).rejects.toMatchObject({ code: 'UserErrorBcmDatasourceNotPresent' });
  });

  it('is done although the VM is gone', async () => {
    await backUp();
    estate.host.removeMachine(estate.vmUuid);
    expect(await backUp()).toEqual(['Backup Failed', 'UserErrorVmNotFoundV2']);
    expect(await stop()).toEqual(['DisableBackup Completed']);
    expect((await points()).length).toBe(1);
  });

  it('is refused while the item is being changed, and tells who comes second so', async () => {
    const item = await estate.item();
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    estate.host.onCall = async (operation) => {
      if (operation !== 'releaseMachine') return;
      reached.resolve();
      await goOn.promise;
    };
    const first = await stopProtection(estate.workshop, item);
    await reached.promise;
    await expect(stopProtection(estate.workshop, await estate.item())).rejects.toMatchObject({
      code: 'BMSUserErrorConflictingProtectionOperation',
    });
    goOn.resolve();
    expect(await endOf(first)).toEqual(['DisableBackup Completed']);
    // Decided on what is no more.
    await expect(stopProtection(estate.workshop, item)).rejects.toMatchObject({
      code: 'BMSUserErrorConflictingProtectionOperation',
    });
  });
});

describe('suspending', () => {
  it('is for immutable vaults, and lets points expire as the policy said then', async () => {
    await backUp();
    await backUp();
    await expect(stop('suspend')).rejects.toMatchObject({ code: 'UserErrorOperationDeniedOnImmutableItem' });
    await secure({ immutability: 'Unlocked' });
    expect(await stop('suspend')).toEqual(['DisableBackup Completed']);
    const item = await estate.item();
    expect(item).toMatchObject({ state: 'BackupsSuspended', policy_name: null });
    expect(JSON.parse(item.policy_json)).toEqual(defaultPolicy);
    pass(31);
    await maintainAll(estate.workshop);
    await maintenanceIdle(estate.workshop);
    expect(await points()).toEqual([[0, 1]]); // the last one stays
    await expect(backUp()).rejects.toMatchObject({ code: 'UserErrorBcmDatasourceNotPresent' });
    await configure(standard);
    expect(await estate.item()).toMatchObject({ state: 'Protected', policy_name: 'DefaultPolicy' });
    expect(await backUp()).toEqual(['Backup Completed']);
  });
});

describe('another policy', () => {
  it('goes from Standard to Enhanced and never back, not by stopping either', async () => {
    await addPolicy(enhancedPolicy);
    await configure({ policyName: 'EnhancedPolicy' });
    await allEnded(estate);
    const [job] = await listJobs(estate.workshop.db, 'v1', { operation: 'ConfigureBackup' }, { limit: 1 });
    expect(JSON.parse(job?.property_bag_json ?? '')).toMatchObject({
      'Job Type': 'Migrate policy',
      'Policy Name': 'EnhancedPolicy',
    });
    // That is a backup, too.
    const backups = await listJobs(estate.workshop.db, 'v1', { operation: 'Backup' }, { limit: 9 });
    expect(backups).toMatchObject([{ status: 'Completed', user_triggered: 0 }]);
    expect(await points()).toEqual([[1, 1]]);
    const back = { code: 'UserErrorPolicyTypeChangeNotAllowed' };
    await expect(configure(standard)).rejects.toMatchObject(back);
    await stop();
    await expect(configure(standard)).rejects.toMatchObject(back);
    await configure({ policyName: 'EnhancedPolicy' });
    expect(await estate.item()).toMatchObject({ state: 'Protected', policy_name: 'EnhancedPolicy' });
  });

  it('may not keep less in an immutable vault, not by stopping and resuming either', async () => {
    await addPolicy({ ...defaultPolicy, name: 'Shorter', retention: { daily: { count: 8 } } });
    await secure({ immutability: 'Unlocked' });
    const denied = { code: 'UserErrorOperationDeniedOnImmutableItem' };
    await expect(configure({ policyName: 'Shorter' })).rejects.toMatchObject(denied);
    await stop();
    await expect(configure({ policyName: 'Shorter' })).rejects.toMatchObject(denied);
    await secure({ immutability: 'Disabled' });
    await configure({ policyName: 'Shorter' });
  });

  it('leaves out other disks, and not all of them', async () => {
    await configure({ ...standard, excludedDisks: ['vdb'] });
    expect(JSON.parse((await estate.item()).excluded_disks_json)).toEqual(['vdb']);
    await configure(standard);
    expect(JSON.parse((await estate.item()).excluded_disks_json)).toEqual(['vdb']);
    for (const excludedDisks of [['vdx'], ['vda', 'vdb']])
      await expect(configure({ ...standard, excludedDisks })).rejects.toMatchObject({ code: 'InvalidInput' });
    await configure({ ...standard, excludedDisks: [] });
    expect(JSON.parse((await estate.item()).excluded_disks_json)).toEqual([]);
  });
});

describe('deleting the data', () => {
  it('takes the name typed back, keeps everything for its time, and brings it back as it was', async () => {
    await backUp();
    await snapshotOnly();
    await expect(remove('wab')).rejects.toMatchObject({ code: 'InvalidInput' });
    // What exists only as a snapshot is kept, too.
    expect(await remove('WEB')).toEqual(['DeleteBackupData CompletedWithWarnings', 'UserErrorSnapshotsKept']);
    const before = await points();
    expect(await estate.item()).toMatchObject({
      state: 'SoftDeleted',
      purge_at: estate.now.add({ hours: 14 * 24 }).toString({ fractionalSecondDigits: 3 }),
    });
    pass(13 + 23 / 24);
    await maintainAll(estate.workshop);
    await maintenanceIdle(estate.workshop);
    await expect(purge(estate.workshop, await estate.item(), { userTriggered: true })).rejects.toMatchObject({
      code: 'UserErrorItemSoftDeleted',
    });
    await expect(backUp()).rejects.toMatchObject({ code: 'UserErrorItemSoftDeleted' });
    const [first] = await listPoints(estate.workshop.db, 'i1');
    if (first === undefined) throw new Error('the points are gone');
    await expect(
      startRestore(estate.workshop, await estate.item(), first, { kind: 'disks', directory: '/none' }),
    ).rejects.toMatchObject({ code: 'UserErrorItemSoftDeleted' });
    await expect(configure(standard)).rejects.toMatchObject({ code: 'UserErrorItemSoftDeleted' });
    expect(await bringBack()).toEqual(['Undelete Completed']);
    expect(await points()).toEqual(before);
    expect(await estate.item()).toMatchObject({ state: 'ProtectionStopped', purge_at: null });
    await configure(standard);
    expect(await backUp()).toEqual(['Backup Completed']);
  });

  it('is refused in an immutable vault until the last point has expired', async () => {
    await backUp();
    await secure({ immutability: 'Unlocked' });
    await secure({ immutability: 'Locked' });
    const denied = { code: 'UserErrorOperationDeniedOnImmutableItem' };
    await expect(remove()).rejects.toMatchObject(denied);
    await stop();
    await expect(remove()).rejects.toMatchObject(denied);
    await expect(secure({ immutability: 'Disabled' })).rejects.toMatchObject({
      code: 'UserErrorImmutabilityLocked',
    });
    pass(31);
    expect(await remove()).toEqual(['DeleteBackupData Completed']);
  });

  it('leaves nothing of an item that never had a point', async () => {
    expect(await remove()).toEqual(['DeleteBackupData Completed']);
    expect(await findItem(estate.workshop.db, 'i1')).toBeUndefined();
    await configure(standard);
  });

  it('counts the days that were in force when it was deleted', async () => {
    await backUp();
    await secure({ softDeleteDays: 100 });
    await remove();
    await secure({ softDeleteDays: 14 });
    pass(99);
    await startDuePurges(estate.workshop);
    expect(await estate.item()).toMatchObject({ state: 'SoftDeleted', purging: 0 });
  });

  it('lets another vault protect the VM, and neither harms the other', async () => {
    await backUp();
    await expect(configure(standard, other)).rejects.toMatchObject({ code: 'UserErrorVmAlreadyProtected' });
    await snapshotOnly();
    await remove();
    estate.workshop.estate.adoptStore(
      'v2',
      await createStore(memoryBackend(), { clock: estate.workshop.clock }),
    );
    const second = await configure(standard, other);
    const backUpSecond = async () => {
      const item = (await findItem(estate.workshop.db, second.item_id)) as ItemRow;
      estate.now = estate.now.add({ seconds: 1 });
      return endOf(await startBackup(estate.workshop, item, { onDemand: {} }));
    };
    expect(await backUpSecond()).toEqual(['Backup Completed']);
    expect(await points()).toEqual([
      [1, 1],
      [1, 0],
    ]);
    // Back again it can be restored from, and not be backed up.
    await bringBack();
    await expect(configure(standard)).rejects.toMatchObject({ code: 'UserErrorVmAlreadyProtected' });
    await remove();
    pass(15);
    await startDuePurges(estate.workshop);
    await maintenanceIdle(estate.workshop);
    const [job] = await listJobs(estate.workshop.db, 'v1', { operation: 'Purge' }, { limit: 1 });
    expect(await endOf(job?.job_id ?? '')).toEqual(['Purge Completed']);
    expect(await backUpSecond()).toEqual(['Backup Completed']);
  });
});

describe('purging', () => {
  it('removes everything when the time is over, in a job that says so', async () => {
    await estate.addReplica();
    await backUp();
    await backUp();
    await estate.replicated();
    await remove();
    pass(14);
    await maintainAll(estate.workshop);
    await maintenanceIdle(estate.workshop);
    const [job] = await listJobs(estate.workshop.db, 'v1', { operation: 'Purge' }, { limit: 1 });
    expect(await endOf(job?.job_id ?? '')).toEqual(['Purge Completed']);
    expect(job).toMatchObject({ entity_name: 'web', user_triggered: 0 });
    expect(JSON.parse(job?.property_bag_json ?? '')).toMatchObject({ 'VM Name': 'web' });
    expect(await findItem(estate.workshop.db, 'i1')).toBeUndefined();
    expect((await (await estate.store()).listPoints()).points).toEqual([]);
    const replica = await estate.workshop.db.selectFrom('replicas').selectAll().executeTakeFirstOrThrow();
    expect((await (await estate.workshop.estate.replica(replica)).listPoints()).points).toEqual([]);
    expect(await estate.host.listPoints(estate.vmUuid)).toEqual([]);
    await configure(standard);
  });

  it('finds what a backup committed and never noted', async () => {
    await backUp();
    await backUp();
    const [first] = await listPoints(estate.workshop.db, 'i1');
    await updatePoint(estate.workshop.db, first?.point_id ?? '', { in_vault: 0 });
    await remove();
    pass(14);
    await endOf(await purge(estate.workshop, await estate.item(), { userTriggered: true }));
    expect((await (await estate.store()).listPoints()).points).toEqual([]);
  });

  it('goes on until it is done, and is no way back once it has begun', async () => {
    await backUp();
    await snapshotOnly();
    await remove();
    pass(14);
    estate.host.onCall = (operation) => {
      if (operation === 'releaseMachine') throw new HoldfastError('DiskMergeFailed', 'No.');
    };
    const failed = await purge(estate.workshop, await estate.item(), { userTriggered: false });
    expect(await endOf(failed)).toEqual(['Purge Failed', 'DiskMergeFailed']);
    await expect(bringBack()).rejects.toMatchObject({ code: 'UserErrorItemBeingPurged' });
    estate.host.onCall = () => {};
    await endOf(await purge(estate.workshop, await estate.item(), { userTriggered: false }));
    expect(await findItem(estate.workshop.db, 'i1')).toBeUndefined();
  });

  it('waits for a job that works on the item', async () => {
    await backUp();
    await remove();
    pass(14);
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    estate.host.onCall = async (operation) => {
      if (operation !== 'releaseMachine') return;
      reached.resolve();
      await goOn.promise;
    };
    const first = await purge(estate.workshop, await estate.item(), { userTriggered: false });
    await reached.promise;
    await expect(purge(estate.workshop, await estate.item(), { userTriggered: false })).rejects.toMatchObject(
      { code: 'BMSUserErrorConflictingProtectionOperation' },
    );
    goOn.resolve();
    expect(await endOf(first)).toEqual(['Purge Completed']);
  });
});
