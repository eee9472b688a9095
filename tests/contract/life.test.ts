import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { type ContractService, startContractService, subscriptionId } from './contract-service.ts';

let service: ContractService;
beforeAll(async () => {
  service = await startContractService();
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  expect(service.failures).toEqual([]);
});

const at = ['Main', 'default'] as const;
const container = 'iaasvmcontainer;iaasvmcontainerv2;default;web';
const item = 'vm;iaasvmcontainerv2;default;web';
const machine = `/subscriptions/${subscriptionId}/resourceGroups/default/providers/Microsoft.Compute/virtualMachines/web`;
const vaultId = `/subscriptions/${subscriptionId}/resourceGroups/default/providers/Microsoft.RecoveryServices/vaults/Main`;
const type = 'Microsoft.Compute/virtualMachines' as const;

/** Changes the item, and waits for the operation that the headers name. */
async function change(
  send: (options: {
    onResponse(answer: { headers: { get(name: string): string | undefined } }): void;
  }) => Promise<unknown>,
): Promise<void> {
  let operation = '';
  await send({
    onResponse: ({ headers }) => {
      operation = new URL(headers.get('azure-asyncoperation') ?? 'x:').pathname.split('/').at(-1) ?? '';
    },
  });
  await until('the operation ends', async () => {
    const { status, error } = await service.backup.backupOperationStatuses.get(...at, operation);
    if (error != null) throw new Error(`${error.code}: ${error.message}`);
    return status === 'Succeeded';
  });
}

const stateOf = async () =>
  (await service.backup.protectedItems.get(...at, 'Azure', container, item)).properties as {
    protectionState?: string;
    isScheduledForDeferredDelete?: boolean;
    policyName?: string;
  };

it('lists what could be protected', async () => {
  const { backup, estate } = service;
  const list = () =>
    Array.fromAsync(
      backup.backupProtectableItems.list(...at, { filter: "backupManagementType eq 'AzureIaasVM'" }),
    );
  expect(await list()).toEqual([]);
  estate.host.addMachine('db', { vda: 4096 });
  await backup.protectionContainers.refresh(...at, 'Azure', {
    filter: "backupManagementType eq 'AzureIaasVM'",
    onResponse: async ({ headers, status }) => {
      expect(status).toBe(202);
      const id = new URL(headers.get('location') ?? 'x:').pathname.split('/').at(-1) ?? '';
      await backup.protectionContainerRefreshOperationResults.get(...at, 'Azure', id);
    },
  });
  expect((await list()).map((each) => [each.name, each.properties?.friendlyName])).toEqual([
    ['iaasvmcontainerv2;default;db', 'db'],
  ]);
});

it('registers a VM and ends that again', async () => {
  const { protectionContainers, protectionContainerOperationResults } = service.backup;
  const name = 'iaasvmcontainer;iaasvmcontainerv2;default;db';
  const registered = await protectionContainers.beginRegisterAndWait(
    ...at,
    'Azure',
    name,
    {
      properties: {
        containerType: 'Microsoft.Compute/virtualMachines',
        backupManagementType: 'AzureIaasVM',
        virtualMachineId: machine.replace(/web$/, 'db'),
      },
    },
    { updateIntervalInMs: 1 },
  );
  expect(registered.properties).toMatchObject({ friendlyName: 'db', registrationStatus: 'Registered' });
  let operation = '';
  await change((options) =>
    protectionContainers.unregister(...at, 'Azure', name, {
      onResponse(answer) {
        operation = new URL(answer.headers.get('location') ?? 'x:').pathname.split('/').at(-1) ?? '';
        options.onResponse(answer);
      },
    }),
  );
  await protectionContainerOperationResults.get(...at, 'Azure', name, operation);
  await expect(protectionContainers.get(...at, 'Azure', name)).rejects.toMatchObject({ statusCode: 404 });
});

it('edits policies', async () => {
  const { protectionPolicies } = service.backup;
  const time = new Date('2026-01-01T02:30:00Z');
  const policy = {
    properties: {
      backupManagementType: 'AzureIaasVM' as const,
      policyType: 'V1',
      timeZone: 'UTC',
      instantRpRetentionRangeInDays: 2,
      schedulePolicy: {
        schedulePolicyType: 'SimpleSchedulePolicy' as const,
        scheduleRunFrequency: 'Daily',
        scheduleRunTimes: [time],
      },
      retentionPolicy: {
        retentionPolicyType: 'LongTermRetentionPolicy' as const,
        dailySchedule: { retentionTimes: [time], retentionDuration: { count: 30, durationType: 'Days' } },
      },
    },
  };
  await protectionPolicies.createOrUpdate(...at, 'nightly', policy);
  expect((await protectionPolicies.get(...at, 'nightly')).properties).toMatchObject({
    backupManagementType: 'AzureIaasVM',
    timeZone: 'UTC',
  });
  await protectionPolicies.beginDeleteAndWait(...at, 'nightly', { updateIntervalInMs: 1 });
  await expect(protectionPolicies.get(...at, 'nightly')).rejects.toMatchObject({ statusCode: 404 });
  await expect(
    protectionPolicies.beginDeleteAndWait(...at, 'DefaultPolicy', { updateIntervalInMs: 1 }),
  ).rejects.toMatchObject({ statusCode: 409 });
});

it('edits a policy in use as an operation that is followed at the policy', async () => {
  const { protectionPolicies, protectionPolicyOperationStatuses, protectionPolicyOperationResults } =
    service.backup;
  const { properties } = await protectionPolicies.get(...at, 'DefaultPolicy');
  if (properties?.backupManagementType !== 'AzureIaasVM') throw new Error('no policy for virtual machines');
  let operation = '';
  await protectionPolicies.createOrUpdate(
    ...at,
    'DefaultPolicy',
    { properties: { ...properties, instantRpRetentionRangeInDays: 3 } },
    {
      onResponse: ({ status, headers }) => {
        expect(status).toBe(202);
        operation = new URL(headers.get('azure-asyncoperation') ?? 'x:').pathname.split('/').at(-1) ?? '';
      },
    },
  );
  await until('the edit ends', async () => {
    const { status, properties: edit } = await protectionPolicyOperationStatuses.get(
      ...at,
      'DefaultPolicy',
      operation,
    );
    if (status !== 'Succeeded') return false;
    // One job for the one item that is under it.
    expect(edit).toMatchObject({
      objectType: 'OperationStatusJobsExtendedInfo',
      jobIds: [expect.any(String)],
    });
    return true;
  });
  const result = await protectionPolicyOperationResults.get(...at, 'DefaultPolicy', operation);
  expect(result.properties).toMatchObject({ instantRpRetentionRangeInDays: 3 });
});

it('takes an item through its life: stopped, resumed, deleted, brought back', async () => {
  const { backup, estate } = service;
  const { protectedItems } = backup;
  await backup.backups.trigger(...at, 'Azure', container, item, {
    properties: { objectType: 'IaasVMBackupRequest' },
  });
  const [job] = await Array.fromAsync(backup.backupJobs.list(...at, { filter: "operation eq 'Backup'" }));
  await estate.settled(job?.name ?? '');

  const put = (properties: Record<string, unknown>) =>
    change((options) =>
      protectedItems.createOrUpdate(
        ...at,
        'Azure',
        container,
        item,
        { properties: { protectedItemType: type, sourceResourceId: machine, ...properties } },
        options,
      ),
    );
  await put({ protectionState: 'ProtectionStopped' });
  expect(await stateOf()).toMatchObject({ protectionState: 'ProtectionStopped' });
  await put({ policyId: `${vaultId}/backupPolicies/DefaultPolicy` });
  expect(await stateOf()).toMatchObject({ protectionState: 'Protected', policyName: 'DefaultPolicy' });

  await change((options) => protectedItems.delete(...at, 'Azure', container, item, options));
  expect(await stateOf()).toMatchObject({ isScheduledForDeferredDelete: true });
  const listed = await Array.fromAsync(backup.backupProtectedItems.list(...at));
  expect(listed[0]?.properties?.isScheduledForDeferredDelete).toBe(true);

  await put({ protectionState: 'ProtectionStopped', isRehydrate: true });
  expect(await stateOf()).toMatchObject({
    protectionState: 'ProtectionStopped',
    isScheduledForDeferredDelete: false,
  });
  await estate.settled(job?.name ?? '');
});

it('changes the security of a vault, and shows it where older clients look', async () => {
  const { vaults, backup } = service;
  const changed = await vaults.vaults.update('default', 'Main', {
    properties: {
      securitySettings: {
        softDeleteSettings: { softDeleteState: 'AlwaysON', softDeleteRetentionPeriodInDays: 30 },
        immutabilitySettings: { state: 'Unlocked' },
      },
    },
  });
  expect(changed.properties?.securitySettings).toMatchObject({
    softDeleteSettings: { softDeleteState: 'AlwaysON', softDeleteRetentionPeriodInDays: 30 },
    immutabilitySettings: { state: 'Unlocked' },
  });
  const configs = backup.backupResourceVaultConfigs;
  expect((await configs.get(...at)).properties).toMatchObject({
    softDeleteFeatureState: 'AlwaysON',
    softDeleteRetentionPeriodInDays: 30,
  });
  for (const days of [60, 90]) {
    const wanted = { properties: { softDeleteRetentionPeriodInDays: days } };
    await (days === 60 ? configs.update(...at, wanted) : configs.put(...at, wanted));
    expect((await configs.get(...at)).properties).toMatchObject(wanted.properties);
  }
});
