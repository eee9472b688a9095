import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ContractService, startContractService, subscriptionId } from './contract-service.ts';
import { type Answer, ended, type RawClient, rawClient, subscription } from './raw-requests.ts';

/**
 * What Terraform's azurerm provider sends, as its source has it: what it looks up before it creates, the bodies it makes,
 * the documents it reads back, and what of them it compares with its configuration.
 */

let service: ContractService;
let tf: RawClient;
beforeAll(async () => {
  service = await startContractService();
  tf = rawClient(service, {
    'user-agent': 'HashiCorp Terraform/1.12 (+https://www.terraform.io) terraform-provider-azurerm/4.40',
    'content-type': 'application/json; charset=utf-8',
    'x-ms-correlation-request-id': '0b1b2b3b-0000-4000-8000-000000000001',
  });
  service.estate.host.addMachine('db', { vda: 1024 * 1024, vdb: 4096 });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  expect(service.failures).toEqual([]);
});

const group = `${subscription}/resourceGroups/tf-rg`;
const vault = `${group}/providers/Microsoft.RecoveryServices/vaults/tf-vault`;
const vaults = 'api-version=2025-08-01';
const vm = `${subscription}/resourceGroups/default/providers/Microsoft.Compute/virtualMachines/db`;

it('azurerm signs in to the cloud, and finds its providers registered', async () => {
  const { body } = await tf.sent('GET', '/metadata/endpoints?api-version=2022-09-01');
  expect([body].flat()[0]).toMatchObject({
    authentication: {
      loginEndpoint: expect.any(String),
      audiences: [expect.any(String), expect.any(String)],
    },
  });
  const providers = (await tf.sent('GET', `${subscription}/providers?api-version=2022-09-01`)).body.value;
  const states = providers.map((each: Answer['body']) => [each.namespace, each.registrationState]);
  expect(states).toContainEqual(['Microsoft.RecoveryServices', 'Registered']);
  expect(states).toContainEqual(['Microsoft.Compute', 'Registered']);
  expect((await tf.sent('GET', `${subscription}?api-version=2022-12-01`)).body.subscriptionId).toBe(
    subscriptionId,
  );
});

it('azurerm_resource_group', async () => {
  const url = `${group}?api-version=2023-07-01`;
  expect((await tf.get(url)).status).toBe(404);
  expect((await tf.send('PUT', url, { location: 'local', tags: {} })).status).toBe(201);
  expect((await tf.sent('GET', url)).body).toMatchObject({ location: 'local', name: 'tf-rg' });
});

describe('azurerm_recovery_services_vault', () => {
  const created = (mode: string) => ({
    identity: { type: 'None', userAssignedIdentities: null },
    location: 'local',
    properties: {
      monitoringSettings: {
        azureMonitorAlertSettings: {
          alertsForAllFailoverIssues: 'Enabled',
          alertsForAllJobFailures: 'Enabled',
          alertsForAllReplicationIssues: 'Enabled',
        },
        classicAlertSettings: {
          alertsForCriticalOperations: 'Disabled',
          emailNotificationsForSiteRecovery: 'Disabled',
        },
      },
      publicNetworkAccess: 'Enabled',
      redundancySettings: { crossRegionRestore: 'Disabled', standardTierStorageRedundancy: mode },
      securitySettings: { immutabilitySettings: { state: 'Disabled' } },
    },
    sku: { name: 'Standard' },
    tags: { env: 'prod' },
  });

  it('is refused with its usual storage mode, and told which one there is', async () => {
    const answer = await tf.send('PUT', `${vault}?${vaults}`, created('GeoRedundant'));
    expect([answer.status, answer.body.error.code]).toEqual([400, 'OperationNotSupported']);
    expect(answer.body.error.message).toContain('LocallyRedundant');
    expect((await tf.get(`${vault}?${vaults}`)).status).toBe(404);
  });

  it('is made, and read back as it was configured: nothing is left to change', async () => {
    const body = created('LocallyRedundant');
    const made = await tf.send('PUT', `${vault}?${vaults}`, body);
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    expect(made.body.properties.provisioningState).toBe('Succeeded');
    const config = (await tf.sent('GET', `${vault}/backupconfig/vaultconfig?api-version=2024-10-01`)).body;
    expect(config.properties.softDeleteFeatureState).toBe('Enabled');
    await tf.sent('PATCH', `${vault}/backupconfig/vaultconfig?api-version=2024-10-01`, {
      properties: { enhancedSecurityState: 'Enabled', softDeleteFeatureState: 'Enabled' },
    });
    const { sku, tags, location, properties, identity } = (await tf.sent('GET', `${vault}?${vaults}`)).body;
    expect({ sku, tags, location }).toEqual({ sku: body.sku, tags: body.tags, location: 'local' });
    expect(identity).toBeUndefined();
    const { publicNetworkAccess, monitoringSettings, redundancySettings } = properties;
    const { securitySettings: _own, ...configured } = body.properties;
    expect({ publicNetworkAccess, monitoringSettings, redundancySettings }).toEqual(configured);
    expect(properties.securitySettings.immutabilitySettings.state).toBe('Disabled');
    // It reads this with every vault, and fails without.
    const setting = await tf.sent('GET', `${vault}/replicationVaultSettings/default?api-version=2024-04-01`);
    expect(setting.body.properties).toEqual({});
  });

  it('is changed by what has changed alone', async () => {
    const patch = (body: object) => tf.sent('PATCH', `${vault}?${vaults}`, body);
    await patch({ properties: {}, tags: { env: 'test' } });
    await patch({ properties: { securitySettings: { immutabilitySettings: { state: 'Unlocked' } } } });
    const { tags, properties, sku } = (await tf.sent('GET', `${vault}?${vaults}`)).body;
    expect([tags, properties.securitySettings.immutabilitySettings.state]).toEqual([
      { env: 'test' },
      'Unlocked',
    ]);
    expect(sku.name).toBe('Standard');
  });
});

describe('azurerm_backup_policy_vm', () => {
  const times = ['2018-07-30T23:00:00Z'];
  const rule = (count: number, durationType: string) => ({
    retentionDuration: { count, durationType },
    retentionTimes: times,
  });
  const weekly = { daysOfTheWeek: ['Sunday', 'Wednesday'], weeksOfTheMonth: ['First', 'Last'] };
  const retention = {
    dailySchedule: rule(10, 'Days'),
    monthlySchedule: {
      ...rule(7, 'Months'),
      retentionScheduleDaily: null,
      retentionScheduleFormatType: 'Weekly',
      retentionScheduleWeekly: weekly,
    },
    retentionPolicyType: 'LongTermRetentionPolicy',
    weeklySchedule: { ...rule(42, 'Weeks'), daysOfTheWeek: ['Sunday', 'Wednesday', 'Friday', 'Saturday'] },
    yearlySchedule: {
      ...rule(77, 'Years'),
      monthsOfYear: ['January'],
      retentionScheduleDaily: null,
      retentionScheduleFormatType: 'Weekly',
      retentionScheduleWeekly: weekly,
    },
  };
  const policy = (type: 'V1' | 'V2', schedulePolicy: object, more: object = {}) => ({
    properties: {
      backupManagementType: 'AzureIaasVM',
      policyType: type,
      retentionPolicy: retention,
      schedulePolicy,
      timeZone: 'UTC',
      ...more,
    },
  });

  it.each([
    [
      'v1-daily',
      policy('V1', {
        schedulePolicyType: 'SimpleSchedulePolicy',
        scheduleRunDays: [],
        scheduleRunFrequency: 'Daily',
        scheduleRunTimes: times,
      }),
    ],
    [
      'v2-hourly',
      policy(
        'V2',
        {
          hourlySchedule: {
            interval: 4,
            scheduleWindowDuration: 12,
            scheduleWindowStartTime: '2018-07-30T08:00:00Z',
          },
          schedulePolicyType: 'SimpleSchedulePolicyV2',
          scheduleRunFrequency: 'Hourly',
        },
        {
          instantRPDetails: {},
          instantRpRetentionRangeInDays: 5,
          retentionPolicy: JSON.parse(JSON.stringify(retention).replaceAll('T23:00', 'T08:00')),
          tieringPolicy: { ArchivedRP: { duration: 0, durationType: 'Invalid', tieringMode: 'DoNotTier' } },
        },
      ),
    ],
    [
      'v2-daily',
      policy('V2', {
        dailySchedule: { scheduleRunTimes: times },
        schedulePolicyType: 'SimpleSchedulePolicyV2',
        scheduleRunFrequency: 'Daily',
      }),
    ],
  ])('%s is made, read back, and found gone when it was deleted', async (name, body) => {
    const url = `${vault}/backupPolicies/${name}?api-version=2024-10-01`;
    expect((await tf.get(url)).status).toBe(404);
    const made = await tf.sent('PUT', url, body);
    expect(made.body).toMatchObject({ name, properties: { policyType: body.properties.policyType } });
    const { properties } = (await tf.sent('GET', url)).body;
    expect(properties.retentionPolicy.dailySchedule.retentionDuration).toEqual({
      count: 10,
      durationType: 'Days',
    });
    expect(properties.retentionPolicy.yearlySchedule.monthsOfYear).toEqual(['January']);
    // It sends the whole again when anything in it has changed.
    expect((await tf.send('PUT', url, body)).status).toBe(200);
    if (name === 'v2-hourly') return; // in use below
    expect((await tf.send('DELETE', url)).status).toBe(200);
    expect((await tf.get(url)).status).toBe(404);
  });
});

describe('azurerm_backup_protected_vm', () => {
  const url = `${vault}/backupFabrics/Azure/protectionContainers/iaasvmcontainer;iaasvmcontainerv2;default;db/protectedItems/VM;iaasvmcontainerv2;default;db`;
  const item = 'api-version=2023-02-01';
  const read = async () => (await tf.sent('GET', `${url}?${item}`)).body;
  /** It sends, and polls the operation by the address in the header. */
  async function sent(method: string, body?: object): Promise<void> {
    const answer = await tf.send(method, `${url}?${item}`, body);
    expect(answer.status, JSON.stringify(answer.body)).toBe(202);
    const status = new URL(answer.headers['azure-asyncoperation'] ?? 'x:');
    expect(await ended(tf, decodeURI(`${status.pathname}${status.search}`))).toMatchObject({
      status: 'Succeeded',
    });
    await service.estate.idle();
  }

  it('is made, and read back as it was configured', async () => {
    expect((await tf.get(`${url}?${item}`)).status).toBe(404);
    await sent('PUT', {
      properties: {
        friendlyName: 'db',
        policyId: `${vault}/backupPolicies/v2-hourly`,
        protectedItemType: 'Microsoft.Compute/virtualMachines',
        sourceResourceId: vm,
        virtualMachineId: vm,
        workloadType: 'VM',
      },
    });
    const { properties } = await read();
    expect(properties).toMatchObject({
      isScheduledForDeferredDelete: false,
      policyId: `${vault}/backupPolicies/v2-hourly`,
      protectionState: 'IRPending',
      sourceResourceId: vm,
    });
  });

  it('is updated with all that was read, and one thing changed', async () => {
    await tf.sent('PUT', `${vault}/backupPolicies/other?api-version=2024-10-01`, {
      properties: (await tf.sent('GET', `${vault}/backupPolicies/v2-hourly?api-version=2024-10-01`)).body
        .properties,
    });
    const known = await read();
    await sent('PUT', {
      ...known,
      properties: { ...known.properties, policyId: `${vault}/backupPolicies/other` },
    });
    expect((await read()).properties.policyName).toBe('other');
  });

  it('is suspended, stopped, and resumed by its protection_state', async () => {
    for (const state of ['BackupsSuspended', 'Protected', 'ProtectionStopped', 'Protected'] as const) {
      const known = await read();
      const { policyId = `${vault}/backupPolicies/other` } = known.properties;
      await sent('PUT', { ...known, properties: { ...known.properties, policyId, protectionState: state } });
      const { protectionState } = (await read()).properties;
      expect(protectionState).toBe(state === 'Protected' ? 'IRPending' : state);
    }
  });

  it('is deleted, and recovered when it is made again', async () => {
    service.estate.host.write(
      (await read()).properties.holdfast.vmUuid,
      'vda',
      0,
      new Uint8Array(10).fill(7),
    );
    await tf.sent('PATCH', `${vault}?${vaults}`, {
      properties: { securitySettings: { immutabilitySettings: { state: 'Disabled' } } },
    });
    const backup = await tf.send('POST', `${url}/backup?${item}`, {
      properties: { objectType: 'IaasVMBackupRequest' },
    });
    expect(backup.status).toBe(202);
    await service.estate.idle();
    await sent('DELETE');
    // What is soft-deleted is gone for Terraform.
    expect((await read()).properties.isScheduledForDeferredDelete).toBe(true);
    await sent('PUT', {
      properties: { isRehydrate: true, protectedItemType: 'Microsoft.Compute/virtualMachines' },
    });
    expect((await read()).properties).toMatchObject({
      isScheduledForDeferredDelete: false,
      protectionState: 'ProtectionStopped',
    });
  });
});

it('azurerm keeps a resource group that something is in', async () => {
  const inside = await tf.sent(
    'GET',
    `${group}/resources?api-version=2023-07-01&$expand=provisioningState&$top=10`,
  );
  expect(inside.body.value.map((each: Answer['body']) => each.name)).toEqual(['tf-vault']);
  expect((await tf.send('DELETE', `${group}?api-version=2023-07-01`)).status).toBe(409);
});
