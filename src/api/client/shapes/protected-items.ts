/** Protected items of a vault. */
import { z } from 'zod';
import { agentReport } from './agents.ts';
import { resource } from './common.ts';
import { notOffered, readOnly, readOnlyResource, word } from './requests.ts';

/** What an item tells of itself, and a client may send back. */
const toldOfItem = Object.fromEntries(
  [
    ...['backupManagementType', 'workloadType', 'containerName', 'vaultId', 'policyName', 'policyType'],
    ...['isScheduledForDeferredDelete', 'deferredDeleteTimeInUTC', 'deferredDeleteTimeRemaining'],
    ...['isDeferredDeleteScheduleUpcoming', 'softDeleteRetentionPeriodInDays', 'protectionStatus'],
    ...['healthStatus', 'healthDetails', 'kpisHealths', 'lastBackupStatus', 'lastBackupTime'],
    ...['lastRecoveryPoint', 'protectedItemDataId', 'isArchiveEnabled', 'extendedInfo', 'backupSetName'],
  ].map((name) => [name, readOnly]),
);

const protectionStates = ['Protected', 'IRPending', 'ProtectionError', 'ProtectionPaused'] as const;

export const protectedItemRequest = z.strictObject({
  ...readOnlyResource,
  eTag: readOnly,
  properties: z.strictObject({
    ...toldOfItem,
    protectedItemType: word(['Microsoft.Compute/virtualMachines'], 'virtual machines are protected here'),
    /** The VM; it is the one that the item's name says, and may be left out. */
    sourceResourceId: z.string().max(2048).optional(),
    /** Protects the VM with this policy, gives it another, or resumes its protection. Empty: stops it. */
    policyId: z.string().max(2048).optional(),
    /**
     * Stops protection and keeps the data, for ever (ProtectionStopped) or as the policy says (BackupsSuspended; immutable
     * vaults only). The other words ask for nothing: the policy does.
     */
    protectionState: word(['ProtectionStopped', 'BackupsSuspended', ...protectionStates]).optional(),
    /** Brings a soft-deleted item back, with its protection stopped. */
    isRehydrate: z.boolean().optional(),
    extendedProperties: z
      .looseObject({
        /** By logical unit: -1 is the first disk, 0 the next. Null, or missing: no disk is left out any more. */
        diskExclusionProperties: z
          .strictObject({
            diskLunList: z.array(z.int().min(-1).max(64)).max(64),
            isInclusionList: z.boolean(),
          })
          .nullable()
          .optional(),
      })
      .optional(),
    friendlyName: readOnly,
    virtualMachineId: readOnly,
    createMode: word(['Default', 'Invalid'], 'an item is not made of another').optional(),
    resourceGuardOperationRequests: notOffered('there are no resource guards'),
    holdfast: z
      .strictObject({
        excludedDisks: z.array(z.string().max(64)).max(64).optional(),
        vmUuid: readOnly,
        host: readOnly,
        agent: readOnly,
        recoveryPoints: readOnly,
        nextBackup: readOnly,
        lastPolicyName: readOnly,
        purgeAt: readOnly,
        purging: readOnly,
      })
      .optional(),
  }),
});
export type ProtectedItemRequest = z.infer<typeof protectedItemRequest>;

export const protectedItem = z.object({
  ...resource,
  properties: z.object({
    protectedItemType: z.literal('Microsoft.Compute/virtualMachines'),
    backupManagementType: z.literal('AzureIaasVM'),
    workloadType: z.literal('VM'),
    friendlyName: z.string(),
    containerName: z.string(),
    sourceResourceId: z.string(),
    virtualMachineId: z.string(),
    vaultId: z.string(),
    policyId: z.string().optional(),
    policyName: z.string().optional(),
    protectionState: z.enum([
      'IRPending',
      'Protected',
      'ProtectionError',
      'ProtectionStopped',
      'BackupsSuspended',
    ]),
    /** Soft-deleted; its `protectionState` is `ProtectionStopped`. */
    isScheduledForDeferredDelete: z.boolean(),
    /** When it was deleted, and how long it still can be brought back. */
    deferredDeleteTimeInUTC: z.string().optional(),
    deferredDeleteTimeRemaining: z.string().optional(),
    /** Within two days of being purged. */
    isDeferredDeleteScheduleUpcoming: z.boolean().optional(),
    softDeleteRetentionPeriodInDays: z.number(),
    policyType: z.enum(['V1', 'V2']).optional(),
    /** `Healthy` or `Unhealthy`, then why, where there is a reason. */
    protectionStatus: z.string(),
    healthStatus: z.enum(['Passed', 'ActionSuggested', 'ActionRequired']),
    healthDetails: z.array(
      z.object({
        code: z.number(),
        title: z.string(),
        message: z.string(),
        recommendations: z.array(z.string()),
      }),
    ),
    lastBackupStatus: z.string(),
    lastBackupTime: z.string(),
    lastRecoveryPoint: z.string().optional(),
    holdfast: z.object({
      vmUuid: z.string(),
      host: z.string(),
      excludedDisks: z.array(z.string()),
      /** The VM's guest agent as it was last seen. */
      agent: agentReport.optional(),
      recoveryPoints: z.number(),
      nextBackup: z.string().optional(),
      /** Where protection is stopped: the policy it had. */
      lastPolicyName: z.string().optional(),
      /** When the data of a soft-deleted item may be removed. */
      purgeAt: z.string().optional(),
      /** Its data is being removed. */
      purging: z.boolean().optional(),
    }),
  }),
});
export type ProtectedItem = z.infer<typeof protectedItem>;

export const backupRequest = z.strictObject({
  properties: z.strictObject({
    objectType: z.literal('IaasVMBackupRequest'),
    recoveryPointExpiryTimeInUTC: z.iso.datetime({ offset: true }).optional(),
  }),
});
export type BackupRequest = z.infer<typeof backupRequest>;
