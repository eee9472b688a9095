/** Recovery points and restores. */
import { z } from 'zod';
import { resource } from './common.ts';

export const recoveryPoint = z.object({
  ...resource,
  properties: z.object({
    objectType: z.literal('IaasVMRecoveryPoint'),
    recoveryPointType: z.enum(['AppConsistent', 'FileSystemConsistent', 'CrashConsistent']),
    recoveryPointTime: z.string(),
    recoveryPointAdditionalInfo: z.string(),
    recoveryPointTierDetails: z.array(
      z.object({ type: z.enum(['InstantRP', 'HardenedRP']), status: z.enum(['Valid', 'Deleted']) }),
    ),
    isManagedVirtualMachine: z.literal(true),
    recoveryPointDiskConfiguration: z.object({
      numberOfDisksAttachedToVm: z.number(),
      numberOfDisksIncludedInBackup: z.number(),
      includedDiskList: z.array(z.object({ lun: z.number(), name: z.string() })),
      excludedDiskList: z.array(z.object({ lun: z.number(), name: z.string() })),
    }),
    recoveryPointProperties: z.object({ expiryTime: z.string().optional(), ruleName: z.string().optional() }),
    holdfast: z.object({
      jobId: z.string().optional(),
      /** The vault's second store has it, too, or it alone. */
      inReplica: z.boolean().optional(),
      frozenMs: z.number(),
      powerState: z.string(),
      disks: z.array(
        z.object({
          target: z.string(),
          sizeBytes: z.number(),
          format: z.string(),
          /** Bytes read from the layers, new to the vault, and stored, for this point's transfer. */
          readBytes: z.number().optional(),
          newBytes: z.number().optional(),
          storedBytes: z.number().optional(),
          /** `delta` since an earlier point, or `full` with the reason. */
          basis: z.string().optional(),
        }),
      ),
    }),
  }),
});
export type RecoveryPoint = z.infer<typeof recoveryPoint>;

export const restoreRequest = z.strictObject({
  properties: z.strictObject({
    objectType: z.literal('IaasVMRestoreRequest'),
    /** RestoreDisks: image files in a directory. AlternateLocation: a new VM. */
    recoveryType: z.enum(['RestoreDisks', 'AlternateLocation']),
    recoveryPointId: z.string().optional(),
    sourceResourceId: z.string().optional(),
    region: z.string().optional(),
    /** Absolute directory on the VM's host that receives the image files. Created if missing. */
    storageAccountId: z.string().startsWith('/').max(1024),
    /** AlternateLocation: resource id, or plain name, of the VM to create. */
    targetVirtualMachineId: z.string().max(2048).optional(),
    holdfast: z
      .strictObject({
        /** Default: the format the disk had on the source VM. */
        diskFormat: z.enum(['raw', 'qcow2']).optional(),
        /** Targets to restore; default all. RestoreDisks only. */
        disks: z.array(z.string().max(64)).min(1).max(64).optional(),
        /** Default: the snapshot tier while it is there, else the vault. */
        tier: z.enum(['snapshot', 'vault']).optional(),
        /** Which store of the vault, and no other. Default: its own, and its replica where that fails. */
        from: z.enum(['primary', 'replica']).optional(),
        /** Connect the new VM's network interfaces. Default false. */
        connectNetwork: z.boolean().optional(),
        /** Start the new VM. Default false. */
        start: z.boolean().optional(),
        /** Restore what can be read of a damaged point from the vault; the rest is zeros, and listed. Default false. */
        allowDamaged: z.boolean().optional(),
      })
      .optional(),
  }),
});
export type RestoreRequest = z.infer<typeof restoreRequest>;
