/** Microsoft.RecoveryServices/vaults. */
import { z } from 'zod';
import { resource } from './common.ts';

export const vaultRequest = z.strictObject({
  location: z.string().min(1).max(64).default('local'),
  tags: z.record(z.string().max(512), z.string().max(256)).optional(),
  sku: z.object({ name: z.enum(['RS0', 'Standard']), tier: z.string().optional() }).optional(),
  properties: z
    .strictObject({
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
