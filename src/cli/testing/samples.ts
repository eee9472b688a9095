import type {
  Job,
  JobTask,
  ProtectedItem,
  RecoveryPoint,
  Vault,
  VirtualMachine,
} from '../../api/client/index.ts';

/** One VM of one vault, with its points and jobs, as the API sends them. */
export const GiB = 1024 ** 3;
export const subscription = '/subscriptions/s1';
export const group = `${subscription}/resourceGroups/default`;
export const vaultId = `${group}/providers/Microsoft.RecoveryServices/vaults/v1`;
export const itemId = `${vaultId}/backupFabrics/Azure/protectionContainers/iaasvmcontainer;iaasvmcontainerv2;default;web-1/protectedItems/vm;iaasvmcontainerv2;default;web-1`;

export const vault: Vault = {
  id: vaultId,
  name: 'v1',
  type: 'Microsoft.RecoveryServices/vaults',
  location: 'local',
  sku: { name: 'Standard', tier: 'Standard' },
  properties: {
    provisioningState: 'Succeeded',
    securitySettings: {
      immutabilitySettings: { state: 'Disabled' },
      softDeleteSettings: {
        softDeleteState: 'Enabled',
        softDeleteRetentionPeriodInDays: 14,
        enhancedSecurityState: 'Enabled',
      },
    },
    holdfast: {
      storePath: '/srv/h/v1',
      storeId: 'x',
      encryption: { state: 'Enabled', keyFile: '/srv/h/keys/x.key' },
      status: 'Ready',
      protectedItems: 1,
      recoveryPoints: 2,
      storedBytes: 1.5 * GiB,
    },
  },
};

export const machine: VirtualMachine = {
  id: `${group}/providers/Holdfast.Fleet/virtualMachines/web-1`,
  name: 'web-1',
  type: 'Holdfast.Fleet/virtualMachines',
  location: 'local',
  properties: {
    vmId: '11111111-2222-4333-8444-555555555555',
    host: `${group}/providers/Holdfast.Fleet/hosts/rack1`,
    powerState: 'running',
    memoryBytes: GiB,
    vcpus: 2,
    firmware: 'bios',
    agent: 'connected',
    disks: [
      {
        target: 'vda',
        bus: 'virtio',
        type: 'file',
        format: 'qcow2',
        sizeBytes: 8 * GiB,
        path: '/d/a.qcow2',
        layers: 1,
      },
      {
        target: 'vdb',
        bus: 'virtio',
        type: 'file',
        format: 'raw',
        sizeBytes: GiB,
        path: '/d/b.img',
        layers: 0,
      },
    ],
    protection: {
      state: 'NotProtectable',
      obstacles: [{ code: 'DiskShareable', disk: 'vdb', message: 'vdb is shared.', action: 'Exclude it.' }],
    },
  },
};

export const item: ProtectedItem = {
  id: itemId,
  name: 'vm;iaasvmcontainerv2;default;web-1',
  type: 'Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems',
  properties: {
    protectedItemType: 'Microsoft.Compute/virtualMachines',
    backupManagementType: 'AzureIaasVM',
    workloadType: 'VM',
    friendlyName: 'web-1',
    containerName: 'iaasvmcontainerv2;default;web-1',
    sourceResourceId: machine.id,
    virtualMachineId: machine.id,
    vaultId,
    policyName: 'DefaultPolicy',
    protectionState: 'Protected',
    isScheduledForDeferredDelete: false,
    softDeleteRetentionPeriodInDays: 14,
    healthStatus: 'Passed',
    healthDetails: [],
    protectionStatus: 'Healthy',
    lastBackupStatus: 'Completed',
    lastBackupTime: '2026-11-21T05:00:00Z',
    holdfast: { vmUuid: machine.properties.vmId, host: 'rack1', excludedDisks: [], recoveryPoints: 2 },
  },
};

export function point(name: string, time: string, tiers: ('InstantRP' | 'HardenedRP')[]): RecoveryPoint {
  return {
    id: `${itemId}/recoveryPoints/${name}`,
    name,
    type: 'x',
    properties: {
      objectType: 'IaasVMRecoveryPoint',
      recoveryPointType: 'AppConsistent',
      recoveryPointTime: time,
      recoveryPointAdditionalInfo: '',
      recoveryPointTierDetails: tiers.map((type) => ({ type, status: 'Valid' })),
      isManagedVirtualMachine: true,
      recoveryPointDiskConfiguration: {
        numberOfDisksAttachedToVm: 1,
        numberOfDisksIncludedInBackup: 1,
        includedDiskList: [],
        excludedDiskList: [],
      },
      recoveryPointProperties: { expiryTime: '2026-12-21T05:00:00Z' },
      holdfast: {
        keptUntil: 'expiry',
        frozenMs: 12,
        powerState: 'running',
        disks: [{ target: 'vda', sizeBytes: 8 * GiB, format: 'qcow2', storedBytes: 2048 }],
      },
    },
  };
}

export function job(status: Job['properties']['status'], tasksList: JobTask[] = [], more: object = {}): Job {
  return {
    id: `${vaultId}/backupJobs/j1`,
    name: 'j1',
    type: 'Microsoft.RecoveryServices/vaults/backupJobs',
    properties: {
      jobType: 'AzureIaaSVMJob',
      backupManagementType: 'AzureIaasVM',
      operation: 'Backup',
      status,
      entityFriendlyName: 'web-1',
      startTime: '2026-11-21T05:40:00Z',
      duration: 'PT42S',
      activityId: 'a',
      isUserTriggered: true,
      extendedInfo: { tasksList, propertyBag: {} },
      ...more,
    },
  };
}

export const snapshotRuns: JobTask = { taskId: 'Take Snapshot', status: 'InProgress' };
export const snapshotDone: JobTask = { taskId: 'Take Snapshot', status: 'Completed', duration: 'PT2S' };

export const running = job('InProgress', [snapshotRuns]);
export const done = job('Completed', [snapshotDone]);
