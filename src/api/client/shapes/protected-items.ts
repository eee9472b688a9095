/** Protected items of a vault. */
import { z } from 'zod';
import { resource } from './common.ts';

export const protectedItemRequest = z.strictObject({
  properties: z.strictObject({
    protectedItemType: z.literal('Microsoft.Compute/virtualMachines'),
    sourceResourceId: z.string().max(2048),
    policyId: z.string().max(2048).optional(),
    protectionState: z.enum(['ProtectionStopped']).optional(),
    friendlyName: z.string().optional(),
    virtualMachineId: z.string().optional(),
    holdfast: z.strictObject({ excludedDisks: z.array(z.string().max(64)).max(64).optional() }).optional(),
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
    protectionState: z.enum(['IRPending', 'Protected', 'ProtectionError', 'ProtectionStopped']),
    /** `Healthy` or `Unhealthy`, then why, where there is a reason. */
    protectionStatus: z.string(),
    lastBackupStatus: z.string(),
    lastBackupTime: z.string(),
    lastRecoveryPoint: z.string().optional(),
    holdfast: z.object({
      vmUuid: z.string(),
      host: z.string(),
      excludedDisks: z.array(z.string()),
      recoveryPoints: z.number(),
      nextBackup: z.string().optional(),
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
