import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ContractService, startContractService, subscriptionId } from './contract-service.ts';

let service: ContractService;
beforeAll(async () => {
  service = await startContractService();
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  expect(service.failures).toEqual([]);
});

it('lists subscriptions, regions and tenants', async () => {
  const { subscriptions } = service;
  const [subscription] = await Array.fromAsync(subscriptions.subscriptions.list());
  expect(subscription).toMatchObject({ subscriptionId, state: 'Enabled' });
  expect(await subscriptions.subscriptions.get(subscriptionId)).toMatchObject({ displayName: 'Holdfast' });
  expect(await Array.fromAsync(subscriptions.subscriptions.listLocations(subscriptionId))).toMatchObject([
    { name: 'local', type: 'Region' },
  ]);
  const [tenant] = await Array.fromAsync(subscriptions.tenants.list());
  expect(tenant?.tenantId).toBe(subscription?.tenantId);
});

it('makes, changes, finds and deletes resource groups', async () => {
  const groups = service.resources.resourceGroups;
  expect(await groups.checkExistence('backup-rg')).toMatchObject({ body: false });
  expect(
    await groups.createOrUpdate('backup-rg', { location: 'local', tags: { team: 'ops' } }),
  ).toMatchObject({
    name: 'backup-rg',
    tags: { team: 'ops' },
    properties: { provisioningState: 'Succeeded' },
  });
  expect(await groups.checkExistence('BACKUP-RG')).toMatchObject({ body: true });
  expect((await groups.update('backup-rg', { tags: { team: 'dev' } })).tags).toEqual({ team: 'dev' });
  await expect(groups.createOrUpdate('backup-rg', { location: 'elsewhere' })).rejects.toMatchObject({
    statusCode: 409,
    code: 'ResourceAlreadyExists',
  });
  expect((await Array.fromAsync(groups.list())).map((group) => group.name)).toEqual(['backup-rg', 'default']);
  await groups.delete('backup-rg');
  await expect(groups.get('backup-rg')).rejects.toMatchObject({
    statusCode: 404,
    code: 'ResourceGroupNotFound',
  });
  await expect(groups.delete('default')).rejects.toMatchObject({ statusCode: 409, code: 'ResourceInUse' });
});

it('pages a list by $top and nextLink, which the client follows', async () => {
  const groups = service.resources.resourceGroups;
  for (const name of ['page-1', 'page-2', 'page-3']) await groups.createOrUpdate(name, { location: 'local' });
  const sizes: number[] = [];
  for await (const page of groups.list({ top: 2 }).byPage()) sizes.push(page.length);
  expect(sizes).toEqual([2, 2]);
  for (const name of ['page-1', 'page-2', 'page-3']) await groups.delete(name);
});

it('lists resources and providers', async () => {
  const { resources } = service;
  const found = await Array.fromAsync(resources.resources.list());
  expect(found.map((each) => each.type)).toEqual([
    'Holdfast.Fleet/hosts',
    'Microsoft.RecoveryServices/vaults',
  ]);
  expect(await Array.fromAsync(resources.resources.listByResourceGroup('default'))).toHaveLength(2);
  expect(await resources.providers.get('Microsoft.RecoveryServices')).toMatchObject({
    registrationState: 'Registered',
  });
  expect(await resources.providers.register('microsoft.compute')).toMatchObject({
    namespace: 'Microsoft.Compute',
  });
  const names = (await Array.fromAsync(service.vaults.operations.list())).map((operation) => operation.name);
  expect(names).toContain('Microsoft.RecoveryServices/vaults/backupPolicies/write');
});
