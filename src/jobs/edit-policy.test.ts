import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  findJob,
  findSavedPolicy,
  getItem,
  insertItem,
  insertPolicy,
  type JobRow,
  listItems,
  listJobs,
  listPoints,
  updateItem,
} from '../catalog/index.ts';
import { type BackupPolicy, enhancedPolicy, securityOfNewVault } from '../protection/index.ts';
import { startBackup } from './backup.ts';
import { removePolicy, savePolicy } from './edit-policy.ts';
import { jobsOfEdit } from './modify-policy.ts';
import { lastPolicyOf, putUnderPolicy, underPolicy } from './policies.ts';
import { previewEditOf } from './preview-policy-edit.ts';
import { allEnded, died } from './testing/deaths.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';

let estate: SmallEstate;

const hourly: BackupPolicy = { ...enhancedPolicy, name: 'Hourly' };
const keptFor = (count: number): BackupPolicy => ({ ...hourly, retention: { daily: { count } } });
const crashConsistent: BackupPolicy = { ...hourly, snapshotConsistencyType: 'OnlyCrashConsistent' };
const names = ['api', 'db', 'web'];
const security = securityOfNewVault;

beforeEach(async () => {
  estate = await createSmallEstate();
  const { db } = estate.workshop;
  await insertPolicy(db, 'v1', hourly);
  await updateItem(db, estate.itemId, underPolicy(hourly, estate.now));
  for (const name of names.slice(0, 2)) {
    const vmUuid = estate.host.addMachine(name, { vda: 4096 });
    await insertItem(db, { ...(await estate.item()), item_id: name, vm_uuid: vmUuid, vm_name: name });
  }
});
afterEach(() => estate[Symbol.asyncDispose]());

/** Saves the policy, and waits for all that follows. */
async function save(policy: BackupPolicy, conditions = {}): Promise<JobRow[]> {
  const { jobId } = await savePolicy(estate.workshop, estate.vault, policy, security, conditions);
  return jobId === undefined ? [] : settledEdit(jobId);
}

async function settledEdit(jobId: string): Promise<JobRow[]> {
  const { db } = estate.workshop;
  await allEnded(estate);
  const edit = (await findJob(db, jobId))?.job;
  if (edit === undefined) throw new Error(`no job ${jobId}`);
  return jobsOfEdit(db, edit);
}

const outcome = (jobs: JobRow[]) =>
  jobs
    .map(({ entity_name: name, status, error_json: error }) =>
      [name, status, ...(error === null ? [] : [(JSON.parse(error) as { code: string }).code])].join(' '),
    )
    .sort();

/** Who is under the policy in its present form. */
async function consistent(): Promise<string[]> {
  const { db } = estate.workshop;
  const policy = (await findSavedPolicy(db, 'v1', 'Hourly'))?.policy;
  return (await listItems(db, 'v1'))
    .filter((item) => item.policy_json === JSON.stringify(policy))
    .map((item) => item.vm_name)
    .sort();
}

async function expiries(): Promise<string[]> {
  const { db } = estate.workshop;
  const rows = await Promise.all((await listItems(db, 'v1')).map((item) => listPoints(db, item.item_id)));
  return rows.flat().map((point) => `${point.point_id} ${point.expires_at} ${point.rule_name}`);
}

async function backUpAll(): Promise<void> {
  const { db } = estate.workshop;
  for (const item of await listItems(db, 'v1')) {
    estate.now = estate.now.add({ minutes: 1 });
    await estate.settled(await startBackup(estate.workshop, item, { runAt: `${estate.now}` }));
  }
}

/** From now on this VM can't be backed up crash-consistently. */
function makeUnsupported(vm: string): void {
  const { getMachine } = estate.host;
  estate.host.getMachine = async (...args) => {
    const machine = await getMachine(...args);
    if (machine.name !== vm) return machine;
    return { ...machine, disks: machine.disks.map((disk) => ({ ...disk, cache: 'unsafe' })) };
  };
}

describe('saving a policy', () => {
  it('creates it, whatever the case of its name once only, and replaces what its editor has read', async () => {
    const policy = { ...hourly, name: 'Mine' };
    const { saved } = await savePolicy(estate.workshop, estate.vault, policy, security, { isNew: true });
    const other = { ...policy, name: 'MINE', instantRetentionDays: 3 };
    await expect(
      savePolicy(estate.workshop, estate.vault, other, security, { isNew: true }),
    ).rejects.toMatchObject({ code: 'PreconditionFailed', status: 412 });
    const second = await savePolicy(estate.workshop, estate.vault, other, security, {
      revision: saved.revision,
    });
    expect(second.saved.policy).toMatchObject({ name: 'Mine', instantRetentionDays: 3 });
    for (const revision of [saved.revision, 'none'])
      await expect(
        savePolicy(estate.workshop, estate.vault, policy, security, { revision }),
      ).rejects.toMatchObject({ code: 'PreconditionFailed' });
    expect((await findSavedPolicy(estate.workshop.db, 'v1', 'mine'))?.revision).toBe(second.saved.revision);
  });

  it('saves only one of two edits that began alike, with all that follows', async () => {
    const results = await Promise.allSettled([save(keptFor(40)), save(keptFor(50))]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await consistent()).toEqual(names);
    const edits = await listJobs(estate.workshop.db, 'v1', { operation: 'ModifyPolicy' }, { limit: 9 });
    expect(edits).toHaveLength(1);
  });

  it('refuses another kind of policy, and less retention where the vault is immutable', async () => {
    await expect(
      save({ ...keptFor(30), policyType: 'V1', schedule: { frequency: 'Daily', time: '20:00' } }),
    ).rejects.toMatchObject({
      code: 'UserErrorPolicyTypeChangeNotAllowed',
    });
    const immutable = { ...security, immutability: 'Locked' as const };
    await expect(savePolicy(estate.workshop, estate.vault, keptFor(29), immutable)).rejects.toMatchObject({
      code: 'UserErrorOperationDeniedOnImmutableItem',
    });
    expect(await consistent()).toEqual(names);
  });

  it('is deleted when nothing is under it, and not before', async () => {
    await expect(removePolicy(estate.workshop, estate.vault, 'hourly')).rejects.toMatchObject({
      code: 'ResourceInUse',
      message: expect.stringContaining('3 items'),
    });
    expect(await removePolicy(estate.workshop, estate.vault, 'defaultpolicy')).toBe(true);
    expect(await removePolicy(estate.workshop, estate.vault, 'defaultpolicy')).toBe(false);
  });
});

describe('an edit of a policy in use', () => {
  it('configures each VM by a job of its own, and moves the expiry of their points', async () => {
    await backUpAll();
    const before = await expiries();
    expect(outcome(await save(keptFor(60)))).toEqual(['api Completed', 'db Completed', 'web Completed']);
    expect(await consistent()).toEqual(names);
    expect(await expiries()).not.toEqual(before);
    expect(outcome(await save(hourly))).toHaveLength(3);
    expect(await expiries()).toEqual(before);
    // Saved as it is: nothing follows.
    expect(await save(hourly)).toEqual([]);
  });

  it('fails by name for a VM that cannot follow; put back, without it, and again works', async () => {
    await backUpAll();
    const before = await expiries();
    makeUnsupported('db');
    const edited = { ...crashConsistent, retention: { daily: { count: 9 } } };
    const failed = 'db Failed UserErrorVmNotSupportedForCrashConsistentBackup';
    expect(outcome(await save(edited))).toEqual(['api Completed', failed, 'web Completed']);
    expect(await consistent()).toEqual(['api', 'web']);
    expect(lastPolicyOf(await getItem(estate.workshop.db, 'db'))).toEqual(hourly);
    // Again without a change: for the one that is left.
    expect(outcome(await save(edited))).toEqual([failed]);
    expect(outcome(await save(hourly))).toEqual(['api Completed', 'web Completed']);
    expect(await consistent()).toEqual(names);
    expect(await expiries()).toEqual(before);
    await estate.workshop.db
      .transaction()
      .execute(async (tx) => putUnderPolicy(tx, await getItem(tx, 'db'), enhancedPolicy, estate.now));
    expect(outcome(await save(edited))).toEqual(['api Completed', 'web Completed']);
  });

  it('leaves those alone whose protection is stopped or whose backups are suspended', async () => {
    const { db } = estate.workshop;
    await updateItem(db, 'api', { state: 'BackupsSuspended' });
    await updateItem(db, 'db', { state: 'ProtectionStopped', policy_name: null });
    expect(outcome(await save(keptFor(60)))).toEqual(['web Completed']);
    expect(lastPolicyOf(await getItem(db, 'api'))).toEqual(hourly);
  });

  it('owes nothing that the schedule before owed, unless the schedule stays', async () => {
    const { db } = estate.workshop;
    const since = (await estate.item()).duties_since;
    estate.now = estate.now.add({ hours: 30 });
    await save(keptFor(60));
    expect((await estate.item()).duties_since).toBe(since);
    await save({
      ...keptFor(60),
      schedule: { ...enhancedPolicy.schedule, intervalHours: 6 } as BackupPolicy['schedule'],
    });
    expect((await getItem(db, 'api')).duties_since > since).toBe(true);
  });

  it('tells before what it would do', async () => {
    await backUpAll();
    makeUnsupported('db');
    const shorter = { ...crashConsistent, retention: { daily: { count: 9 } } };
    estate.now = estate.now.add({ hours: 24 * 10 });
    await backUpAll();
    const preview = await previewEditOf(estate.workshop, estate.vault, hourly, shorter, security);
    const view = preview.map(({ item, effect, shorter: less, softDeletedAtOnce }) => ({
      vm: item.vm_name,
      effect,
      less,
      softDeletedAtOnce,
    }));
    expect(view).toEqual([
      { vm: 'api', effect: 'configure', less: 2, softDeletedAtOnce: 1 },
      { vm: 'db', effect: 'fail', less: 0, softDeletedAtOnce: 0 },
      { vm: 'web', effect: 'configure', less: 2, softDeletedAtOnce: 1 },
    ]);
    expect(preview[0]?.changed[0]).toMatchObject({ atOnce: 'soft-delete' });
  });
});

it('takes up an edit whatever write its process died at, and brings it to everybody or to nobody', async () => {
  await backUpAll();
  const before = await expiries();
  let deaths = 0;
  for (let write = 0; ; write += 1) {
    const wanted = keptFor(write % 2 === 0 ? 60 : 90);
    estate.dieAtWrite(write);
    const saving = save(wanted).catch(() => {});
    await Promise.race([saving, died(estate)]);
    const isOver = !estate.isDead();
    await estate.restart();
    const { db } = estate.workshop;
    await allEnded(estate);
    const policy = (await findSavedPolicy(db, 'v1', 'Hourly'))?.policy;
    expect(await consistent(), `died at write ${write}`).toEqual(names);
    // Saved or not, and if not, the editor has been told.
    expect([30, 60, 90]).toContain(policy?.retention.daily?.count);
    if (isOver) break;
    deaths += 1;
  }
  expect(deaths).toBeGreaterThan(10);
  await save(hourly);
  expect(await expiries()).toEqual(before);
}, 60_000);
