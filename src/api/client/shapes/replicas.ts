/** Holdfast.Fleet/replicas: the second store of a vault. */
import { z } from 'zod';
import { resource } from './common.ts';
import { storeFigures } from './stores.ts';
import { vaultUnlockRequest } from './vault-keys.ts';

/** `Follow`: a point goes when its time is over and the vault has given it up. `Keep`: whatever count or days keep. */
const replicaRetention = z.discriminatedUnion('mode', [
  z.strictObject({ mode: z.literal('Follow') }),
  z
    .strictObject({
      mode: z.literal('Keep'),
      /** Newest points of each VM. */
      count: z.number().int().min(1).max(9999).optional(),
      /** Points younger than this. */
      days: z.number().int().min(1).max(36_159).optional(),
    })
    .refine(({ count, days }) => count !== undefined || days !== undefined, 'count or days is needed'),
]);

export const replicaRequest = z.strictObject({
  properties: z.strictObject({
    /** Where the second store is, as a vault's `storePath`. Needed when it is set up, and fixed then. */
    storePath: z.string().min(1).max(1024).optional(),
    /** What opens a store on object storage. Never returned. Later: takes the place of what it has. */
    storeCredentials: z.record(z.string().max(64), z.string().max(8192)).optional(),
    /** As of a vault; fixed when a store is made. One that is taken over is as it is. */
    encryption: z
      .strictObject({
        state: z.enum(['Enabled', 'Disabled']).default('Enabled'),
        passphrase: z.string().max(1024).optional(),
      })
      .optional(),
    /** Opens an encrypted store that is taken over and whose key file the service does not have. */
    unlock: vaultUnlockRequest.optional(),
    /** Default: `Follow`. */
    retention: replicaRetention.optional(),
    /** Most to read from the vault's store in a second; null: no limit. */
    bytesPerSecond: z.number().int().min(1024).nullable().optional(),
  }),
});
export type ReplicaRequest = z.infer<typeof replicaRequest>;

export const replicaSyncRequest = z.strictObject({
  properties: z.strictObject({
    /** Removes even most of the replica's points at once, when their time is over. */
    force: z.boolean().optional(),
  }),
});
export type ReplicaSyncRequest = z.infer<typeof replicaSyncRequest>;

export const replica = z.object({
  ...resource,
  properties: z.object({
    storePath: z.string(),
    storeId: z.string(),
    encryption: z.object({
      state: z.enum(['Enabled', 'Disabled']),
      /** With which the service opens the store by itself. */
      keyFile: z.string().optional(),
      /** Only in the answer to the request that has made the store; nobody can ask for it again. */
      recoveryKey: z.string().optional(),
    }),
    /** `Locked`: the key file is missing, or is not that of the store. */
    status: z.enum(['Ready', 'Locked', 'Unavailable']),
    statusMessage: z.string().optional(),
    retention: replicaRetention,
    bytesPerSecond: z.number().optional(),
    ...storeFigures,
    /** Of one that was stopped, or is under way: when it began. */
    unfinishedVerificationSince: z.string().optional(),
    /** What has not been replicated yet. */
    lag: z.object({
      recoveryPoints: z.number(),
      /** Content that was new to the vault with them: about what is to be sent. */
      bytes: z.number(),
      /** When the oldest of them was taken. */
      since: z.string().optional(),
    }),
    /** Of the replication that is under way. */
    jobId: z.string().optional(),
    /** When the last replication ended, and when one last ended with nothing left to do. */
    lastAttemptTime: z.string().optional(),
    lastCompletedTime: z.string().optional(),
    /** When everything in it was last read and checked to the end. */
    lastVerifiedTime: z.string().optional(),
    /** What went wrong in the last one. */
    lastError: z.object({ code: z.string(), message: z.string(), action: z.string() }).optional(),
  }),
});
export type Replica = z.infer<typeof replica>;
