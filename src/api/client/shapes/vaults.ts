/** Microsoft.RecoveryServices/vaults. */
import { z } from 'zod';
import { resource } from './common.ts';

/** One of Azure's words, whatever its case. */
const word = <const Words extends readonly string[]>(words: Words) =>
  z.preprocess(
    (given) =>
      words.find((known) => typeof given === 'string' && known.toLowerCase() === given.toLowerCase()) ??
      given,
    z.enum(words),
  );

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
  /** Read-only in Azure; sent back by clients that read, change and write. */
  multiUserAuthorization: z.unknown().optional(),
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

/** Changes what is named; everything else stays. */
export const vaultUpdate = z.strictObject({
  tags,
  properties: z.strictObject({ securitySettings: securityRequest.optional() }).optional(),
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
  location: z.string().min(1).max(64).default('local'),
  tags,
  sku: z.object({ name: z.enum(['RS0', 'Standard']), tier: z.string().optional() }).optional(),
  properties: z
    .strictObject({
      securitySettings: securityRequest.optional(),
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
            })
            .optional(),
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
  sku: z.object({ name: z.string(), tier: z.string() }),
  properties: z.object({
    provisioningState: z.literal('Succeeded'),
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
