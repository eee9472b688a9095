import { afterEach, beforeEach, expect, it } from 'vitest';
import { createClient, type HoldfastClient, type VaultUpdate } from '../../src/api/client/index.ts';
import { HoldfastError } from '../../src/errors/index.ts';
import { maintainAll, maintenanceIdle } from '../../src/jobs/index.ts';
import { type ApiServer, createApiServer, subscriptionId } from '../support/api-server.ts';

const vault = { resourceGroup: 'default', vault: 'Main' };
const item = { ...vault, vmResourceGroup: 'default', vm: 'web' };
const vaultUrl = `/subscriptions/${subscriptionId}/resourceGroups/default/providers/Microsoft.RecoveryServices/vaults/Main`;
const itemUrl = `${vaultUrl}/backupFabrics/Azure/protectionContainers/iaasvmcontainer;iaasvmcontainerv2;default;web/protectedItems/vm;iaasvmcontainerv2;default;web`;

let server: ApiServer;
let client: HoldfastClient;
beforeEach(async () => {
  server = await createApiServer();
  const endpoint = await server.app.listen({ host: '127.0.0.1', port: 0 });
  client = createClient({ endpoint, token: server.token, ca: server.ca });
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  expect(server.errors).toEqual([]);
});

type Wish = Parameters<HoldfastClient['items']['put']>[1]['properties'];
const put = async (wish: Partial<Wish>) =>
  client.operations.wait(
    await client.items.put(item, {
      properties: {
        protectedItemType: 'Microsoft.Compute/virtualMachines',
        sourceResourceId: `/subscriptions/${subscriptionId}/resourceGroups/default/providers/Microsoft.Compute/virtualMachines/web`,
        ...wish,
      },
    }),
  );
const shown = async () => (await client.items.get(item)).properties;
const backUp = async () =>
  server.estate.settled(
    await client.operations.jobOf(
      await client.items.backup(item, { properties: { objectType: 'IaasVMBackupRequest' } }),
    ),
  );
/** What ends each recovery point, and when it is removed; its expiry is shown only where it counts. */
const ends = async () =>
  (await client.recoveryPoints.list(item)).map(({ properties }) => {
    const { keptUntil, removalTime } = properties.holdfast;
    expect(properties.recoveryPointProperties.expiryTime === undefined).toBe(
      keptUntil === 'deletion' || keptUntil === 'purge',
    );
    return [keptUntil, removalTime];
  });
const secure = (securitySettings: NonNullable<VaultUpdate['properties']>['securitySettings']) =>
  client.vaults.update(vault, { properties: { securitySettings } });
const raw = (method: 'GET' | 'PUT' | 'POST' | 'DELETE' | 'PATCH', url: string, body?: object) =>
  server.app.inject({
    method,
    url: `${url}?api-version=2023-06-01`,
    headers: { authorization: `Bearer ${server.token}` },
    ...(body && { payload: body }),
  });
const pass = (hours: number, seconds = 0) => {
  server.estate.now = server.estate.now.add({ hours, seconds });
};

it('deletes the data as Azure does, brings it back, and purges it when the time is over', async () => {
  await backUp();
  const deleted = await raw('DELETE', itemUrl);
  expect(deleted.statusCode).toBe(202);
  expect(deleted.headers['azure-asyncoperation']).toContain('/vaults/Main/backupOperations/');
  expect(deleted.headers.location).toContain('/vaults/Main/backupOperationResults/');
  const [job] = await client.jobs.list(vault, { operation: 'DeleteBackupData' });
  await server.estate.settled(job?.name ?? '');
  const result = await raw('GET', new URL(String(deleted.headers.location)).pathname);
  expect(result.statusCode).toBe(204);
  const { purgeAt } = (await shown()).holdfast;
  expect(await ends()).toEqual([['purge', purgeAt]]);
  pass(24);
  expect(await shown()).toMatchObject({
    protectionState: 'ProtectionStopped',
    isScheduledForDeferredDelete: true,
    deferredDeleteTimeRemaining: '13.00:00:00',
    isDeferredDeleteScheduleUpcoming: false,
    softDeleteRetentionPeriodInDays: 14,
  });
  expect((await client.items.list(vault)).length).toBe(1);
  await expect(client.vaults.delete(vault)).rejects.toMatchObject({
    code: 'BMSUserErrorVaultDeletionNotAllowed',
    message: expect.stringContaining("'web' until"),
  });
  await expect(put({ policyId: await client.policies.id(vault, 'DefaultPolicy') })).rejects.toMatchObject({
    code: 'UserErrorItemSoftDeleted',
  });
  await put({ isRehydrate: true, protectionState: 'ProtectionStopped' });
  expect(await shown()).toMatchObject({
    protectionState: 'ProtectionStopped',
    isScheduledForDeferredDelete: false,
  });
  expect(await ends()).toEqual([['deletion', undefined]]);
  await put({ policyId: await client.policies.id(vault, 'DefaultPolicy') });
  expect((await shown()).protectionState).toBe('Protected');
  expect(await ends()).toEqual([['expiry', undefined]]);

  await client.operations.wait(await client.items.delete(item));
  await expect(client.items.purge(item)).rejects.toMatchObject({ code: 'UserErrorItemSoftDeleted' });
  const upcoming = async () => (await shown()).isDeferredDeleteScheduleUpcoming;
  pass(14 * 24 - 49, 3599);
  expect(await upcoming()).toBe(false);
  pass(0, 1);
  expect(await upcoming()).toBe(true);
  pass(48);
  await client.operations.wait(await client.items.purge(item));
  await expect(client.items.get(item)).rejects.toMatchObject({ code: 'ResourceNotFound' });
});

it('tells in the pre-check of an item what stands in the way of its backups', async () => {
  const check = async () => {
    const { healthStatus, healthDetails } = await shown();
    return [healthStatus, healthDetails?.map(({ code, title }) => `${code} ${title}`).join()];
  };
  expect(await check()).toEqual(['Passed', '400239 IaasVmHealthGreenDefault']);
  const failing = (operation: string) => {
    server.estate.host.onCall = (called) => {
      if (called === operation) throw new HoldfastError('HostUnreachable', 'The host is away.');
    };
  };
  failing('openPoint');
  await backUp();
  expect(await check()).toEqual(['ActionSuggested', '0 HostUnreachable']);
  failing('takePoint');
  await backUp();
  expect(await check()).toEqual(['ActionRequired', '0 HostUnreachable']);
  server.estate.host.onCall = () => {};
  await backUp();
  expect((await shown()).lastBackupStatus).toBe('Completed');
  const noAgent = ['ActionSuggested', '0 UserErrorGuestAgentStatusUnavailable'];
  expect(await check()).toEqual(noAgent);

  // A backup that somebody cancels is told of by its job, with Azure's number, and not by the item.
  const reached = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  server.estate.host.onCall = (called) => {
    if (called !== 'openPoint') return;
    reached.resolve();
    return goOn.promise;
  };
  const jobId = await client.operations.jobOf(
    await client.items.backup(item, { properties: { objectType: 'IaasVMBackupRequest' } }),
  );
  await reached.promise;
  await client.jobs.cancel(vault, jobId);
  goOn.resolve();
  await server.estate.settled(jobId);
  expect((await client.jobs.get(vault, jobId)).properties).toMatchObject({
    status: 'Cancelled',
    errorDetails: [{ errorCode: 400158, errorTitle: 'UserErrorJobSuccessfullyCancelled' }],
  });
  expect((await shown()).lastBackupStatus).toBe('Cancelled');
  expect(await check()).toEqual(noAgent);
});

it('offers a VM for protection unless it has an item, soft-deleted or not', async () => {
  const offered = async () =>
    (await raw('GET', `${vaultUrl}/backupProtectableItems`)).json<{ value: { name: string }[] }>().value;
  server.estate.host.addMachine('free', { vda: 4096 });
  const names = async () => (await offered()).map(({ name }) => name);
  expect(await names()).toEqual(['iaasvmcontainerv2;default;free']);
  await backUp();
  await client.operations.wait(await client.items.delete(item));
  expect(await names()).toEqual(['iaasvmcontainerv2;default;free']);
  pass(14 * 24);
  await client.operations.wait(await client.items.purge(item));
  expect((await names()).toSorted()).toEqual([
    'iaasvmcontainerv2;default;free',
    'iaasvmcontainerv2;default;web',
  ]);
});

it('suspends backups in an immutable vault, and refuses what it forbids by every door', async () => {
  await backUp();
  await expect(put({ protectionState: 'BackupsSuspended' })).rejects.toMatchObject({
    code: 'UserErrorOperationDeniedOnImmutableItem',
  });
  await expect(secure({ immutabilitySettings: { state: 'Locked' } })).rejects.toMatchObject({
    code: 'UserErrorImmutabilityNotUnlocked',
  });
  const changed = await secure({ immutabilitySettings: { state: 'Unlocked' } });
  expect(changed.properties.securitySettings).toEqual({
    immutabilitySettings: { state: 'Unlocked' },
    softDeleteSettings: {
      softDeleteState: 'Enabled',
      softDeleteRetentionPeriodInDays: 14,
      enhancedSecurityState: 'Enabled',
    },
  });
  await put({ protectionState: 'BackupsSuspended' });
  expect((await shown()).protectionState).toBe('BackupsSuspended');
  await expect(client.items.delete(item)).rejects.toMatchObject({
    code: 'UserErrorOperationDeniedOnImmutableItem',
  });
  await secure({ immutabilitySettings: { state: 'Locked' } });
  const back = { code: 'UserErrorImmutabilityLocked' };
  await expect(secure({ immutabilitySettings: { state: 'Disabled' } })).rejects.toMatchObject(back);
  const whole = {
    location: 'local',
    properties: { securitySettings: { immutabilitySettings: { state: 'Disabled' as const } } },
  };
  await expect(client.vaults.put(vault, whole)).rejects.toMatchObject(back);
  // What says nothing of security changes nothing of it.
  await client.vaults.put(vault, { location: 'local', tags: { a: 'b' } });
  expect((await client.vaults.get(vault)).properties.securitySettings.immutabilitySettings.state).toBe(
    'Locked',
  );
});

it('sets soft delete, whatever the case of the words, at both of its doors', async () => {
  const on = await raw('PATCH', vaultUrl, {
    properties: {
      securitySettings: {
        softDeleteSettings: { softDeleteState: 'AlwaysOn', softDeleteRetentionPeriodInDays: 30 },
      },
    },
  });
  expect(on.json().properties.securitySettings.softDeleteSettings).toMatchObject({
    softDeleteState: 'AlwaysON',
    softDeleteRetentionPeriodInDays: 30,
  });
  const config = `${vaultUrl}/backupconfig/vaultconfig`;
  expect((await raw('GET', config)).json().properties).toMatchObject({
    softDeleteFeatureState: 'AlwaysON',
    softDeleteRetentionPeriodInDays: 30,
    isSoftDeleteFeatureStateEditable: false,
  });
  for (const method of ['PUT', 'PATCH'] as const) {
    const off = await raw(method, config, { properties: { softDeleteFeatureState: 'Disabled' } });
    expect([off.statusCode, off.json().error.code]).toEqual([409, 'UserErrorSoftDeleteAlwaysOn']);
  }
  const longer = await raw('PATCH', config, { properties: { softDeleteRetentionPeriodInDays: 60 } });
  expect(longer.json().properties.softDeleteRetentionPeriodInDays).toBe(60);
  for (const days of [13, 181, 20.5])
    await expect(
      secure({ softDeleteSettings: { softDeleteRetentionPeriodInDays: days } }),
    ).rejects.toMatchObject({ code: 'InvalidInput' });
});

it('leaves disks out by their logical units', async () => {
  const policyId = await client.policies.id(vault, 'DefaultPolicy');
  const leaveOut = async (diskLunList: number[], isInclusionList: boolean) => {
    await put({
      policyId,
      extendedProperties: { diskExclusionProperties: { diskLunList, isInclusionList } },
    });
    return (await shown()).holdfast.excludedDisks;
  };
  expect(await leaveOut([0], false)).toEqual(['vdb']);
  expect(await leaveOut([0], true)).toEqual([]);
  expect(await leaveOut([], true)).toEqual(['vdb']);
  await expect(leaveOut([1], false)).rejects.toMatchObject({ code: 'InvalidInput' });
  await put({ policyId, extendedProperties: { diskExclusionProperties: null } });
  expect((await shown()).holdfast.excludedDisks).toEqual([]);
});

it('purges by itself within the hour', async () => {
  await backUp();
  await client.operations.wait(await client.items.delete(item));
  pass(14 * 24);
  await maintainAll(server.estate.workshop);
  await maintenanceIdle(server.estate.workshop);
  const [job] = await client.jobs.list(vault, { operation: 'Purge' });
  await server.estate.settled(job?.name ?? '');
  const { properties } = await client.jobs.get(vault, job?.name ?? '');
  expect(properties).toMatchObject({
    status: 'Completed',
    isUserTriggered: false,
    extendedInfo: {
      tasksList: [
        { taskId: 'Remove snapshots from host', status: 'Completed' },
        { taskId: 'Remove recovery points from vault', status: 'Completed' },
        { taskId: 'Remove recovery points from replica', status: 'Skipped' },
      ],
      propertyBag: { 'VM Name': 'web', 'Recovery points': '1' },
    },
  });
});

it('registers a VM with one vault, which nobody needs to and which others respect', async () => {
  const { estate } = server;
  estate.host.addMachine('db', { vda: 4096 });
  const db = { ...vault, vmResourceGroup: 'default', vm: 'db' };
  await client.vaults.put({ ...vault, vault: 'Other' }, { location: 'local' });
  const inOther = { ...db, vault: 'Other' };
  const offered = async (at: { vault: string; resourceGroup: string }) =>
    (await client.machines.protectable(at)).map(({ properties }) => properties.friendlyName);
  await client.operations.wait(await client.machines.discover(vault));
  expect(await offered(vault)).toEqual(['db']);

  await client.operations.wait(await client.machines.register(db));
  await client.operations.wait(await client.machines.register(db)); // again, which changes nothing
  expect(
    (await client.jobs.list(vault, { operation: 'Register' })).map((job) => job.properties.status),
  ).toEqual(['Completed', 'Completed']);
  const containers = (await raw('GET', `${vaultUrl}/backupProtectionContainers`)).json();
  expect(containers.value.map((each: { properties: object }) => each.properties)).toMatchObject([
    { friendlyName: 'db', registrationStatus: 'Registered' },
    { friendlyName: 'web' },
  ]);
  expect([await offered(vault), await offered(inOther)]).toEqual([['db'], []]);
  await expect(client.machines.register(inOther)).rejects.toMatchObject({
    code: 'UserErrorVmAlreadyProtected',
  });
  await expect(client.machines.register({ ...item, vault: 'Other' })).rejects.toMatchObject({
    code: 'UserErrorVmAlreadyProtected',
  });
  const enable = (at: typeof db) => ({
    properties: {
      protectedItemType: 'Microsoft.Compute/virtualMachines' as const,
      sourceResourceId: `/subscriptions/${subscriptionId}/resourceGroups/default/providers/Microsoft.Compute/virtualMachines/${at.vm}`,
      policyId: 'DefaultPolicy',
    },
  });
  await expect(client.items.put(inOther, enable(inOther))).rejects.toMatchObject({
    code: 'UserErrorVmAlreadyProtected',
  });

  await client.operations.wait(await client.items.put(db, enable(db)));
  await expect(client.machines.unregister(db)).rejects.toMatchObject({ code: 'ResourceInUse' });
  await client.operations.wait(await client.items.delete(db)); // it has no points: it is gone at once
  await client.operations.wait(await client.machines.unregister(db));
  await expect(client.machines.unregister(db)).rejects.toMatchObject({ code: 'ResourceNotFound' });
  await client.operations.wait(await client.items.put(inOther, enable(inOther)));
});
