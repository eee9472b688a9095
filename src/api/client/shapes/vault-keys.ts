/** Holdfast.Fleet/keys of a vault: what opens its store. */
import { z } from 'zod';
import { resource } from './common.ts';

export const vaultKeyKinds = ['KeyFile', 'Passphrase', 'RecoveryKey'] as const;

export const vaultKeyRequest = z.strictObject({
  properties: z.strictObject({
    kind: z.enum(vaultKeyKinds),
    label: z.string().max(100).optional(),
    /** Of a passphrase; the others are made by the service. */
    passphrase: z.string().max(1024).optional(),
  }),
});
export type VaultKeyRequest = z.infer<typeof vaultKeyRequest>;

export const vaultKeyUpdate = z.strictObject({ properties: z.strictObject({ label: z.string().max(100) }) });

export const vaultKey = z.object({
  ...resource,
  properties: z.object({
    kind: z.enum(vaultKeyKinds),
    label: z.string(),
    createdAt: z.string(),
    /** Whether it is the one that the service opens the vault with. */
    usedByService: z.boolean(),
    /** What is in the key file, or the recovery key: only in the answer to the request that has made it. */
    secret: z.string().optional(),
  }),
});
export type VaultKey = z.infer<typeof vaultKey>;

export const vaultUnlockRequest = z.strictObject({
  kind: z.enum(vaultKeyKinds),
  /** What is in the key file, the passphrase, or the recovery key in any way of typing it. */
  secret: z.string().min(1).max(4096),
});
export type VaultUnlockRequest = z.infer<typeof vaultUnlockRequest>;
