/** Questions that change nothing: whether a VM is protected, whether it could be, whether a restore would go. */
import { z } from 'zod';
import { restoreRequest } from './recovery-points.ts';

const resourceType = z.string().max(64);
const resourceId = z.string().max(2048);

export const backupStatusRequest = z.strictObject({
  resourceType,
  resourceId,
  poLogicalName: z.string().max(256).optional(),
});
export type BackupStatusRequest = z.infer<typeof backupStatusRequest>;

export const backupStatus = z.object({
  protectionStatus: z.enum(['NotProtected', 'Protecting', 'Protected']),
  vaultId: z.string().optional(),
  fabricName: z.literal('Azure'),
  containerName: z.string().optional(),
  protectedItemName: z.string().optional(),
  policyName: z.string().optional(),
  errorCode: z.literal('Success'),
  errorMessage: z.string(),
  registrationStatus: z.enum(['Registered', 'NotRegistered']),
  protectedItemsCount: z.number(),
});
export type BackupStatus = z.infer<typeof backupStatus>;

export const preValidateRequest = z.strictObject({
  resourceType,
  resourceId,
  vaultId: z.string().max(2048).optional(),
  /** JSON text of further settings, such as `{"policyId": …}`. Azure reads nothing of it for VMs. */
  properties: z.string().max(8192).optional(),
});
export type PreValidateRequest = z.infer<typeof preValidateRequest>;

export const preValidateAnswer = z.object({
  status: z.enum(['Succeeded', 'Failed']),
  errorCode: z.string().optional(),
  errorMessage: z.string().optional(),
  recommendation: z.string().optional(),
  containerName: z.string(),
  protectedItemName: z.string(),
});
export type PreValidateAnswer = z.infer<typeof preValidateAnswer>;

export const featureRequest = z.strictObject({
  featureType: z.string().max(64),
  vmSize: z.string().max(256).optional(),
  vmSku: z.string().max(256).optional(),
});
export type FeatureRequest = z.infer<typeof featureRequest>;

export const featureAnswer = z.object({ supportStatus: z.enum(['Supported', 'NotSupported']) });
export type FeatureAnswer = z.infer<typeof featureAnswer>;

export const nameRequest = z.strictObject({ type: z.string().max(128), name: z.string().max(256) });
export type NameRequest = z.infer<typeof nameRequest>;

export const nameAnswer = z.object({
  nameAvailable: z.boolean(),
  reason: z.enum(['Invalid', 'AlreadyExists']).optional(),
  message: z.string().optional(),
});
export type NameAnswer = z.infer<typeof nameAnswer>;

const validation = z.strictObject({
  objectType: z.enum(['ValidateIaasVMRestoreOperationRequest', 'ValidateRestoreOperationRequest']),
  restoreRequest: restoreRequest.shape.properties,
});

/** Newer clients send it as a resource with the id of the recovery point. */
export const validateRestoreRequest = z.union([
  validation,
  z.strictObject({ id: z.string().max(2048).optional(), properties: validation }),
]);
export type ValidateRestoreRequest = z.infer<typeof validateRestoreRequest>;

export const validateRestoreAnswer = z.object({
  /** Empty: the restore would be started. */
  validationResults: z.array(
    z.object({ code: z.string(), message: z.string(), recommendations: z.array(z.string()) }),
  ),
});
export type ValidateRestoreAnswer = z.infer<typeof validateRestoreAnswer>;

export const validateRestoreResult = z.object({ validateOperationResponse: validateRestoreAnswer });
