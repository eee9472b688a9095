import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findHost, findJob, insertVault, listPoints, saveHost } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { defaultPolicy } from '../protection/index.ts';
import { startBackup } from './backup.ts';
import { configureProtection } from './configure.ts';
import { stopProtection } from './stop-protection.ts';
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
