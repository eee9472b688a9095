import { ClientSecretCredential } from '@azure/identity';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApiServer, subscriptionId } from '../support/api-server.ts';
import { type ContractService, clientsOf, startContractService } from './contract-service.ts';

let service: ContractService;
beforeAll(async () => {
  service = await startContractService();
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  expect(service.failures).toEqual([]);
});

const get = (url: string) =>
  service.app.inject({ method: 'GET', url, headers: { authorization: `Bearer ${service.token}` } });

const vault = `/subscriptions/${subscriptionId}/resourceGroups/default/providers/Microsoft.RecoveryServices/vaults/Main`;

it('is called by a client that signs in with its secret', async () => {
  const made = await service.app.inject({
    method: 'PUT',
    url: `/subscriptions/${subscriptionId}/providers/Holdfast.Fleet/clients/script?api-version=2026-07-01`,
    headers: { authorization: `Bearer ${service.token}` },
    payload: { properties: { role: 'Operator' } },
  });
  expect(made.statusCode, made.body).toBe(201);
  const { tenantId, clientId, clientSecret } = made.json().credentials;
  const credential = new ClientSecretCredential(tenantId, clientId, clientSecret, {
    authorityHost: service.endpoint,
    disableInstanceDiscovery: true,
    tlsOptions: { ca: service.ca },
  });
  const scope = 'https://management.azure.com/.default';
  const { vaults } = clientsOf(
    service.endpoint,
    service.ca,
    async () => (await credential.getToken(scope)).token,
  );
  expect((await vaults.vaults.get('default', 'Main')).name).toBe('Main');
  await expect(vaults.vaults.delete('default', 'Main')).rejects.toMatchObject({ statusCode: 403 });
});

it('is waited for by a client that has asked too much', async () => {
  await using server = await createApiServer({ throttle: { burst: 3, perSecond: 2 } });
  const endpoint = await server.app.listen({ host: '127.0.0.1', port: 0 });
  const { vaults } = clientsOf(endpoint, server.ca, async () => server.token);
  const answers = await Promise.all(Array.from({ length: 5 }, () => vaults.vaults.get('default', 'Main')));
  expect(answers.map((answer) => answer.name)).toEqual(Array(5).fill('Main'));
});

it.each([
  `${vault}?api-version=2016-06-01`,
  `${vault.replace('/subscriptions/', '/Subscriptions/').replace('resourceGroups', 'RESOURCEGROUPS')}?api-version=2021-12-01`,
  `${vault}/backupProtectedItems?api-version=2021-12-01&%24filter=backupManagementType%20eq%20%27AzureIaasVM%27`,
  `${vault}/backupProtectedItems?api-version=2021-12-01&$filter=backupManagementType eq 'AzureIaasVM'`,
  `${vault}/backupJobs?api-version=2023-02-01&$filter=status+eq+'Completed'+and+operation+eq+'Backup'`,
])('answers raw requests of other tools: %s', async (url) => {
  expect((await get(url.replaceAll(' ', '%20'))).statusCode).toBe(200);
});

it.each([
  [`${vault}`, 'MissingApiVersionParameter'],
  [`${vault}?api-version=2015-01-01`, 'InvalidApiVersionParameter'],
  [`${vault}/backupJobs?api-version=2023-02-01&$top=none`, 'InvalidInput'],
  [`${vault}/backupJobs?api-version=2023-02-01&$skipToken=-1`, 'InvalidInput'],
])('refuses %s with Azure’s error', async (url, code) => {
  const answer = await get(url);
  expect(answer.statusCode).toBe(400);
  expect(answer.json()).toMatchObject({ error: { code } });
});
