/** Microsoft.RecoveryServices/vaults. */
import { z } from 'zod';
import { resource } from './common.ts';
import { notOffered, readOnly, readOnlyResource, word } from './requests.ts';
import { vaultSettings } from './vault-settings.ts';

/** What is left out stays as it is. */
const securityRequest = z.strictObject({
  immutabilitySettings: z
    .strictObject({ state: word(['Disabled', 'Unlocked', 'Locked']).optional() })
    .optional(),
  softDeleteSettings: z
    .strictObject({
      softDeleteState: word(['Enabled', 'AlwaysON', 'Disabled']).optional(),
      softDeleteRetentionPeriodInDays: z.number().optional(),
      /** Of workloads that are not VMs; says nothing here. */
      enhancedSecurityState: word(['Enabled', 'AlwaysON', 'Disabled', 'Invalid']).optional(),
    })
    .optional(),
  sourceScanConfiguration: z
    .looseObject({
      state: word(['Disabled'], 'recovery points are not looked through for malware').optional(),
    })
    .optional(),
  multiUserAuthorization: readOnly,
});

export const securitySettings = z.object({
  immutabilitySettings: z.object({ state: z.enum(['Disabled', 'Unlocked', 'Locked']) }),
  softDeleteSettings: z.object({
    softDeleteState: z.enum(['Enabled', 'AlwaysON']),
    softDeleteRetentionPeriodInDays: z.number(),
    enhancedSecurityState: z.enum(['Enabled', 'AlwaysON']),
  }),
});
export type SecuritySettings = z.infer<typeof securitySettings>;

const tags = z.record(z.string().max(512), z.string().max(256)).optional();

const sku = z.strictObject({
  name: word(['RS0', 'Standard']),
  tier: z.string().max(64).optional(),
  capacity: readOnly,
  family: readOnly,
  size: readOnly,
});

const identity = z
  .strictObject({
    type: word(['None'], 'the service has no identities of Azure'),
    userAssignedIdentities: z.record(z.string(), z.unknown()).nullish(),
    principalId: readOnly,
    tenantId: readOnly,
  })
  .nullish();

/** What both making and changing a vault may say. */
const settingsRequest = {
  ...vaultSettings,
  securitySettings: securityRequest.optional(),
  encryption: notOffered('the keys of a vault are its own; see its holdfast.encryption'),
  resourceGuardOperationRequests: notOffered('there are no resource guards'),
  provisioningState: readOnly,
  privateEndpointStateForBackup: readOnly,
  privateEndpointStateForSiteRecovery: readOnly,
  privateEndpointConnections: readOnly,
  secureScore: readOnly,
  bcdrSecurityLevel: readOnly,
  backupStorageVersion: readOnly,
  regionOfChoiceSettings: readOnly,
  moveState: readOnly,
  moveDetails: readOnly,
  upgradeDetails: readOnly,
};

/** Changes what is named; everything else stays. */
export const vaultUpdate = z.strictObject({
  ...readOnlyResource,
  location: readOnly,
  tags,
  sku: sku.optional(),
  identity,
  properties: z.strictObject({ ...settingsRequest, holdfast: readOnly }).optional(),
});
export type VaultUpdate = z.infer<typeof vaultUpdate>;

/** Azure's older document of a vault's soft delete; what else is in it says nothing here. */
export const vaultConfigRequest = z.looseObject({
  properties: z.looseObject({
    softDeleteFeatureState: word(['Enabled', 'AlwaysON', 'Disabled']).optional(),
    softDeleteRetentionPeriodInDays: z.number().optional(),
  }),
});

export const vaultRequest = z.strictObject({
  ...readOnlyResource,
  location: z.string().min(1).max(64).default('local'),
  tags,
  sku: sku.optional(),
  identity,
  properties: z
    .strictObject({
      ...settingsRequest,
      holdfast: z
        .strictObject({
          /**
           * Where the vault's store is: a directory, or `s3://BUCKET/PREFIX` or `azblob://ACCOUNT/CONTAINER/PREFIX` with
           * options (docs/stores.md). Default: a directory under the service's home. Fixed at creation.
           */
          storePath: z.string().min(1).max(1024).optional(),
          /** What opens a store on object storage. Never returned. For a vault that is there: takes the place of what it has. */
          storeCredentials: z.record(z.string().max(64), z.string().max(8192)).optional(),
          /** Default: enabled. Fixed at creation. */
          encryption: z
            .strictObject({
              state: z.enum(['Enabled', 'Disabled']).default('Enabled'),
              /** Opens the store as well as the key file and the recovery key do, which are made in any case. */
              passphrase: z.string().max(1024).optional(),
              keyFile: readOnly,
            })
            .optional(),
          storeId: readOnly,
          status: readOnly,
          statusMessage: readOnly,
          protectedItems: readOnly,
          recoveryPoints: readOnly,
          storedBytes: readOnly,
          uniqueBytes: readOnly,
        })
        .optional(),
    })
    .optional(),
});
export type VaultRequest = z.infer<typeof vaultRequest>;

export const vault = z.object({
  ...resource,
  location: z.string(),
  tags: z.record(z.string(), z.string()).optional(),
  sku: z.object({ name: z.string(), tier: z.string().optional() }),
  properties: z.object({
    provisioningState: z.literal('Succeeded'),
    ...vaultSettings,
    securitySettings,
    holdfast: z.object({
      storePath: z.string(),
      storeId: z.string(),
      encryption: z.object({
        state: z.enum(['Enabled', 'Disabled']),
        /** With which the service opens the store by itself. */
        keyFile: z.string().optional(),
        /** Only in the answer to the request that has created the vault; nobody can ask for it again. */
        recoveryKey: z.string().optional(),
      }),
      /** `Locked`: the key file is missing, or is not that of the store. */
      status: z.enum(['Ready', 'Locked', 'Unavailable']),
      statusMessage: z.string().optional(),
      protectedItems: z.number(),
      recoveryPoints: z.number().optional(),
      storedBytes: z.number().optional(),
      uniqueBytes: z.number().optional(),
    }),
  }),
});
export type Vault = z.infer<typeof vault>;
