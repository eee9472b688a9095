import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  findHost,
  findJob,
  getItem,
  insertVault,
  listItems,
  listJobs,
  listPoints,
  saveHost,
} from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { defaultPolicy, securityOfNewVault } from '../protection/index.ts';
import { startBackup } from './backup.ts';
import { configureProtection } from './configure.ts';
import { savePolicy } from './edit-policy.ts';
import { lastPolicyOf } from './policies.ts';
import { stopProtection } from './stop-protection.ts';
import { allEnded } from './testing/deaths.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';

let estate: SmallEstate;

beforeEach(async () => {
  estate = await createSmallEstate();
});
afterEach(() => estate[Symbol.asyncDispose]());

async function backUp(): Promise<string | undefined> {
  estate.now = estate.now.add({ seconds: 1 });
  const jobId = await startBackup(estate.workshop, await estate.item(), { onDemand: {} });
  await estate.settled(jobId);
  return (await findJob(estate.workshop.db, jobId))?.job.status;
}

async function protect(vmUuid: string, vault = estate.vault) {
  const found = (await estate.workshop.estate.listMachines()).find(({ machine }) => machine.uuid === vmUuid);
  if (found === undefined) throw new Error(`no VM ${vmUuid}`);
  const { item, jobId } = await configureProtection(estate.workshop, vault, found, {
    policyName: 'DefaultPolicy',
  });
  await estate.settled(jobId);
  return item;
}

const tiers = async () =>
  (await listPoints(estate.workshop.db, estate.itemId)).map((point) => [point.in_snapshot, point.in_vault]);

it('follows the name of its VM, unless the vault knows another VM by it', async () => {
  const { takePoint } = estate.host;
  const rename = (machineName: string) => {
    estate.host.takePoint = async (request) => ({ ...(await takePoint(request)), machineName });
  };
  rename('www');
  expect(await backUp()).toBe('Completed');
  expect(await estate.item()).toMatchObject({ vm_name: 'www', vm_uuid: estate.vmUuid });
  const { item_id: other } = await protect(estate.host.addMachine('api', { vda: 8192 }));
  rename('API');
  expect(await backUp()).toBe('Completed');
  expect(await estate.item()).toMatchObject({ vm_name: 'www' });
  expect(other).not.toBe(estate.itemId);
});

describe('a VM that was deleted and made again', () => {
  const remake = () => {
    estate.host.removeMachine(estate.vmUuid);
    return estate.host.addMachine('WEB', { vda: 8192 });
  };

  it('goes on with the recovery points of its name, and its next backup reads everything', async () => {
    await backUp();
    estate.host.onCall = (operation) => {
      if (operation === 'openPoint') throw new HoldfastError('HostUnreachable', 'Away.');
    };
    await backUp(); // stays a snapshot
    estate.host.onCall = () => {};
    expect(await tiers()).toEqual([
      [1, 1],
      [1, 0],
    ]);
    const vmUuid = remake();
    estate.host.write(vmUuid, 'vda', 0, new Uint8Array(4096).fill(3));
    expect(await protect(vmUuid)).toMatchObject({ item_id: estate.itemId, vm_uuid: vmUuid, vm_name: 'WEB' });
    expect(await tiers()).toEqual([
      [0, 1],
      [1, 0],
    ]);

    expect(await backUp()).toBe('Completed');
    const last = (await listPoints(estate.workshop.db, estate.itemId)).at(-1);
    expect(JSON.parse(last?.transfer_json ?? '[]')).toMatchObject([
      { basis: expect.stringMatching(/^full/), readBytes: 4096 },
    ]);

    const stop = await stopProtection(estate.workshop, await estate.item());
    await estate.settled(stop);
    expect((await findJob(estate.workshop.db, stop))?.job.status).toBe('Completed');
    expect(await estate.host.listPoints(vmUuid)).toEqual([]);
    expect(await tiers()).toEqual([
      [0, 1],
      [1, 0],
      [0, 1],
    ]);
  });

  it('is refused while the old one still exists, or nobody can tell', async () => {
    const other = estate.host.addMachine('web', { vda: 4096 });
    await expect(protect(other)).rejects.toMatchObject({ code: 'UserErrorProtectedVmStillExists' });
    const vmUuid = remake();
    estate.host.onCall = (operation) => {
      if (operation === 'getMachine') throw new HoldfastError('HostUnreachable', 'Away.');
    };
    await expect(protect(vmUuid)).rejects.toMatchObject({ code: 'HostUnreachable' });
    expect(await estate.item()).toMatchObject({ vm_uuid: estate.vmUuid, host_name: 'memory' });
  });

  it('is refused while a backup of the old one runs', async () => {
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    estate.host.onCall = async (operation) => {
      if (operation !== 'openPoint') return;
      reached.resolve();
      await goOn.promise;
    };
    const jobId = await startBackup(estate.workshop, await estate.item(), { onDemand: {} });
    await reached.promise;
    const vmUuid = remake();
    await expect(protect(vmUuid)).rejects.toMatchObject({ code: 'UserErrorBackupOperationInProgress' });
    goOn.resolve();
    await estate.settled(jobId);
    expect(await protect(vmUuid)).toMatchObject({ vm_uuid: vmUuid });
  });
});

it('keeps a VM with its vault after protection was stopped, and says why', async () => {
  const second = { ...estate.vault, vault_id: 'v2', name: 'Second' };
  await insertVault(estate.workshop.db, second, [defaultPolicy]);
  await expect(protect(estate.vmUuid, second)).rejects.toThrow("VM 'web' belongs to another vault.");
  await estate.settled(await stopProtection(estate.workshop, await estate.item()));
  const refusal = protect(estate.vmUuid, second);
  await expect(refusal).rejects.toThrow(
    "VM 'web' belongs to another vault, where its protection is stopped.",
  );
  await expect(refusal).rejects.toMatchObject({ action: expect.stringMatching(/delete the data/) });
});

it('is one VM through however many hosts it is found', async () => {
  const { db } = estate.workshop;
  const host = await findHost(db, 'memory');
  if (host === undefined) throw new Error('the host is gone');
  await saveHost(db, { ...host, name: 'twin', resource_group: 'other' });
  const twice = (await estate.workshop.estate.listMachines()).filter(
    ({ machine }) => machine.uuid === estate.vmUuid,
  );
  const [twin] = twice.filter((found) => found.host.name === 'twin');
  if (twin === undefined) throw new Error('the VM is not found twice');
  const again = configureProtection(estate.workshop, estate.vault, twin, { policyName: 'DefaultPolicy' });
  await expect(again).rejects.toMatchObject({ code: 'UserErrorVmAlreadyProtected' });
  await expect(again).rejects.toThrow('through another host');
});

describe('a policy that is edited while a VM is put under it', () => {
  const edited = { ...defaultPolicy, retention: { daily: { count: 60 } } };
  const edit = () => savePolicy(estate.workshop, estate.vault, edited, securityOfNewVault);

  it.each(['a new VM', 'one whose protection was stopped'])(
    'refuses %s, and leaves it as it was',
    async (which) => {
      const isNew = which === 'a new VM';
      const vmUuid = isNew ? estate.host.addMachine('api', { vda: 8192 }) : estate.vmUuid;
      if (!isNew) await estate.settled(await stopProtection(estate.workshop, await estate.item()));
      // Between the look at the policy and the moment the item is under it.
      estate.host.onCall = async (operation) => {
        if (operation !== 'findObstacles') return;
        estate.host.onCall = () => {};
        await edit();
      };
      await expect(protect(vmUuid)).rejects.toMatchObject({
        code: 'BMSUserErrorConflictingProtectionOperation',
        message: "Policy 'DefaultPolicy' has just been changed by somebody else.",
      });
      const items = await listItems(estate.workshop.db, 'v1');
      expect(items).toHaveLength(1);
      if (!isNew) expect(items[0]).toMatchObject({ state: 'ProtectionStopped', policy_name: null });
      const item = await protect(vmUuid);
      expect(lastPolicyOf(item)).toEqual(edited);
    },
  );

  it('reaches the VM by the edit where that is the later of the two', async () => {
    const item = await protect(estate.host.addMachine('api', { vda: 8192 }));
    expect((await edit()).jobId).toBeDefined();
    await allEnded(estate);
    expect(lastPolicyOf(await getItem(estate.workshop.db, item.item_id))).toEqual(edited);
  });
});

it('says what stands in the way of a VM that was configured, until something has come through', async () => {
  const vmUuid = estate.host.addMachine('api', { vda: 8192 });
  const { estate: opened, db } = estate.workshop;
  const broken = vi
    .spyOn(opened, 'store')
    .mockRejectedValue(new HoldfastError('StoreAccessDenied', 'No key.'));
  const item = await protect(vmUuid);
  const [job] = await listJobs(db, 'v1', { operation: 'ConfigureBackup' }, { limit: 1 });
  expect(job).toMatchObject({ status: 'Failed', item_id: item.item_id });
  const hindered = await getItem(db, item.item_id);
  expect(hindered).toMatchObject({ state: 'IRPending', policy_name: 'DefaultPolicy' });
  expect(JSON.parse(hindered.last_error_json ?? '')).toMatchObject({ code: 'StoreAccessDenied' });
  expect(hindered.next_due_at).not.toBeNull();
  broken.mockRestore();
  await protect(vmUuid);
  expect(await getItem(db, item.item_id)).toMatchObject({ last_error_json: null });
});

it('tries to confirm a VM again whose host is away for a while', async () => {
  estate.retries = true;
  const vmUuid = estate.host.addMachine('api', { vda: 8192 });
  estate.host.onCall = (operation) => {
    if (operation === 'reportAgent') throw new HoldfastError('HostUnreachable', 'It is away.');
  };
  const item = await protect(vmUuid);
  const { db, engine } = estate.workshop;
  const jobOf = async () => (await listJobs(db, 'v1', { itemId: item.item_id }, { limit: 1 }))[0];
  expect(await jobOf()).toMatchObject({ status: 'InProgress', failures: 1 });
  estate.host.onCall = () => {};
  estate.now = estate.now.add({ seconds: 30 });
  await engine.beat();
  await estate.idle();
  expect(await jobOf()).toMatchObject({ status: 'Completed' });
  expect(await getItem(db, item.item_id)).toMatchObject({ last_error_json: null });
});
