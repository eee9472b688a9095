/** Holdfast.Fleet/stores: what is under a vault, by the vault's name. */
import { z } from 'zod';
import { resource } from './common.ts';

export const storeRequest = z.strictObject({
  properties: z.strictObject({
    /** Days from one verification of everything to the next; 0: only when asked for; null: the service's default. */
    verifyEveryDays: z.int().min(0).max(3650).nullable(),
  }),
});
export type StoreRequest = z.infer<typeof storeRequest>;

export const verifyStoreRequest = z.strictObject({
  properties: z
    .strictObject({
      /** Most to read in a second. Default: no limit. */
      limitBytesPerSecond: z.int().min(1024).optional(),
    })
    .optional(),
});
export type VerifyStoreRequest = z.infer<typeof verifyStoreRequest>;

export const repairStoreRequest = z.strictObject({
  properties: z
    .strictObject({
      /** Carries the plan out. Default false: it is only made, and shown with the job. */
      execute: z.boolean().optional(),
    })
    .optional(),
});
export type RepairStoreRequest = z.infer<typeof repairStoreRequest>;

export const collectStoreRequest = z.strictObject({
  properties: z
    .strictObject({
      /** Only makes the plan, which is shown with the job. Default false. */
      dryRun: z.boolean().optional(),
      /** Goes on although most recovery points have gone since the last collection. Default false. */
      force: z.boolean().optional(),
    })
    .optional(),
});
export type CollectStoreRequest = z.infer<typeof collectStoreRequest>;

/** Of a vault's own store, or of its replica; none while it is unavailable. */
export const storeFigures = {
  recoveryPoints: z.number().optional(),
  chunks: z.number().optional(),
  packs: z.number().optional(),
  /** Content, each chunk counted once, before compression. */
  uniqueBytes: z.number().optional(),
  storedBytes: z.number().optional(),
  /** Packs that a later collection deletes, and their part of `storedBytes`. */
  condemnedPacks: z.number().optional(),
  condemnedBytes: z.number().optional(),
  /** Packs in which something is known to be damaged. */
  quarantinedPacks: z.number().optional(),
  /** `uniqueBytes` over `storedBytes`. */
  compressionRatio: z.number().optional(),
};

export const store = z.object({
  ...resource,
  location: z.string(),
  properties: z.object({
    vaultId: z.string(),
    storeId: z.string(),
    storePath: z.string(),
    status: z.enum(['Ready', 'Unavailable']),
    statusMessage: z.string().optional(),
    ...storeFigures,
    /** What the points referred to when the store was last verified, over `uniqueBytes`. */
    deduplicationRatio: z.number().optional(),
    verifyEveryDays: z.number(),
    unfinishedVerificationSince: z.string().optional(),
    /** What the last verification that came to its end has found; lists are cut after 50 entries. */
    lastVerification: z
      .object({
        startedAt: z.string(),
        endedAt: z.string(),
        packs: z.number(),
        storedBytes: z.number(),
        points: z.number(),
        referencedBytes: z.number(),
        damagedPackCount: z.number(),
        damagedObjectCount: z.number(),
        damagedPointCount: z.number(),
        damagedPacks: z.array(z.object({ pack: z.string(), message: z.string() })),
        damagedObjects: z.array(z.object({ name: z.string(), message: z.string() })),
        damagedPoints: z.array(
          z.object({
            vm: z.string(),
            pointId: z.string(),
            createdAt: z.string(),
            disks: z.array(
              z.object({
                target: z.string(),
                gapCount: z.number(),
                gapBytes: z.number(),
                gaps: z.array(z.object({ offset: z.number(), length: z.number() })),
                reason: z.string(),
              }),
            ),
          }),
        ),
      })
      .optional(),
    lastCollectedAt: z.string().optional(),
  }),
});
export type Store = z.infer<typeof store>;
