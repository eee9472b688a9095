import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ContractService, startContractService } from './contract-service.ts';

let service: ContractService;
beforeAll(async () => {
  service = await startContractService();
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  expect(service.failures).toEqual([]);
});

it('makes, lists, shows and deletes vaults', async () => {
  const { vaults } = service.vaults;
  const made = await vaults.createOrUpdate('default', 'second', {
    location: 'local',
    sku: { name: 'RS0', tier: 'Standard' },
    properties: {},
    tags: { team: 'ops' },
  });
  expect(made).toMatchObject({
    name: 'second',
    type: 'Microsoft.RecoveryServices/vaults',
    properties: { provisioningState: 'Succeeded' },
    tags: { team: 'ops' },
  });
  expect(await vaults.get('DEFAULT', 'SECOND')).toMatchObject({ id: made.id });
  expect(await Array.fromAsync(vaults.listBySubscriptionId())).toHaveLength(2);
  expect(await Array.fromAsync(vaults.listByResourceGroup('default'))).toHaveLength(2);
  await vaults.delete('default', 'second');
  await expect(vaults.get('default', 'second')).rejects.toMatchObject({
    statusCode: 404,
    code: 'ResourceNotFound',
  });
});

it('checks names, and has no deleted vaults', async () => {
  const { vaults } = service;
  const type = 'Microsoft.RecoveryServices/Vaults';
  expect(
    await vaults.recoveryServices.checkNameAvailability('default', 'local', { type, name: 'fresh' }),
  ).toEqual({
    nameAvailable: true,
  });
  expect(
    await vaults.recoveryServices.checkNameAvailability('default', 'local', { type, name: 'main' }),
  ).toMatchObject({
    nameAvailable: false,
    reason: 'AlreadyExists',
  });
  expect(
    await vaults.recoveryServices.checkNameAvailability('default', 'local', { type, name: '1' }),
  ).toMatchObject({
    reason: 'Invalid',
  });
  expect(await Array.fromAsync(vaults.deletedVaults.listBySubscriptionId('local'))).toEqual([]);
  await expect(vaults.deletedVaults.get('local', 'gone')).rejects.toMatchObject({ statusCode: 404 });
});

it('counts what a vault has', async () => {
  const { vaults, backup } = service;
  const usages = new Map(
    (await Array.fromAsync(vaults.usages.listByVaults('default', 'Main'))).map((usage) => [
      usage.name?.value,
      usage,
    ]),
  );
  expect(usages.get('IaaSVMProtectedItemCount')).toMatchObject({ currentValue: 1, limit: -1, unit: 'Count' });
  expect(usages.get('LRSStorageUsage')).toMatchObject({ unit: 'Bytes' });
  expect(await Array.fromAsync(vaults.replicationUsages.list('default', 'Main'))).toEqual([]);
  expect(await Array.fromAsync(vaults.privateLinkResources.list('default', 'Main'))).toEqual([]);
  expect(await Array.fromAsync(backup.backupEngines.list('Main', 'default'))).toEqual([]);
  expect(await Array.fromAsync(backup.deletedProtectionContainers.list('default', 'Main'))).toEqual([]);
  expect(await Array.fromAsync(backup.protectableContainers.list('Main', 'default', 'Azure'))).toEqual([]);
  expect(await Array.fromAsync(backup.backupProtectionIntent.list('Main', 'default'))).toEqual([]);
  expect(await Array.fromAsync(backup.resourceGuardProxies.list('Main', 'default'))).toEqual([]);
  expect(await Array.fromAsync(backup.backupWorkloadItems.list('Main', 'default', 'Azure', 'any'))).toEqual(
    [],
  );
});

it('tells how the storage of a vault is, and takes only what is so', async () => {
  const configs = service.backup.backupResourceStorageConfigsNonCRR;
  expect((await configs.get('Main', 'default')).properties).toMatchObject({
    storageModelType: 'LocallyRedundant',
    storageTypeState: 'Locked',
    crossRegionRestoreFlag: false,
  });
  await configs.update('Main', 'default', { properties: { storageModelType: 'LocallyRedundant' } });
  await configs.patch('Main', 'default', { properties: { crossRegionRestoreFlag: false } });
  await expect(
    configs.update('Main', 'default', { properties: { storageModelType: 'GeoRedundant' } }),
  ).rejects.toMatchObject({ statusCode: 400, code: 'OperationNotSupported' });
});

it('says that the keys of a vault are no customer’s', async () => {
  const { properties } = await service.backup.backupResourceEncryptionConfigs.get('Main', 'default');
  expect(properties).toMatchObject({ encryptionAtRestType: 'MicrosoftManaged' });
});

it('lists policies, and gets one', async () => {
  const { backupPolicies, protectionPolicies } = service.backup;
  const policies = await Array.fromAsync(
    backupPolicies.list('Main', 'default', { filter: "backupManagementType eq 'AzureIaasVM'" }),
  );
  expect(policies.map((policy) => policy.name)).toContain('DefaultPolicy');
  expect((await protectionPolicies.get('Main', 'default', 'DefaultPolicy')).properties).toMatchObject({
    backupManagementType: 'AzureIaasVM',
  });
});
