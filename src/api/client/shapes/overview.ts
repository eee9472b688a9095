/** Holdfast.Fleet: what a whole estate looks like, over all its vaults. */
import { z } from 'zod';

/** What somebody should look at, the worst first. */
export const attention = z.object({
  severity: z.enum(['error', 'warning']),
  kind: z.enum([
    'BackupFailed',
    'BackupOverdue',
    'HostUnreachable',
    'VaultNotReady',
    'SoftDeleted',
    // Of the open alerts, those that nothing above tells of.
    'JobFailed',
    'RecoveryPointsDamaged',
    'VerificationOverdue',
    'StoreNearlyFull',
    'GuestNotThawed',
  ]),
  /** What it is about: its name, and its resource id. */
  name: z.string(),
  resourceId: z.string(),
  /** The vault it is in, where it is in one. */
  vaultId: z.string().optional(),
  message: z.string(),
});
export type Attention = z.infer<typeof attention>;

/** Counts of what the caller may see. */
export const overview = z.object({
  time: z.string(),
  hosts: z.object({ total: z.number(), unreachable: z.number() }),
  virtualMachines: z.object({ total: z.number(), protected: z.number(), unprotected: z.number() }),
  protectedItems: z.object({
    total: z.number(),
    /** By `protectionState`; those that are soft-deleted are counted as `SoftDeleted` alone. */
    byState: z.record(z.string(), z.number()),
    failing: z.number(),
  }),
  jobs: z.object({
    /** Jobs that began at or after it are counted. */
    since: z.string(),
    byStatus: z.record(z.string(), z.number()),
  }),
  storage: z.object({
    vaults: z.number(),
    /** Vaults whose store did not say; they are not in the sums. */
    silent: z.number(),
    storedBytes: z.number(),
    uniqueBytes: z.number(),
    recoveryPoints: z.number(),
  }),
  attention: z.array(attention),
  /** How much more there is than `attention` has. */
  moreAttention: z.number(),
});
export type Overview = z.infer<typeof overview>;
