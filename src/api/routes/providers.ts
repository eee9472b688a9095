import { listHosts, listVaults } from '../../catalog/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import { apiVersion, type Provider, type ProviderOperation } from '../client/index.ts';
import { param, type RegisterRoutes, subscriptionPath } from '../scope.ts';

/** What each namespace has that is offered here. */
const resourceTypes: Record<string, readonly string[]> = {
  'Microsoft.RecoveryServices': ['vaults', 'locations/backupStatus', 'locations/backupPreValidateProtection'],
  'Microsoft.Compute': ['virtualMachines', 'restorePointCollections'],
  'Microsoft.Resources': ['subscriptions', 'resourceGroups'],
  'Holdfast.Fleet': ['hosts', 'virtualMachines', 'stores'],
};

/** The operations of Recovery Services, as clients list them to build roles of. */
const operations: readonly (readonly [resource: string, operation: string, description: string])[] = [
  ['vaults', 'read', 'Reads vaults'],
  ['vaults', 'write', 'Creates and changes vaults'],
  ['vaults', 'delete', 'Deletes vaults'],
  ['vaults/backupPolicies', 'read', 'Reads policies'],
  ['vaults/backupPolicies', 'write', 'Creates and changes policies'],
  ['vaults/backupPolicies', 'delete', 'Deletes policies'],
  ['vaults/backupJobs', 'read', 'Reads jobs'],
  ['vaults/backupJobs/cancel', 'action', 'Cancels jobs'],
  ['vaults/backupFabrics/protectionContainers/protectedItems', 'read', 'Reads protected items'],
  ['vaults/backupFabrics/protectionContainers/protectedItems', 'write', 'Enables and changes protection'],
  ['vaults/backupFabrics/protectionContainers/protectedItems', 'delete', 'Stops protection and deletes data'],
  ['vaults/backupFabrics/protectionContainers/protectedItems/backup', 'action', 'Backs up now'],
  [
    'vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints/restore',
    'action',
    'Restores a recovery point',
  ],
];

export const registerProviders: RegisterRoutes = (app, scope) => {
  const { db } = scope.workshop;

  const list = async (): Promise<Provider[]> => {
    const rows = [...(await listHosts(db)), ...(await listVaults(db))];
    const locations = [...new Set(rows.map((row) => row.location))].sort();
    return Object.entries(resourceTypes).map(([namespace, types]) => ({
      id: `/subscriptions/${scope.subscriptionId}/providers/${namespace}`,
      namespace,
      registrationState: 'Registered',
      registrationPolicy: 'RegistrationFree',
      resourceTypes: types.map((resourceType) => ({ resourceType, locations, apiVersions: [apiVersion] })),
    }));
  };
  const find = async (namespace: string): Promise<Provider> => {
    const found = (await list()).find((each) => each.namespace.toLowerCase() === namespace.toLowerCase());
    if (found !== undefined) return found;
    throw new HoldfastError('ResourceNotFound', `There is no resource provider '${namespace}' here.`, {
      target: namespace,
    });
  };

  app.get(`${subscriptionPath}/providers`, async () => ({ value: await list() }));
  app.get(`${subscriptionPath}/providers/:namespace`, async (request) => find(param(request, 'namespace')));
  // Clients register what they are about to use; here everything always is.
  app.post(`${subscriptionPath}/providers/:namespace/register`, async (request) =>
    find(param(request, 'namespace')),
  );

  app.get('/providers/Microsoft.RecoveryServices/operations', async () => ({
    value: operations.map(
      ([resource, operation, description]): ProviderOperation => ({
        name: `Microsoft.RecoveryServices/${resource}/${operation}`,
        isDataAction: false,
        display: { provider: 'Microsoft Recovery Services', resource, operation, description },
      }),
    ),
  }));
};
