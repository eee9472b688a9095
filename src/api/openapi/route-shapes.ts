import type { z } from 'zod';
import * as shapes from '../client/index.ts';
import { replicaPath } from '../routes/replicas.ts';
import { containerPath, groupPath, itemPath, storePath, subscriptionPath, vaultPath } from '../scope.ts';

/** What goes into a route, and what comes out where it answers with a document at once. */
export interface RouteShapes {
  body?: z.ZodType;
  answer?: z.ZodType;
  /** Answers 202 and goes on: the headers say where to ask. */
  accepted?: true;
}

const list = (item: z.ZodType): RouteShapes => ({ answer: shapes.listOf(item) });
const accepted = (body?: z.ZodType): RouteShapes => ({ accepted: true, ...(body && { body }) });

const compute = (scope: string) => `${scope}/providers/Microsoft.Compute`;
const location = (scope: string) => `${scope}/providers/Microsoft.RecoveryServices/locations/:location`;
const fleet = `${subscriptionPath}/providers/Holdfast.Fleet`;
const groupFleet = `${groupPath}/providers/Holdfast.Fleet`;
const vaultFleet = `${vaultPath}/providers/Holdfast.Fleet`;
const machinePath = `${compute(groupPath)}/virtualMachines/:machine`;
const collections = '/restorePointCollections';

/** The shapes of the routes, by method and path. A route that is not here has no body, or one of no fixed shape. */
export const routeShapes: Readonly<Record<string, RouteShapes>> = {
  'GET /holdfast/service': { answer: shapes.service },
  'POST /holdfast/sign-in': { body: shapes.signInRequest, answer: shapes.session },
  'POST /holdfast/first-run': { body: shapes.firstRunRequest, answer: shapes.session },
  'GET /holdfast/session': { answer: shapes.session },
  'POST /holdfast/session/password': { body: shapes.passwordChange },
  'GET /subscriptions': list(shapes.subscription),
  [`GET ${subscriptionPath}`]: { answer: shapes.subscription },
  'GET /tenants': list(shapes.tenant),
  [`GET ${subscriptionPath}/locations`]: list(shapes.location),
  [`GET ${subscriptionPath}/providers`]: list(shapes.provider),
  [`GET ${subscriptionPath}/providers/:namespace`]: { answer: shapes.provider },
  [`POST ${subscriptionPath}/providers/:namespace/register`]: { answer: shapes.provider },
  'GET /providers/Microsoft.RecoveryServices/operations': list(shapes.providerOperation),
  [`GET ${subscriptionPath}/resources`]: list(shapes.genericResource),
  [`GET ${groupPath}/resources`]: list(shapes.genericResource),
  [`GET ${subscriptionPath}/resourceGroups`]: list(shapes.resourceGroup),
  [`GET ${groupPath}`]: { answer: shapes.resourceGroup },
  [`PUT ${groupPath}`]: { body: shapes.resourceGroupRequest, answer: shapes.resourceGroup },
  [`PATCH ${groupPath}`]: { body: shapes.resourceGroupUpdate, answer: shapes.resourceGroup },

  [`GET ${fleet}/people`]: list(shapes.person),
  [`PUT ${fleet}/people/:person`]: { body: shapes.personRequest },
  [`GET ${fleet}/clients`]: list(shapes.client),
  [`PUT ${fleet}/clients/:client`]: { body: shapes.clientRequest, answer: shapes.clientSecret },
  [`GET ${fleet}/auditLog`]: list(shapes.auditEntry),
  ...Object.fromEntries(
    [subscriptionPath, groupPath, vaultPath].flatMap((scope) => {
      const path = `${scope}/providers/Microsoft.Authorization/roleAssignments`;
      return [
        [`GET ${path}`, list(shapes.roleAssignment)],
        [`PUT ${path}/:assignment`, { body: shapes.roleAssignmentRequest, answer: shapes.roleAssignment }],
      ];
    }),
  ),
  [`GET ${fleet}/overview`]: { answer: shapes.overview },
  [`GET ${fleet}/jobs`]: list(shapes.job),
  [`GET ${fleet}/protectedItems`]: list(shapes.protectedItem),
  [`GET ${fleet}/hosts`]: list(shapes.host),
  [`GET ${groupFleet}/hosts/:host`]: { answer: shapes.host },
  [`PUT ${groupFleet}/hosts/:host`]: { body: shapes.hostRequest, answer: shapes.host },
  [`GET ${fleet}/virtualMachines`]: list(shapes.virtualMachine),
  [`GET ${groupFleet}/virtualMachines/:machine`]: { answer: shapes.virtualMachine },

  [`GET ${compute(subscriptionPath)}/virtualMachines`]: list(shapes.computeMachine),
  [`GET ${compute(subscriptionPath)}/locations/:location/virtualMachines`]: list(shapes.computeMachine),
  [`GET ${compute(groupPath)}/virtualMachines`]: list(shapes.computeMachine),
  [`GET ${machinePath}`]: { answer: shapes.computeMachine },
  [`GET ${machinePath}/instanceView`]: { answer: shapes.instanceView },
  [`POST ${machinePath}/start`]: accepted(),
  [`POST ${machinePath}/powerOff`]: accepted(),
  [`POST ${machinePath}/deallocate`]: accepted(),
  [`POST ${machinePath}/restart`]: accepted(),
  [`GET ${compute(subscriptionPath)}${collections}`]: list(shapes.restorePointCollection),
  [`GET ${compute(groupPath)}${collections}`]: list(shapes.restorePointCollection),
  [`GET ${compute(groupPath)}${collections}/:collection`]: { answer: shapes.restorePointCollection },
  [`GET ${compute(groupPath)}${collections}/:collection/restorePoints/:point`]: {
    answer: shapes.restorePoint,
  },

  [`GET ${subscriptionPath}/providers/Microsoft.RecoveryServices/vaults`]: list(shapes.vault),
  [`GET ${groupPath}/providers/Microsoft.RecoveryServices/vaults`]: list(shapes.vault),
  [`GET ${vaultPath}`]: { answer: shapes.vault },
  [`PUT ${vaultPath}`]: { body: shapes.vaultRequest, answer: shapes.vault },
  [`PATCH ${vaultPath}`]: { body: shapes.vaultUpdate, answer: shapes.vault },
  [`PUT ${vaultPath}/backupconfig/vaultconfig`]: { body: shapes.vaultConfigRequest },
  [`PATCH ${vaultPath}/backupconfig/vaultconfig`]: { body: shapes.vaultConfigRequest },
  [`GET ${vaultPath}/backupstorageconfig/vaultstorageconfig`]: { answer: shapes.storageConfig },
  [`PUT ${vaultPath}/backupstorageconfig/vaultstorageconfig`]: {
    body: shapes.storageConfigRequest,
    answer: shapes.storageConfig,
  },
  [`PATCH ${vaultPath}/backupstorageconfig/vaultstorageconfig`]: { body: shapes.storageConfigRequest },
  [`GET ${vaultPath}/usages`]: list(shapes.usage),
  [`GET ${vaultPath}/backupUsageSummaries`]: list(shapes.usage),
  [`GET ${vaultPath}/backupProtectionContainers`]: list(shapes.protectionContainer),
  [`GET ${vaultPath}/backupProtectableItems`]: list(shapes.protectableItem),
  [`POST ${vaultPath}/backupFabrics/:fabric/refreshContainers`]: accepted(),
  [`PUT ${containerPath}`]: accepted(shapes.containerRequest),
  [`DELETE ${containerPath}`]: accepted(),
  [`GET ${storePath}`]: { answer: shapes.store },
  [`PUT ${storePath}`]: { body: shapes.storeRequest, answer: shapes.store },
  [`POST ${storePath}/verify`]: accepted(shapes.verifyStoreRequest),
  [`POST ${storePath}/repair`]: accepted(shapes.repairStoreRequest),
  [`POST ${storePath}/collect`]: accepted(shapes.collectStoreRequest),
  [`GET ${vaultFleet}/keys`]: list(shapes.vaultKey),
  [`POST ${vaultFleet}/keys`]: { body: shapes.vaultKeyRequest, answer: shapes.vaultKey },
  [`PATCH ${vaultFleet}/keys/:key`]: { body: shapes.vaultKeyUpdate, answer: shapes.vaultKey },
  [`POST ${vaultFleet}/unlock`]: { body: shapes.vaultUnlockRequest, answer: shapes.vaultKey },
  [`GET ${replicaPath}`]: { answer: shapes.replica },
  [`PUT ${replicaPath}`]: { body: shapes.replicaRequest, answer: shapes.replica },
  [`POST ${replicaPath}/verify`]: accepted(shapes.verifyStoreRequest),
  [`POST ${replicaPath}/repair`]: accepted(shapes.repairStoreRequest),
  [`POST ${replicaPath}/sync`]: accepted(shapes.replicaSyncRequest),

  [`POST ${location(subscriptionPath)}/backupStatus`]: {
    body: shapes.backupStatusRequest,
    answer: shapes.backupStatus,
  },
  [`POST ${location(subscriptionPath)}/backupPreValidateProtection`]: {
    body: shapes.preValidateRequest,
    answer: shapes.preValidateAnswer,
  },
  [`POST ${location(subscriptionPath)}/backupValidateFeatures`]: {
    body: shapes.featureRequest,
    answer: shapes.featureAnswer,
  },
  [`POST ${location(groupPath)}/checkNameAvailability`]: {
    body: shapes.nameRequest,
    answer: shapes.nameAnswer,
  },
  [`POST ${vaultPath}/backupValidateOperation`]: { body: shapes.validateRestoreRequest },
  [`POST ${vaultPath}/backupTriggerValidateOperation`]: accepted(shapes.validateRestoreRequest),

  [`GET ${fleet}/alerts`]: list(shapes.alert),
  [`POST ${vaultFleet}/alerts/:alert/dismiss`]: { answer: shapes.alert },
  [`POST ${groupFleet}/alerts/:alert/dismiss`]: { answer: shapes.alert },
  [`GET ${vaultPath}/backupPolicies`]: list(shapes.policy),
  [`GET ${vaultPath}/backupPolicies/:policy`]: { answer: shapes.policy },
  [`PUT ${vaultPath}/backupPolicies/:policy`]: { body: shapes.policyRequest, answer: shapes.policy },
  [`POST ${vaultFleet}/policyPreview`]: { body: shapes.policyPreviewRequest, answer: shapes.policyPreview },
  [`POST ${vaultFleet}/policyEditPreview`]: {
    body: shapes.policyEditPreviewRequest,
    answer: shapes.policyEditPreview,
  },
  [`GET ${vaultPath}/backupProtectedItems`]: list(shapes.protectedItem),
  [`GET ${itemPath}`]: { answer: shapes.protectedItem },
  [`PUT ${itemPath}`]: accepted(shapes.protectedItemRequest),
  [`DELETE ${itemPath}`]: accepted(),
  [`POST ${itemPath}/providers/Holdfast.Fleet/purge`]: accepted(),
  [`POST ${itemPath}/backup`]: accepted(shapes.backupRequest),
  [`GET ${itemPath}/recoveryPoints`]: list(shapes.recoveryPoint),
  [`GET ${itemPath}/recoveryPoints/:point`]: { answer: shapes.recoveryPoint },
  [`PATCH ${itemPath}/recoveryPoints/:point`]: {
    body: shapes.recoveryPointUpdate,
    answer: shapes.recoveryPoint,
  },
  [`DELETE ${itemPath}/recoveryPoints/:point`]: { answer: shapes.recoveryPoint },
  [`POST ${itemPath}/recoveryPoints/:point/providers/Holdfast.Fleet/undelete`]: {
    answer: shapes.recoveryPoint,
  },
  [`POST ${itemPath}/recoveryPoints/:point/restore`]: accepted(shapes.restoreRequest),
  [`GET ${vaultPath}/backupJobs`]: list(shapes.job),
  [`GET ${vaultPath}/backupJobs/:job`]: { answer: shapes.job },
  [`POST ${vaultPath}/backupJobs/:job/cancel`]: accepted(),
  [`POST ${vaultPath}/backupJobsExport`]: accepted(),
  [`GET ${vaultPath}/backupJobs/operationResults/:operation`]: { answer: shapes.jobsExport },
};
