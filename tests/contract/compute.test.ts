import { afterAll, beforeAll, expect, it } from 'vitest';
import { startBackup } from '../../src/jobs/index.ts';
import { type ContractService, startContractService } from './contract-service.ts';

let service: ContractService;
beforeAll(async () => {
  service = await startContractService();
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  expect(service.failures).toEqual([]);
});

const powerOf = async () =>
  (await service.compute.virtualMachines.instanceView('default', 'web')).statuses?.find((status) =>
    status.code?.startsWith('PowerState/'),
  )?.code;

it('lists and gets virtual machines', async () => {
  const machines = service.compute.virtualMachines;
  const [listed] = await Array.fromAsync(machines.listAll());
  expect(listed).toMatchObject({
    name: 'web',
    location: 'local',
    vmId: service.estate.vmUuid,
    storageProfile: { osDisk: { name: 'vda', diskSizeGB: 1 }, dataDisks: [{ lun: 0, name: 'vdb' }] },
  });
  expect(await Array.fromAsync(machines.list('default'))).toHaveLength(1);
  expect(await Array.fromAsync(machines.list('other'))).toHaveLength(0);
  expect(await Array.fromAsync(machines.listByLocation('LOCAL'))).toHaveLength(1);
  const got = await machines.get('default', 'WEB', { expand: 'instanceView' });
  expect(got.instanceView?.statuses?.map((status) => status.code)).toContain('PowerState/running');
  await expect(machines.get('default', 'nobody')).rejects.toMatchObject({ statusCode: 404 });
});

it('switches them off and on, as operations that the client follows', async () => {
  const machines = service.compute.virtualMachines;
  await machines.deallocate('default', 'web');
  expect(await powerOf()).toBe('PowerState/deallocated');
  await machines.start('default', 'web');
  expect(await powerOf()).toBe('PowerState/running');
  await machines.powerOff('default', 'web', { skipShutdown: true });
  expect(await powerOf()).toBe('PowerState/deallocated');
  await machines.restart('default', 'web');
  expect(await powerOf()).toBe('PowerState/running');
});

it('tells why an operation failed', async () => {
  service.estate.host.onCall = (operation) => {
    if (operation === 'startMachine') throw new Error('no power');
  };
  await expect(service.compute.virtualMachines.start('default', 'web')).rejects.toThrow(
    /InternalError.*failed unexpectedly/,
  );
  service.estate.host.onCall = () => {};
});

it('shows the snapshots of a protected machine as restore points', async () => {
  const { estate, compute } = service;
  expect(await Array.fromAsync(compute.restorePointCollections.listAll())).toEqual([]);
  await estate.settled(await startBackup(estate.workshop, await estate.item(), { onDemand: {} }));
  const [collection] = await Array.fromAsync(compute.restorePointCollections.listAll());
  expect(collection?.name).toMatch(/^AzureBackup_web_\d+$/);
  const group = 'AzureBackupRG_local_1';
  expect(await Array.fromAsync(compute.restorePointCollections.list(group))).toHaveLength(1);
  const full = await compute.restorePointCollections.get(group, collection?.name ?? '', {
    expand: 'restorePoints',
  });
  const [point] = full.restorePoints ?? [];
  expect(point).toMatchObject({ consistencyMode: 'CrashConsistent', provisioningState: 'Succeeded' });
  expect(await compute.restorePoints.get(group, collection?.name ?? '', point?.name ?? '')).toMatchObject({
    sourceMetadata: { vmId: estate.vmUuid },
  });
});
