/**
 * The shapes of the REST API, one source for the server's validation, its handlers and its clients. They follow
 * Azure's Microsoft.RecoveryServices and Microsoft.RecoveryServices/vaults/backup* resources; what Azure has no word
 * for is under `holdfast` inside a resource, or under the provider Holdfast.Fleet. Times are ISO 8601 UTC, sizes bytes.
 */
import { z } from 'zod';

/** What every ARM resource has. */
const resource = { id: z.string(), name: z.string(), type: z.string() };

export const errorBody = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    target: z.string().optional(),
    /** `type: "RecommendedAction"` carries what to do, as `info.action`. */
    additionalInfo: z
      .array(z.object({ type: z.string(), info: z.record(z.string(), z.unknown()) }))
      .optional(),
  }),
});
export type ErrorBody = z.infer<typeof errorBody>;

export const subscription = z.object({
  id: z.string(),
  subscriptionId: z.string(),
  displayName: z.string(),
  state: z.literal('Enabled'),
});
export type Subscription = z.infer<typeof subscription>;

// --- Holdfast.Fleet/hosts: libvirt connections ---------------------------------------------------------------

export const hostRequest = z.strictObject({
  location: z.string().min(1).max(64).default('local'),
  properties: z.strictObject({
    /** libvirt connection URI, for example `qemu:///system`. */
    uri: z.string().min(1).max(1024),
    /** Where overlays of block devices are kept; next to the disk for image files. */
    overlayDirectory: z.string().startsWith('/').max(1024).optional(),
  }),
});
export type HostRequest = z.infer<typeof hostRequest>;

export const host = z.object({
  ...resource,
  location: z.string(),
  properties: z.object({
    uri: z.string(),
    overlayDirectory: z.string().optional(),
    status: z.enum(['Connected', 'Unreachable']),
    statusMessage: z.string().optional(),
    hostname: z.string().optional(),
    libvirtVersion: z.string().optional(),
    qemuVersion: z.string().optional(),
    architecture: z.string().optional(),
    virtualMachines: z.number().optional(),
  }),
});
export type Host = z.infer<typeof host>;

// --- Holdfast.Fleet/virtualMachines: what the hosts run ------------------------------------------------------

export const virtualMachine = z.object({
  ...resource,
  location: z.string(),
  properties: z.object({
    vmId: z.string(),
    host: z.string(),
    powerState: z.enum(['running', 'paused', 'shut off', 'crashed', 'other']),
    memoryBytes: z.number(),
    vcpus: z.number(),
    firmware: z.enum(['bios', 'efi']),
    osType: z.string().optional(),
    agent: z.enum(['absent', 'disconnected', 'connected']),
    disks: z.array(
      z.object({
        target: z.string(),
        bus: z.string(),
        type: z.string(),
        format: z.string().optional(),
        sizeBytes: z.number().optional(),
        path: z.string().optional(),
        layers: z.number(),
      }),
    ),
    protection: z.object({
      state: z.enum(['NotProtected', 'Protected', 'ProtectionStopped', 'NotProtectable']),
      vaultId: z.string().optional(),
      itemId: z.string().optional(),
      /** Why it can't be protected; only in the answer for one VM. */
      obstacles: z
        .array(
          z.object({
            code: z.string(),
            disk: z.string().optional(),
            message: z.string(),
            action: z.string(),
          }),
        )
        .optional(),
    }),
  }),
});
export type VirtualMachine = z.infer<typeof virtualMachine>;

// --- Vaults --------------------------------------------------------------------------------------------------

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

// --- Holdfast.Fleet/keys of a vault: what opens its store -----------------------------------------------------

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

const retentionRule = z.object({
  retentionTimes: z.array(z.string()),
  retentionDuration: z.object({
    count: z.number(),
    durationType: z.enum(['Days', 'Weeks', 'Months', 'Years']),
  }),
});

const retentionDays = {
  retentionScheduleFormatType: z.enum(['Daily', 'Weekly']),
  retentionScheduleDaily: z
    .object({ daysOfTheMonth: z.array(z.object({ date: z.number(), isLast: z.boolean() })) })
    .optional(),
  retentionScheduleWeekly: z
    .object({ daysOfTheWeek: z.array(z.string()), weeksOfTheMonth: z.array(z.string()) })
    .optional(),
};

// --- Holdfast.Fleet/replicas: the second store of a vault ------------------------------------------------------

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
    recoveryPoints: z.number().optional(),
    storedBytes: z.number().optional(),
    uniqueBytes: z.number().optional(),
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

// --- Holdfast.Fleet/stores: what is under a vault, by the vault's name ------------------------------------------

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

export const store = z.object({
  ...resource,
  location: z.string(),
  properties: z.object({
    vaultId: z.string(),
    storeId: z.string(),
    storePath: z.string(),
    status: z.enum(['Ready', 'Unavailable']),
    statusMessage: z.string().optional(),
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

export const policy = z.object({
  ...resource,
  properties: z.object({
    backupManagementType: z.literal('AzureIaasVM'),
    policyType: z.enum(['V1', 'V2']),
    instantRpRetentionRangeInDays: z.number(),
    timeZone: z.string(),
    schedulePolicy: z.discriminatedUnion('schedulePolicyType', [
      z.object({
        schedulePolicyType: z.literal('SimpleSchedulePolicy'),
        scheduleRunFrequency: z.enum(['Daily', 'Weekly']),
        scheduleRunDays: z.array(z.string()).optional(),
        scheduleRunTimes: z.array(z.string()),
      }),
      z.object({
        schedulePolicyType: z.literal('SimpleSchedulePolicyV2'),
        scheduleRunFrequency: z.enum(['Hourly', 'Daily', 'Weekly']),
        hourlySchedule: z
          .object({
            interval: z.number(),
            scheduleWindowStartTime: z.string(),
            scheduleWindowDuration: z.number(),
          })
          .optional(),
        dailySchedule: z.object({ scheduleRunTimes: z.array(z.string()) }).optional(),
        weeklySchedule: z
          .object({ scheduleRunDays: z.array(z.string()), scheduleRunTimes: z.array(z.string()) })
          .optional(),
      }),
    ]),
    retentionPolicy: z.object({
      retentionPolicyType: z.literal('LongTermRetentionPolicy'),
      dailySchedule: retentionRule.optional(),
      weeklySchedule: retentionRule.extend({ daysOfTheWeek: z.array(z.string()) }).optional(),
      monthlySchedule: retentionRule.extend(retentionDays).optional(),
      yearlySchedule: retentionRule
        .extend({ monthsOfYear: z.array(z.string()), ...retentionDays })
        .optional(),
    }),
    protectedItemsCount: z.number(),
  }),
});
export type Policy = z.infer<typeof policy>;

// --- Protected items -----------------------------------------------------------------------------------------

export const protectedItemRequest = z.strictObject({
  properties: z.strictObject({
    protectedItemType: z.literal('Microsoft.Compute/virtualMachines'),
    sourceResourceId: z.string().max(2048),
    policyId: z.string().max(2048).optional(),
    protectionState: z.enum(['ProtectionStopped']).optional(),
    friendlyName: z.string().optional(),
    virtualMachineId: z.string().optional(),
    holdfast: z.strictObject({ excludedDisks: z.array(z.string().max(64)).max(64).optional() }).optional(),
  }),
});
export type ProtectedItemRequest = z.infer<typeof protectedItemRequest>;

export const protectedItem = z.object({
  ...resource,
  properties: z.object({
    protectedItemType: z.literal('Microsoft.Compute/virtualMachines'),
    backupManagementType: z.literal('AzureIaasVM'),
    workloadType: z.literal('VM'),
    friendlyName: z.string(),
    containerName: z.string(),
    sourceResourceId: z.string(),
    virtualMachineId: z.string(),
    vaultId: z.string(),
    policyId: z.string().optional(),
    policyName: z.string().optional(),
    protectionState: z.enum(['IRPending', 'Protected', 'ProtectionError', 'ProtectionStopped']),
    /** `Healthy` or `Unhealthy`, then why, where there is a reason. */
    protectionStatus: z.string(),
    lastBackupStatus: z.string(),
    lastBackupTime: z.string(),
    lastRecoveryPoint: z.string().optional(),
    holdfast: z.object({
      vmUuid: z.string(),
      host: z.string(),
      excludedDisks: z.array(z.string()),
      recoveryPoints: z.number(),
      nextBackup: z.string().optional(),
    }),
  }),
});
export type ProtectedItem = z.infer<typeof protectedItem>;

export const backupRequest = z.strictObject({
  properties: z.strictObject({
    objectType: z.literal('IaasVMBackupRequest'),
    recoveryPointExpiryTimeInUTC: z.iso.datetime({ offset: true }).optional(),
  }),
});
export type BackupRequest = z.infer<typeof backupRequest>;

// --- Jobs ----------------------------------------------------------------------------------------------------

export const jobStatus = z.enum([
  'InProgress',
  'Completed',
  'CompletedWithWarnings',
  'Failed',
  'Cancelling',
  'Cancelled',
]);
export type JobStatus = z.infer<typeof jobStatus>;

/** Figures of one task of a job. Counters only ever grow; `totalBytes` is absent until it is known. */
export const taskProgress = z.object({
  processedBytes: z.number(),
  totalBytes: z.number().optional(),
  /** Bytes read from the machine's layers (backup) or from the vault (restore). */
  readBytes: z.number(),
  /** Bytes of content the vault did not have yet, before compression. */
  newBytes: z.number(),
  /** Bytes written to the vault (backup) or to the restored disks (restore). */
  storedBytes: z.number(),
  /** Averaged over the last half minute. */
  bytesPerSecond: z.number().optional(),
  remainingSeconds: z.number().optional(),
});
export type TaskProgress = z.infer<typeof taskProgress>;

export const jobTask = z.object({
  taskId: z.string(),
  status: z.enum(['NotStarted', 'InProgress', 'Completed', 'Failed', 'Skipped', 'Cancelled']),
  startTime: z.string().optional(),
  endTime: z.string().optional(),
  /** ISO 8601 span. */
  duration: z.string().optional(),
  progressPercentage: z.number().optional(),
  holdfast: z.object({ message: z.string().optional(), progress: taskProgress.optional() }).optional(),
});
export type JobTask = z.infer<typeof jobTask>;

export const job = z.object({
  ...resource,
  properties: z.object({
    jobType: z.literal('AzureIaaSVMJob'),
    backupManagementType: z.literal('AzureIaasVM'),
    operation: z.enum([
      'ConfigureBackup',
      'Backup',
      'Restore',
      'DisableBackup',
      'Replicate',
      'VerifyStore',
      'VerifyReplica',
      'RepairStore',
      'CollectStore',
    ]),
    status: jobStatus,
    entityFriendlyName: z.string(),
    containerName: z.string().optional(),
    startTime: z.string(),
    endTime: z.string().optional(),
    duration: z.string(),
    activityId: z.string(),
    isUserTriggered: z.boolean(),
    actionsInfo: z.array(z.literal('Cancellable')).optional(),
    errorDetails: z
      .array(
        z.object({
          errorCode: z.number(),
          errorTitle: z.string(),
          errorString: z.string(),
          recommendations: z.array(z.string()),
        }),
      )
      .optional(),
    /** Only in the answer for one job. */
    extendedInfo: z
      .object({
        tasksList: z.array(jobTask),
        propertyBag: z.record(z.string(), z.string()),
        progressPercentage: z.number().optional(),
        estimatedRemainingDuration: z.string().optional(),
        dynamicErrorMessage: z.string().optional(),
      })
      .optional(),
  }),
});
export type Job = z.infer<typeof job>;

// --- Recovery points and restores ----------------------------------------------------------------------------

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

/** Answer of an operation's status URL (the `Azure-AsyncOperation` header of a 202). */
export const operationStatus = z.object({
  id: z.string(),
  name: z.string(),
  status: z.enum(['InProgress', 'Succeeded', 'Failed', 'Canceled']),
  startTime: z.string(),
  endTime: z.string(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  properties: z
    .object({ objectType: z.literal('OperationStatusJobExtendedInfo'), jobId: z.string() })
    .optional(),
});
export type OperationStatus = z.infer<typeof operationStatus>;

export const service = z.object({
  version: z.string(),
  startedAt: z.string(),
  subscriptionId: z.string(),
  home: z.string(),
});
export type Service = z.infer<typeof service>;

/** Page of a list; `nextLink` is absolute and present while there is more. */
export const listOf = <T extends z.ZodType>(item: T) =>
  z.object({ value: z.array(item), nextLink: z.string().optional() });
