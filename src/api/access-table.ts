import type { Role } from '../access/index.ts';
import { emptyLists } from './routes/containers.ts';
import { plainResultPaths, statusPaths, subscriptionPaths } from './routes/operations.ts';
import { refusedRoutes } from './routes/refusals.ts';
import { replicaPath } from './routes/replicas.ts';
import {
  encryptionConfigPath,
  replicationSettingPath,
  storageAccountPath,
  virtualNetworkPath,
} from './routes/vault-neighbours.ts';
import {
  containerPath,
  fabricPath,
  groupPath,
  itemPath,
  roleAssignmentScopes,
  storePath,
  subscriptionPath,
  tenantPath,
  vaultPath,
} from './scope.ts';

/**
 * What a route needs of whoever calls it:
 * - a role, at the narrowest scope that the path names (subscription, resource group, vault). Without any role there, what
 *   the path names looks as if it did not exist. `stricter` may ask for a higher one when the body has been read.
 * - `filtered`: anybody who is signed in; of the answer, a list or a resource, only what the caller sees is sent.
 * - `signed-in`: anybody who is.
 * - `public`: everybody.
 */
export type Requirement =
  | Role
  | { role: Role; stricter: (body: unknown) => Role | undefined }
  | 'filtered'
  | 'signed-in'
  | 'public';

const fleet = `${subscriptionPath}/providers/Holdfast.Fleet`;
const groupFleet = `${groupPath}/providers/Holdfast.Fleet`;
const vaultFleet = `${vaultPath}/providers/Holdfast.Fleet`;
const recoveryServices = (scope: string) => `${scope}/providers/Microsoft.RecoveryServices`;
const vaultsOf = (scope: string) => `${recoveryServices(scope)}/vaults`;

const compute = (scope: string) => `${scope}/providers/Microsoft.Compute`;

/** Reading at each of some paths. */
const all = (requirement: Requirement, paths: readonly string[]) =>
  Object.fromEntries(paths.map((path) => [`GET ${path}`, requirement]));

/**
 * Every route, by method and path as it is registered. A route that is missing here is refused to everybody, and fails a
 * test. The roles are those of Azure's table for backup; docs/access.md says where they differ.
 */
export const accessTable: Readonly<Record<string, Requirement>> = {
  'GET /': 'public',
  'GET /portal': 'public',
  'GET /portal/*': 'public',
  'GET /holdfast/service': 'signed-in',
  'GET /openapi.json': 'public',
  'GET /subscriptions': 'filtered',
  [`GET ${subscriptionPath}`]: 'filtered',
  'GET /tenants': 'signed-in',
  [`GET ${subscriptionPath}/locations`]: 'signed-in',
  [`GET ${subscriptionPath}/providers`]: 'signed-in',
  [`GET ${subscriptionPath}/providers/:namespace`]: 'signed-in',
  [`POST ${subscriptionPath}/providers/:namespace/register`]: 'signed-in',
  'GET /providers/Microsoft.RecoveryServices/operations': 'signed-in',
  [`GET ${subscriptionPath}/resources`]: 'filtered',
  [`GET ${subscriptionPath}/resourceGroups`]: 'filtered',
  [`GET ${groupPath}`]: 'filtered',
  [`PUT ${groupPath}`]: 'Contributor',
  [`PATCH ${groupPath}`]: 'Contributor',
  [`DELETE ${groupPath}`]: 'Owner',
  [`GET ${groupPath}/resources`]: 'filtered',

  'GET /metadata/endpoints': 'public',
  [`GET ${tenantPath}/v2.0/.well-known/openid-configuration`]: 'public',
  [`GET ${tenantPath}/.well-known/openid-configuration`]: 'public',
  [`GET ${tenantPath}/discovery/v2.0/keys`]: 'public',
  [`GET ${tenantPath}/discovery/keys`]: 'public',
  [`POST ${tenantPath}/oauth2/v2.0/token`]: 'public',
  [`POST ${tenantPath}/oauth2/token`]: 'public',

  [`GET ${fleet}/auditLog`]: 'Reader',
  [`GET ${fleet}/auditLogVerification`]: 'Reader',
  'POST /holdfast/sign-in': 'public',
  'GET /holdfast/openid-connect/sign-in': 'public',
  'GET /holdfast/openid-connect/callback': 'public',
  'GET /holdfast/first-run': 'public',
  'POST /holdfast/first-run': 'public',
  'GET /holdfast/session': 'signed-in',
  'DELETE /holdfast/session': 'signed-in',
  'POST /holdfast/session/password': 'signed-in',
  [`GET ${fleet}/people`]: 'Owner',
  [`GET ${fleet}/people/:person`]: 'Owner',
  [`PUT ${fleet}/people/:person`]: 'Owner',
  [`DELETE ${fleet}/people/:person`]: 'Owner',
  [`GET ${fleet}/clients`]: 'Owner',
  [`GET ${fleet}/clients/:client`]: 'Owner',
  [`PUT ${fleet}/clients/:client`]: 'Owner',
  [`DELETE ${fleet}/clients/:client`]: 'Owner',
  [`POST ${fleet}/clients/:client/rotateSecret`]: 'Owner',
  [`GET ${subscriptionPath}/providers/Microsoft.Authorization/roleDefinitions`]: 'signed-in',
  ...Object.fromEntries(
    roleAssignmentScopes.flatMap((scope) => [
      [`GET ${scope}/providers/Microsoft.Authorization/roleAssignments`, 'Reader'],
      [`GET ${scope}/providers/Microsoft.Authorization/roleAssignments/:assignment`, 'Reader'],
      [`PUT ${scope}/providers/Microsoft.Authorization/roleAssignments/:assignment`, 'Owner'],
      [`DELETE ${scope}/providers/Microsoft.Authorization/roleAssignments/:assignment`, 'Owner'],
    ]),
  ),

  // Whoever connects a host makes the service run commands on it.
  // Only what the caller sees is told.
  [`GET ${fleet}/events`]: 'signed-in',
  [`GET ${fleet}/overview`]: 'signed-in',
  [`GET ${fleet}/jobs`]: 'filtered',
  [`GET ${fleet}/protectedItems`]: 'filtered',
  [`GET ${fleet}/alerts`]: 'filtered',
  [`POST ${vaultFleet}/alerts/:alert/dismiss`]: 'Operator',
  [`POST ${groupFleet}/alerts/:alert/dismiss`]: 'Operator',
  [`GET ${fleet}/hosts`]: 'filtered',
  [`GET ${groupFleet}/hosts/:host`]: 'Reader',
  [`PUT ${groupFleet}/hosts/:host`]: 'Owner',
  [`DELETE ${groupFleet}/hosts/:host`]: 'Owner',
  [`GET ${fleet}/virtualMachines`]: 'filtered',
  [`GET ${groupFleet}/virtualMachines/:machine`]: 'Reader',
  // Whoever installs it has a program of ours run in the guest as root.
  [`POST ${groupFleet}/virtualMachines/:machine/installFreezeHook`]: 'Owner',
  [`GET ${fleet}/freezeHook`]: 'signed-in',
  [`GET ${compute(subscriptionPath)}/virtualMachines`]: 'filtered',
  [`GET ${compute(subscriptionPath)}/locations/:location/virtualMachines`]: 'filtered',
  [`GET ${compute(groupPath)}/virtualMachines`]: 'filtered',
  [`GET ${compute(groupPath)}/virtualMachines/:machine`]: 'Reader',
  [`GET ${compute(groupPath)}/virtualMachines/:machine/instanceView`]: 'Reader',
  ...Object.fromEntries(
    ['start', 'powerOff', 'deallocate', 'restart'].map((action) => [
      `POST ${compute(groupPath)}/virtualMachines/:machine/${action}`,
      'Contributor',
    ]),
  ),
  [`GET ${compute(subscriptionPath)}/restorePointCollections`]: 'filtered',
  [`GET ${compute(groupPath)}/restorePointCollections`]: 'filtered',
  [`GET ${compute(groupPath)}/restorePointCollections/:collection`]: 'Reader',
  [`GET ${compute(groupPath)}/restorePointCollections/:collection/restorePoints/:point`]: 'Reader',

  [`GET ${vaultsOf(subscriptionPath)}`]: 'filtered',
  [`GET ${vaultsOf(groupPath)}`]: 'filtered',
  [`GET ${vaultPath}`]: 'Reader',
  // A store goes to any place that the service can write to.
  [`PUT ${vaultPath}`]: {
    role: 'Contributor',
    stricter: (body) => (names(body, 'storePath') ? 'Owner' : undefined),
  },
  [`PATCH ${vaultPath}`]: 'Contributor',
  [`DELETE ${vaultPath}`]: 'Owner',
  [`GET ${vaultPath}/backupconfig/vaultconfig`]: 'Reader',
  [`PUT ${vaultPath}/backupconfig/vaultconfig`]: 'Contributor',
  [`PATCH ${vaultPath}/backupconfig/vaultconfig`]: 'Contributor',
  [`GET ${storePath}`]: 'Reader',
  [`PUT ${storePath}`]: 'Contributor',
  [`POST ${storePath}/verify`]: 'Operator',
  [`POST ${storePath}/repair`]: 'Contributor',
  [`POST ${storePath}/collect`]: 'Contributor',
  // A key opens every recovery point of the vault, for ever.
  [`GET ${vaultFleet}/keys`]: 'Reader',
  [`POST ${vaultFleet}/keys`]: 'Owner',
  [`PATCH ${vaultFleet}/keys/:key`]: 'Owner',
  [`DELETE ${vaultFleet}/keys/:key`]: 'Owner',
  [`POST ${vaultFleet}/unlock`]: 'Contributor',
  [`GET ${replicaPath}`]: 'Reader',
  [`PUT ${replicaPath}`]: 'Owner',
  [`DELETE ${replicaPath}`]: 'Owner',
  [`POST ${replicaPath}/verify`]: 'Operator',
  [`POST ${replicaPath}/repair`]: 'Contributor',
  [`POST ${replicaPath}/sync`]: 'Operator',

  ...all('Reader', [
    `${vaultPath}/usages`,
    `${vaultPath}/replicationUsages`,
    `${vaultPath}/backupUsageSummaries`,
    `${vaultPath}/backupstorageconfig/vaultstorageconfig`,
    `${vaultPath}/backupProtectionContainers`,
    `${vaultPath}/backupProtectableItems`,
    containerPath,
    encryptionConfigPath,
    replicationSettingPath,
    storageAccountPath,
    virtualNetworkPath,
    ...emptyLists,
  ]),
  [`PUT ${vaultPath}/backupstorageconfig/vaultstorageconfig`]: 'Operator',
  [`PATCH ${vaultPath}/backupstorageconfig/vaultstorageconfig`]: 'Operator',
  [`POST ${recoveryServices(subscriptionPath)}/locations/:location/backupStatus`]: 'signed-in',
  // What it finds out about a VM, the caller must be allowed to see, which the ids in the body are checked for.
  [`POST ${recoveryServices(subscriptionPath)}/locations/:location/backupPreValidateProtection`]: 'signed-in',
  [`POST ${recoveryServices(subscriptionPath)}/locations/:location/backupValidateFeatures`]: 'signed-in',
  [`POST ${recoveryServices(groupPath)}/locations/:location/checkNameAvailability`]: 'Reader',
  [`GET ${recoveryServices(subscriptionPath)}/locations/:location/deletedVaults`]: 'signed-in',
  [`GET ${recoveryServices(subscriptionPath)}/locations/:location/deletedVaults/:vault`]: 'signed-in',
  [`POST ${recoveryServices(subscriptionPath)}/locations/:location/deletedVaults/:vault/undelete`]:
    'signed-in',
  [`POST ${fabricPath}/refreshContainers`]: 'Operator',
  [`PUT ${containerPath}`]: 'Operator',
  [`DELETE ${containerPath}`]: 'Contributor',
  [`POST ${vaultPath}/backupValidateOperation`]: 'Operator',
  [`POST ${vaultPath}/backupTriggerValidateOperation`]: 'Operator',
  // What is refused to everybody needs no more than to know where.
  ...Object.fromEntries(
    refusedRoutes.flatMap(([methods, path]) => methods.map((method) => [`${method} ${path}`, 'Reader'])),
  ),

  [`GET ${vaultPath}/backupPolicies`]: 'Reader',
  [`GET ${vaultPath}/backupPolicies/:policy`]: 'Reader',
  [`PUT ${vaultPath}/backupPolicies/:policy`]: 'Contributor',
  [`DELETE ${vaultPath}/backupPolicies/:policy`]: 'Contributor',
  [`GET ${vaultPath}/backupPolicies/:policy/operationResults/:operation`]: 'Reader',
  [`POST ${vaultFleet}/policyPreview`]: 'Reader',
  [`POST ${vaultFleet}/policyEditPreview`]: 'Reader',

  [`GET ${vaultPath}/backupProtectedItems`]: 'Reader',
  [`GET ${itemPath}`]: 'Reader',
  [`PUT ${itemPath}`]: { role: 'Operator', stricter: stopsOrRevives },
  [`DELETE ${itemPath}`]: 'Contributor',
  [`POST ${itemPath}/providers/Holdfast.Fleet/purge`]: 'Contributor',
  [`POST ${itemPath}/backup`]: 'Operator',
  [`GET ${itemPath}/recoveryPoints`]: 'Reader',
  [`GET ${itemPath}/recoveryPoints/:point`]: 'Reader',
  // Who may not switch a VM off may not give it other disks either.
  [`POST ${itemPath}/recoveryPoints/:point/restore`]: { role: 'Operator', stricter: replacesDisks },
  [`PATCH ${itemPath}/recoveryPoints/:point`]: 'Operator',
  [`DELETE ${itemPath}/recoveryPoints/:point`]: 'Contributor',
  [`POST ${itemPath}/recoveryPoints/:point/providers/Holdfast.Fleet/undelete`]: 'Contributor',

  [`GET ${vaultPath}/backupJobs`]: 'Reader',
  [`GET ${vaultPath}/backupJobs/:job`]: 'Reader',
  [`POST ${vaultPath}/backupJobs/:job/cancel`]: 'Operator',
  [`POST ${vaultPath}/backupJobsExport`]: 'Operator',
  // The link is the right to it, for a quarter of an hour.
  'GET /holdfast/exports/:file': 'public',
  ...all('Reader', [...statusPaths, ...plainResultPaths, `${itemPath}/operationResults/:operation`]),
  [`GET ${vaultPath}/backupJobs/operationResults/:operation`]: 'Reader',
  [`GET ${vaultPath}/backupValidateOperationResults/:operation`]: 'Reader',
  // They belong to no vault, and nobody guesses their ids.
  ...all('signed-in', subscriptionPaths),
};

/** Azure's guidance: an operator enables and changes protection, but does not stop it, nor brings back what was deleted. */
function stopsOrRevives(body: unknown): Role | undefined {
  const { protectionState, policyId, isRehydrate } = propertiesOf(body);
  const stops =
    typeof protectionState === 'string' && /^(ProtectionStopped|BackupsSuspended)$/i.test(protectionState);
  return stops || policyId === '' || isRehydrate === true ? 'Contributor' : undefined;
}

/** A restore over the VM's own disks. */
function replacesDisks(body: unknown): Role | undefined {
  return propertiesOf(body).recoveryType === 'OriginalLocation' ? 'Contributor' : undefined;
}

/** Whether the request gives a property of ours. */
function names(body: unknown, property: string): boolean {
  const { holdfast } = propertiesOf(body);
  return typeof holdfast === 'object' && holdfast !== null && property in holdfast;
}

function propertiesOf(body: unknown): Record<string, unknown> {
  const properties = typeof body === 'object' && body !== null && 'properties' in body ? body.properties : {};
  return typeof properties === 'object' && properties !== null ? (properties as Record<string, unknown>) : {};
}
