/** Recovery points and restores. */
import { z } from 'zod';
import { resource } from './common.ts';
import { notOffered } from './requests.ts';

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
    recoveryPointProperties: z.object({
      /** Absent while nothing but deleting the item's data, or its purge, ends the point. */
      expiryTime: z.string().optional(),
      ruleName: z.string().optional(),
      isSoftDeleted: z.boolean().optional(),
    }),
    holdfast: z.object({
      jobId: z.string().optional(),
      /** The vault's second store has it, too, or it alone. */
      inReplica: z.boolean().optional(),
      /** What the VM had before a restore replaced its disks. */
      isBeforeRestore: z.boolean().optional(),
      /**
       * What ends the point: its expiry; its removal, when it is soft-deleted; the purge of its item, when that is; or,
       * where protection is stopped, nothing but deleting the data.
       */
      keptUntil: z.enum(['expiry', 'removal', 'purge', 'deletion']),
      /** When it will be removed, or purged with its item. */
      removalTime: z.string().optional(),
      /** The last verification found that it can't be restored in full. */
      damaged: z.boolean().optional(),
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

/** Keeps a point until a later date. */
export const recoveryPointUpdate = z.strictObject({
  properties: z.strictObject({ expiryTime: z.iso.datetime({ offset: true }) }),
});
export type RecoveryPointUpdate = z.infer<typeof recoveryPointUpdate>;

export const restoreRequest = z.strictObject({
  properties: z.strictObject({
    objectType: z.literal('IaasVMRestoreRequest', {
      error: 'only IaasVMRestoreRequest is offered: there is no archive tier to bring anything back from',
    }),
    /**
     * RestoreDisks: image files in a directory. AlternateLocation: a new VM. OriginalLocation: the disks of the VM, which
     * has to be off; what they had stays as a recovery point. Offline is not offered.
     */
    recoveryType: z.enum(['RestoreDisks', 'AlternateLocation', 'OriginalLocation', 'Offline']),
    recoveryPointId: z.string().max(2048).optional(),
    sourceResourceId: z.string().max(2048).optional(),
    region: z.string().max(64).optional(),
    /**
     * Where the image files go: the ARM id `…/Microsoft.Storage/storageAccounts/{storage pool of libvirt}`, or an absolute
     * directory on the VM's host under a restore root of the service. Created if missing. OriginalLocation stages nothing,
     * and does not look at it.
     */
    storageAccountId: z.string().min(1).max(2048).optional(),
    /** AlternateLocation: resource id, or plain name, of the VM to create. */
    targetVirtualMachineId: z.string().max(2048).optional(),
    /** Resource group of the new VM: that of the source's host. */
    targetResourceGroupId: z.string().max(2048).optional(),
    /** Connects the new VM to this network: ARM id `…/Microsoft.Network/virtualNetworks/{network of libvirt}`. */
    virtualNetworkId: z.string().max(2048).optional(),
    /** A subnet of `virtualNetworkId`; libvirt's networks have but one. */
    subnetId: z.string().max(2048).optional(),
    /** Some disks only: -1 is the first disk, 0 the next; an empty list is the first alone. RestoreDisks only. */
    restoreDiskLunList: z.array(z.int().min(-1).max(1024)).max(256).optional(),
    /** Both mean the same here: there is but one kind of disk. */
    restoreWithManagedDisks: z.boolean().optional(),
    /** Says nothing of a VM that is no cloud service; azure-cli always sends true. */
    createNewCloudService: z.boolean().optional(),
    originalStorageAccountOption: z
      .literal(false, { error: 'name where to restore to in storageAccountId' })
      .optional(),
    encryptionDetails: z
      .strictObject({ encryptionEnabled: z.literal(false, { error: 'restored images are not encrypted' }) })
      .nullable()
      .optional(),
    zones: z.array(z.never(), { error: 'a new VM is on the host of its source' }).nullable().optional(),
    affinityGroup: notOffered('there are no affinity groups'),
    targetDomainNameId: notOffered('there are no cloud services'),
    diskEncryptionSetId: notOffered('restored images are not encrypted'),
    extendedLocation: notOffered('a new VM is on the host of its source'),
    identityInfo: notOffered('the service writes as itself'),
    identityBasedRestoreDetails: notOffered('the service writes as itself'),
    securedVMDetails: notOffered('the new VM is as secure as its source'),
    targetDiskNetworkAccessSettings: notOffered('images are not reached over a network'),
    resourceGuardOperationRequests: z
      .array(z.never(), { error: 'there are no resource guards' })
      .nullable()
      .optional(),
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
        /** Run the new VM from the vault at once, and copy its disks while it runs. Needs `start`. Default false. */
        live: z.boolean().optional(),
        /** Restore what can be read of a damaged point from the vault; the rest is zeros, and listed. Default false. */
        allowDamaged: z.boolean().optional(),
      })
      .optional(),
  }),
});
export type RestoreRequest = z.infer<typeof restoreRequest>;
