import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ContractService, startContractService, subscriptionId } from './contract-service.ts';
import { type Answer, ended, operationOf, type RawClient, rawClient, subscription } from './raw-requests.ts';

/**
 * What azure-cli sends for its commands, as its source and its recorded tests have it: the requests, versions and bodies
 * that its Python clients make, and the way it finds and follows operations.
 */

let service: ContractService;
let az: RawClient;
beforeAll(async () => {
  service = await startContractService();
  az = rawClient(service, {
    'user-agent': 'AZURECLI/2.88.0 azsdk-python-core/1.39.0 Python/3.13.12',
    commandname: 'backup',
    parametersetname: '-n -g',
  });
  service.estate.host.addMachine('db', { vda: 1024 * 1024, vdb: 4096 });
  service.estate.host.pools.set('images', join(service.directory, 'pool'));
  await mkdir(join(service.directory, 'pool'));
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  expect(service.failures).toEqual([]);
});

const group = `${subscription}/resourceGroups/az-rg`;
const vault = `${group}/providers/Microsoft.RecoveryServices/vaults/az-vault`;
const vms = `${subscription}/resourceGroups/default/providers/Microsoft.Compute/virtualMachines`;
const backup = 'api-version=2025-02-01';

/** As azure-cli follows whatever it has begun: by the vault, whatever the header says; then it shows the job. */
async function jobOf(answer: Answer): Promise<Answer['body']> {
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  const operation = operationOf(answer);
  const status = await ended(az, `${vault}/backupOperations/${operation}?${backup}`);
  expect(status, JSON.stringify(status)).toMatchObject({ status: 'Succeeded' });
  expect(status.properties.objectType).toBe('OperationStatusJobExtendedInfo');
  await service.estate.settled(status.properties.jobId);
  return (await az.sent('GET', `${vault}/backupJobs/${status.properties.jobId}?${backup}`)).body.properties;
}

const afterSegment = (id: string, segment: string) => new RegExp(`(?<=${segment}/)[^/]+`).exec(id)?.[0] ?? '';

it('finds the account, its regions and its groups', async () => {
  expect((await az.sent('GET', '/subscriptions?api-version=2022-12-01')).body.value).toMatchObject([
    { subscriptionId, state: 'Enabled' },
  ]);
  expect((await az.sent('GET', '/tenants?api-version=2022-12-01')).body.value).toHaveLength(1);
  expect((await az.sent('GET', `${subscription}/locations?api-version=2022-12-01`)).body.value).toMatchObject(
    [{ name: 'local' }],
  );
  expect((await az.send('HEAD', `${subscription}/resourcegroups/az-rg?api-version=2024-11-01`)).status).toBe(
    404,
  );
  expect(
    (
      await az.send('PUT', `${subscription}/resourcegroups/az-rg?api-version=2024-11-01`, {
        location: 'local',
      })
    ).status,
  ).toBe(201);
  expect((await az.send('HEAD', `${subscription}/resourcegroups/az-rg?api-version=2024-11-01`)).status).toBe(
    204,
  );
  expect(
    (await az.sent('GET', `${subscription}/providers?api-version=2022-09-01`)).body.value,
  ).not.toHaveLength(0);
  await az.sent(
    'POST',
    `${subscription}/providers/Microsoft.RecoveryServices/register?api-version=2022-09-01`,
  );
});

describe('az backup vault', () => {
  const created = {
    location: 'local',
    sku: { name: 'Standard' },
    properties: {
      securitySettings: {
        softDeleteSettings: {
          enhancedSecurityState: 'AlwaysOn',
          softDeleteState: 'AlwaysOn',
          softDeleteRetentionPeriodInDays: 14,
        },
      },
      publicNetworkAccess: 'Enabled',
      monitoringSettings: {
        azureMonitorAlertSettings: {
          alertsForAllJobFailures: 'Enabled',
          alertsForAllReplicationIssues: 'Enabled',
          alertsForAllFailoverIssues: 'Enabled',
        },
        classicAlertSettings: {
          alertsForCriticalOperations: 'Enabled',
          emailNotificationsForSiteRecovery: 'Enabled',
        },
      },
      costManagementSettings: { granularityLevel: 'VaultLevel' },
    },
  };

  it('create looks for the vault, and makes it with all that it sends', async () => {
    const missing = await az.get(`${vault}?api-version=2026-05-01`);
    expect([missing.status, missing.body.error.code]).toEqual([404, 'ResourceNotFound']);
    expect(missing.headers['x-ms-failure-cause']).toBe('gateway');
    const made = await az.send('PUT', `${vault}?api-version=2026-05-01`, created);
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    expect(made.body).toMatchObject({
      sku: { name: 'Standard' },
      properties: {
        ...created.properties,
        provisioningState: 'Succeeded',
        securitySettings: {
          softDeleteSettings: {
            softDeleteState: 'AlwaysON',
            enhancedSecurityState: 'AlwaysON',
            softDeleteRetentionPeriodInDays: 14,
          },
        },
        redundancySettings: {
          standardTierStorageRedundancy: 'LocallyRedundant',
          crossRegionRestore: 'Disabled',
        },
      },
    });
  });

  it('create of older versions sends next to nothing', async () => {
    const older = vault.replace('az-vault', 'az-older');
    const body = { location: 'local', properties: {}, sku: { name: 'Standard' } };
    expect((await az.send('PUT', `${older}?api-version=2021-03-01`, body)).status).toBe(201);
    expect((await az.send('DELETE', `${older}?api-version=2021-03-01`)).status).toBe(200);
  });

  it('update changes what it names, and sends back what was read without harm', async () => {
    const patched = await az.sent('PATCH', `${vault}?api-version=2026-05-01`, {
      properties: {
        monitoringSettings: { classicAlertSettings: { alertsForCriticalOperations: 'Disabled' } },
      },
      tags: { team: 'ops' },
    });
    expect(patched.body).toMatchObject({
      tags: { team: 'ops' },
      properties: {
        monitoringSettings: { classicAlertSettings: { alertsForCriticalOperations: 'Disabled' } },
        costManagementSettings: { granularityLevel: 'VaultLevel' },
      },
    });
    const read = (await az.sent('GET', `${vault}?api-version=2026-05-01`)).body;
    // As `az rest` does it, and `az resource update`.
    expect((await az.sent('PUT', `${vault}?api-version=2026-05-01`, read)).body).toEqual(read);
  });

  it.each([
    [{ properties: { publicNetworkAccess: 'Disabled' } }, 'publicNetworkAccess'],
    [{ properties: { encryption: { keyVaultProperties: { keyUri: 'https://kv/keys/k' } } } }, 'encryption'],
    [{ identity: { type: 'systemassigned' } }, 'identity'],
    [
      { properties: { redundancySettings: { standardTierStorageRedundancy: 'GeoRedundant' } } },
      'standardTierStorageRedundancy',
    ],
    [{ properties: { redundancySettings: { crossRegionRestore: 'Enabled' } } }, 'crossRegionRestore'],
    [
      { properties: { securitySettings: { sourceScanConfiguration: { state: 'Enabled' } } } },
      'sourceScanConfiguration',
    ],
    [{ properties: { unheardOf: true } }, 'unheardOf'],
  ])('update refuses what it can’t honour, naming it: %j', async (body, named) => {
    const answer = await az.send('PATCH', `${vault}?api-version=2026-05-01`, body);
    expect(answer.status).toBe(400);
    expect(answer.body.error.message).toContain(named);
    expect(answer.body.error.additionalInfo[0].info.action).not.toBe('');
  });

  it('backup-properties shows and sets what is so', async () => {
    const config = `${vault}/backupconfig/vaultconfig?${backup}`;
    const storage = `${vault}/backupstorageconfig/vaultstorageconfig?${backup}`;
    const { enhancedSecurityState } = (await az.sent('GET', config)).body.properties;
    expect((await az.sent('GET', storage)).body.properties.storageType).toBe('LocallyRedundant');
    const set = (state: string) =>
      az.send('PATCH', config, { properties: { enhancedSecurityState, softDeleteFeatureState: state } });
    expect((await set('Enabled')).body.error?.code).toBe('UserErrorSoftDeleteAlwaysOn');
    expect((await set('Disabled')).status).toBe(409);
    expect((await set('AlwaysON')).status).toBe(200);
    await az.sent('PUT', storage, {
      properties: { storageModelType: 'LocallyRedundant', crossRegionRestoreFlag: false },
    });
    expect((await az.sent('GET', `${vault}/backupResourceGuardProxies?${backup}`)).body).toEqual({
      value: [],
    });
  });
});

it('az backup policy create takes what az backup policy show has printed', async () => {
  const { properties } = (await az.sent('GET', `${vault}/backupPolicies/DefaultPolicy?${backup}`)).body;
  const printed = {
    eTag: null,
    id: `${vault}/backupPolicies/DefaultPolicy`,
    location: null,
    name: 'nightly',
    properties: {
      ...properties,
      instantRpDetails: { azureBackupRgNamePrefix: null, azureBackupRgNameSuffix: null },
      resourceGuardOperationRequests: null,
      snapshotConsistencyType: null,
      tieringPolicy: null,
    },
    resourceGroup: 'az-rg',
    tags: null,
    type: 'Microsoft.RecoveryServices/vaults/backupPolicies',
  };
  expect(properties.protectedItemsCount).toBe(0);
  const made = await az.sent('PUT', `${vault}/backupPolicies/nightly?${backup}`, printed);
  expect(made.body).toMatchObject({ name: 'nightly', properties: { timeZone: properties.timeZone } });
  // What its client makes of the same document: no nulls, and in the kinds of before.
  const { eTag, ...sent } = made.body;
  await az.sent('PUT', `${vault}/backupPolicies/nightly?${backup}`, { properties: sent.properties });
  const enhanced = (await az.sent('GET', `${vault}/backupPolicies/EnhancedPolicy?${backup}`)).body;
  await az.sent('PUT', `${vault}/backupPolicies/enhanced-2?${backup}`, { properties: enhanced.properties });
});

describe('az backup protection', () => {
  let itemId: string;
  const itemUrl = () =>
    `${vault}/backupFabrics/Azure/protectionContainers/${afterSegment(itemId, 'protectionContainers')}/protectedItems/${itemId.split('/').at(-1)}`;
  const item = async () => {
    const filter = "backupManagementType eq 'AzureIaasVM' and itemType eq 'VM'";
    const { value } = (await az.sent('GET', `${vault}/backupProtectedItems?${backup}&$filter=${filter}`))
      .body;
    expect(value).toHaveLength(1);
    return value[0];
  };

  it('enable-for-vm finds the VM among what can be protected, and names it by what it finds', async () => {
    const vm = (await az.sent('GET', `${vms}/db?api-version=2024-07-01`)).body;
    const { location } = (await az.sent('GET', `${vault}?api-version=2026-05-01`)).body;
    expect(vm.location.toLowerCase()).toBe(location.toLowerCase());
    const refreshed = await az.send(
      'POST',
      `${vault}/backupFabrics/Azure/refreshContainers?${backup}&$filter=backupManagementType eq 'AzureIaasVM'`,
    );
    expect(refreshed.status).toBe(202);
    const result = `${vault}/backupFabrics/Azure/operationResults/${operationOf(refreshed)}?${backup}`;
    expect((await az.get(result)).status).toBe(204);
    const { value } = (
      await az.sent(
        'GET',
        `${vault}/backupProtectableItems?${backup}&$filter=backupManagementType eq 'AzureIaasVM'`,
      )
    ).body;
    const found = value.find((each: Answer['body']) => each.properties.friendlyName.toLowerCase() === 'db');
    const container = afterSegment(found.id, 'protectionContainers');
    const protectable = afterSegment(found.id, 'protectableItems');
    const put = await az.send(
      'PUT',
      `${vault}/backupFabrics/Azure/protectionContainers/${container}/protectedItems/${protectable}?${backup}`,
      {
        properties: {
          protectedItemType: vm.type,
          policyId: `${vault}/backupPolicies/nightly`,
          sourceResourceId: found.properties.virtualMachineId,
          extendedProperties: { diskExclusionProperties: { diskLunList: [0], isInclusionList: false } },
        },
      },
    );
    expect(await jobOf(put)).toMatchObject({ operation: 'ConfigureBackup', status: 'Completed' });
    const { id, properties } = await item();
    itemId = id;
    expect(properties).toMatchObject({ protectionState: 'IRPending', holdfast: { excludedDisks: ['vdb'] } });
  });

  it('update-for-vm keeps the disks that are left out, or takes them all in again', async () => {
    const change = (extended: object) =>
      az.send('PUT', `${itemUrl()}?${backup}`, {
        properties: {
          protectedItemType: 'Microsoft.Compute/virtualMachines',
          policyId: `${vault}/backupPolicies/nightly`,
          sourceResourceId: `${vms}/db`,
          ...extended,
        },
      });
    await jobOf(await change({}));
    expect((await item()).properties.holdfast.excludedDisks).toEqual(['vdb']);
    await jobOf(await change({ extendedProperties: {} }));
    expect((await item()).properties.holdfast.excludedDisks).toEqual([]);
  });

  it('backup-now backs up', async () => {
    const put = await az.send('POST', `${itemUrl()}/backup?${backup}`, {
      properties: {
        objectType: 'IaasVMBackupRequest',
        recoveryPointExpiryTimeInUTC: '2100-12-01T00:00:00.000Z',
      },
    });
    expect(await jobOf(put)).toMatchObject({
      operation: 'Backup',
      status: 'Completed',
      isUserTriggered: true,
    });
  });

  it('restore-disks looks everything up, and restores into a pool', async () => {
    const points = (await az.sent('GET', `${itemUrl()}/recoveryPoints?${backup}&$filter=`)).body.value;
    expect(points).toHaveLength(1);
    const [{ name, properties }] = points;
    expect(properties.originalStorageAccountOption ?? false).toBe(false);
    const encryption = `${vault}/backupEncryptionConfigs/backupResourceEncryptionConfig?${backup}`;
    expect((await az.sent('GET', encryption)).body.properties.encryptionAtRestType).toBe('MicrosoftManaged');
    // It asks for a classic account first, and its generic client leaves an empty segment in the path.
    const account = (provider: string, version: string) =>
      az.get(
        `${subscription}/resourceGroups/default/providers/${provider}/storageAccounts//images?api-version=${version}`,
      );
    const classic = await account('Microsoft.ClassicStorage', '2015-12-01');
    expect(classic.status, JSON.stringify(classic.body)).toBe(404);
    const pool = await account('Microsoft.Storage', '2016-01-01');
    expect(pool.status, JSON.stringify(pool.body)).toBe(200);
    const restored = await az.send('POST', `${itemUrl()}/recoveryPoints/${name}/restore?${backup}`, {
      properties: {
        objectType: 'IaasVMRestoreRequest',
        createNewCloudService: true,
        recoveryPointId: name,
        recoveryType: 'RestoreDisks',
        region: 'local',
        storageAccountId: pool.body.id,
        sourceResourceId: `${vms}/db`,
        targetResourceGroupId: `${subscription}/resourceGroups/default`,
        originalStorageAccountOption: false,
        restoreDiskLunList: [],
      },
    });
    expect(await jobOf(restored)).toMatchObject({ operation: 'Restore', status: 'Completed' });
    // --restore-only-osdisk is an empty list.
    const images = (await readdir(join(service.directory, 'pool'))).filter((each) => !each.endsWith('.xml'));
    expect(images).toEqual([expect.stringContaining('vda')]);
  });

  it('disable, delete, undelete and resume go their way', async () => {
    const base = { protectedItemType: 'Microsoft.Compute/virtualMachines', sourceResourceId: `${vms}/db` };
    const stopped = { properties: { ...base, policyId: '', protectionState: 'ProtectionStopped' } };
    expect(await jobOf(await az.send('PUT', `${itemUrl()}?${backup}`, stopped))).toMatchObject({
      operation: 'DisableBackup',
    });
    expect((await item()).properties.protectionState).toBe('ProtectionStopped');
    const kept = await az.send('DELETE', `${vault}?api-version=2026-05-01`);
    expect([kept.status, kept.body.error.code]).toEqual([409, 'BMSUserErrorVaultDeletionNotAllowed']);
    expect(await jobOf(await az.send('DELETE', `${itemUrl()}?${backup}`))).toMatchObject({
      operation: 'DeleteBackupData',
    });
    expect((await item()).properties.isScheduledForDeferredDelete).toBe(true);
    const revived = { properties: { ...stopped.properties, isRehydrate: true } };
    expect(await jobOf(await az.send('PUT', `${itemUrl()}?${backup}`, revived))).toMatchObject({
      operation: 'Undelete',
    });
    const resumed = { properties: { ...base, policyId: `${vault}/backupPolicies/nightly` } };
    expect(await jobOf(await az.send('PUT', `${itemUrl()}?${backup}`, resumed))).toMatchObject({
      operation: 'ConfigureBackup',
    });
    expect((await item()).properties.protectionState).toBe('Protected');
  });

  it('job list asks with dates of a 12-hour clock', async () => {
    const filter =
      "startTime eq '2016-01-01 12:00:00 AM' and endTime eq '2100-01-01 12:00:00 PM' and backupManagementType eq 'AzureIaasVM'";
    const { value } = (await az.sent('GET', `${vault}/backupJobs?${backup}&$filter=${filter}`)).body;
    expect(value.map((job: Answer['body']) => job.properties.operation)).toContain('Restore');
  });
});

it('az group delete is told what is still in the group', async () => {
  const answer = await az.send('DELETE', `${subscription}/resourcegroups/az-rg?api-version=2024-11-01`);
  expect([answer.status, answer.body.error.code]).toEqual([409, 'ResourceInUse']);
  expect(answer.body.error.message).toContain('az-vault');
});
