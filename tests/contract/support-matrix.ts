/** Which operations of Azure's published clients are offered: `docs/azure-compatibility.md` is made of this. */

export type Support = 'supported' | 'partly' | 'refused';

export interface Row {
  client: 'vaults' | 'backup' | 'compute' | 'resources' | 'subscriptions';
  group: string;
  methods: readonly string[];
  support: Support;
  /** What is missing, or why it is refused. */
  note?: string;
}

const row = (
  client: Row['client'],
  group: string,
  methods: string,
  support: Support,
  note?: string,
): Row => ({
  client,
  group,
  methods: methods.split(' '),
  support,
  ...(note === undefined ? {} : { note }),
});

const agents = 'there are no agents inside machines';
const archive = 'there is no archive tier';
const guards = 'there are no resource guards';
const endpoints = 'there are no private endpoints';
const snapshots = 'restore points are made and expired by policies';
const unknown = 'not found: nothing here has it';

export const supportMatrix: readonly Row[] = [
  row('vaults', 'vaults', 'listByResourceGroup listBySubscriptionId get delete', 'supported'),
  row(
    'vaults',
    'vaults',
    'createOrUpdate update',
    'partly',
    'tags, security settings, what is said above, and `holdfast` for the store; other settings are refused by name',
  ),
  row('vaults', 'recoveryServices', 'checkNameAvailability', 'supported'),
  row('vaults', 'recoveryServices', 'capabilities', 'refused', 'see this document'),
  row('vaults', 'usages', 'listByVaults', 'supported'),
  row('vaults', 'replicationUsages', 'list', 'supported'),
  row('vaults', 'privateLinkResources', 'list', 'supported'),
  row('vaults', 'privateLinkResources', 'get', 'refused', endpoints),
  row('vaults', 'operations', 'list', 'supported'),
  row('vaults', 'deletedVaults', 'listBySubscriptionId get', 'supported'),
  row(
    'vaults',
    'deletedVaults',
    'undelete getOperationStatus',
    'refused',
    'a vault holds nothing when it is deleted',
  ),
  row('vaults', 'vaultExtendedInfo', 'get createOrUpdate update', 'refused', agents),
  row('vaults', 'vaultCertificates', 'create', 'refused', agents),
  row('vaults', 'registeredIdentities', 'delete', 'refused', agents),

  row('backup', 'protectedItems', 'get createOrUpdate delete', 'supported'),
  row('backup', 'protectedItemOperationStatuses', 'get', 'supported'),
  row('backup', 'protectedItemOperationResults', 'get', 'supported'),
  row('backup', 'backupOperationStatuses', 'get', 'supported'),
  row('backup', 'backupOperationResults', 'get', 'supported'),
  row('backup', 'backupProtectedItems', 'list', 'supported'),
  row('backup', 'backupProtectableItems', 'list', 'supported'),
  row('backup', 'backupProtectionContainers', 'list', 'supported'),
  row('backup', 'protectionContainers', 'get refresh register unregister', 'supported'),
  row('backup', 'protectionContainers', 'inquire', 'refused', 'for workloads inside machines'),
  row('backup', 'protectionContainerRefreshOperationResults', 'get', 'supported'),
  row('backup', 'protectionContainerOperationResults', 'get', 'supported'),
  row('backup', 'backups', 'trigger', 'supported'),
  row('backup', 'backupJobs', 'list', 'supported'),
  row('backup', 'jobDetails', 'get', 'supported'),
  row('backup', 'jobCancellations', 'trigger', 'supported'),
  row('backup', 'jobOperationResults', 'get', 'supported'),
  row('backup', 'jobs', 'export', 'supported'),
  row('backup', 'exportJobsOperationResults', 'get', 'supported'),
  row('backup', 'recoveryPoints', 'list get', 'supported'),
  row(
    'backup',
    'restores',
    'trigger',
    'partly',
    'RestoreDisks, AlternateLocation and OriginalLocation (of a VM that is off); not Offline. Storage accounts are storage pools or directories',
  ),
  row('backup', 'operation', 'validate', 'supported'),
  row('backup', 'validateOperation', 'trigger', 'supported'),
  row('backup', 'validateOperationStatuses', 'get', 'supported'),
  row('backup', 'validateOperationResults', 'get', 'supported'),
  row('backup', 'backupPolicies', 'list', 'supported'),
  row('backup', 'protectionPolicies', 'get delete', 'supported'),
  row(
    'backup',
    'protectionPolicies',
    'createOrUpdate',
    'partly',
    'policies for VMs, without an archive tier',
  ),
  row('backup', 'protectionPolicyOperationStatuses', 'get', 'supported'),
  row('backup', 'protectionPolicyOperationResults', 'get', 'supported'),
  row('backup', 'backupStatus', 'get', 'supported'),
  row('backup', 'featureSupport', 'validate', 'supported'),
  row('backup', 'protectionIntentOperations', 'validate', 'supported'),
  row(
    'backup',
    'protectionIntentOperations',
    'get createOrUpdate delete',
    'refused',
    'enable protection instead',
  ),
  row('backup', 'backupProtectionIntent', 'list', 'supported'),
  row('backup', 'backupUsageSummaries', 'list', 'supported'),
  row('backup', 'backupResourceVaultConfigs', 'get', 'supported'),
  row('backup', 'backupResourceVaultConfigs', 'update put', 'supported'),
  row('backup', 'backupResourceStorageConfigsNonCRR', 'get', 'supported'),
  row(
    'backup',
    'backupResourceStorageConfigsNonCRR',
    'update patch',
    'partly',
    'takes what is so already; a replica is set up under Holdfast.Fleet',
  ),
  row('backup', 'backupResourceEncryptionConfigs', 'get', 'supported'),
  row('backup', 'backupResourceEncryptionConfigs', 'update', 'refused', 'a vault has keys of its own'),
  row('backup', 'backupEngines', 'list', 'supported'),
  row('backup', 'backupEngines', 'get', 'refused', 'there are none'),
  row('backup', 'deletedProtectionContainers', 'list', 'supported'),
  row('backup', 'protectableContainers', 'list', 'supported'),
  row('backup', 'backupWorkloadItems', 'list', 'supported'),
  row('backup', 'operations', 'list', 'supported'),
  row('backup', 'resourceGuardProxies', 'list', 'supported'),
  row('backup', 'resourceGuardProxy', 'get put delete unlockDelete', 'refused', guards),
  row('backup', 'itemLevelRecoveryConnections', 'provision revoke', 'refused', 'not offered yet'),
  row('backup', 'recoveryPointsRecommendedForMove', 'list', 'refused', archive),
  row('backup', 'securityPINs', 'get', 'refused', agents),
  row('backup', 'privateEndpointConnectionOperations', 'get put delete', 'refused', endpoints),
  row('backup', 'privateEndpointOperations', 'getOperationStatus', 'refused', endpoints),
  row('backup', 'bMSPrepareDataMoveOperationResult', 'get', 'refused', 'data is not moved between vaults'),
  row('backup', 'fetchTieringCost', 'post', 'refused', archive),
  row('backup', 'getTieringCostOperationResult', 'get', 'refused', archive),
  row('backup', 'tieringCostOperationStatus', 'get', 'refused', archive),

  row('compute', 'virtualMachines', 'listAll list listByLocation get instanceView', 'supported'),
  row('compute', 'virtualMachines', 'start powerOff deallocate restart', 'supported'),
  row(
    'compute',
    'virtualMachines',
    'createOrUpdate update delete attachDetachDataDisks reapply redeploy reimage generalize capture runCommand performMaintenance simulateEviction assessPatches installPatches convertToManagedDisks retrieveBootDiagnosticsData migrateToVMScaleSet listAvailableSizes',
    'refused',
    'machines are made and changed with the tools of libvirt',
  ),
  row('compute', 'restorePointCollections', 'listAll list get', 'supported'),
  row('compute', 'restorePointCollections', 'createOrUpdate update delete', 'refused', snapshots),
  row('compute', 'restorePoints', 'get', 'supported'),
  row('compute', 'restorePoints', 'create delete', 'refused', snapshots),

  row('resources', 'resourceGroups', 'list get checkExistence createOrUpdate update', 'supported'),
  row('resources', 'resourceGroups', 'delete', 'partly', 'refused while a vault or a host is in it'),
  row('resources', 'resourceGroups', 'exportTemplate', 'refused', 'templates are not exported'),
  row('resources', 'resources', 'list listByResourceGroup', 'partly', 'vaults and hosts; no filter'),
  row(
    'resources',
    'resources',
    'get getById createOrUpdate createOrUpdateById update updateById delete deleteById checkExistence checkExistenceById moveResources validateMoveResources',
    'refused',
    'ask for the resource by its own provider',
  ),
  row('resources', 'providers', 'list get register', 'supported'),
  row(
    'resources',
    'providers',
    'unregister providerPermissions getAtTenantScope listAtTenantScope registerAtManagementGroupScope',
    'refused',
    unknown,
  ),
  row('resources', 'providerResourceTypes', 'list', 'refused', unknown),
  row(
    'resources',
    'tagsOperations',
    'list createOrUpdate delete createOrUpdateValue deleteValue getAtScope createOrUpdateAtScope updateAtScope deleteAtScope',
    'refused',
    'tags are part of their resources',
  ),
  row('resources', 'operations', 'list', 'refused', unknown),
  row('subscriptions', 'subscriptions', 'list get listLocations', 'supported'),
  row('subscriptions', 'subscriptions', 'checkZonePeers', 'refused', unknown),
  row('subscriptions', 'tenants', 'list', 'supported'),
  row('subscriptions', 'operations', 'list', 'refused', unknown),
];
