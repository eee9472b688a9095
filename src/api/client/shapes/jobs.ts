/** Backup jobs of a vault. */
import { z } from 'zod';
import { resource } from './common.ts';

export const jobStatus = z.enum([
  'InProgress',
  'Completed',
  'CompletedWithWarnings',
  'Failed',
  'Cancelling',
  'Cancelled',
]);
export type JobStatus = z.infer<typeof jobStatus>;

/** Where the files of an export can be fetched, for a quarter of an hour: each address with its key after it. */
export const jobsExport = z.object({
  statusCode: z.string(),
  headers: z.record(z.string(), z.array(z.string())),
  operation: z.object({
    objectType: z.literal('ExportJobsOperationResultInfo'),
    /** An array of the jobs, as they are listed. */
    blobUrl: z.string(),
    blobSasKey: z.string(),
    /** A table of them: CSV, which spreadsheets read. */
    excelFileBlobUrl: z.string(),
    excelFileBlobSasKey: z.string(),
  }),
});

/** Figures of one task of a job. Counters only ever grow; `totalBytes` is absent until it is known. */
export const taskProgress = z.object({
  processedBytes: z.number(),
  totalBytes: z.number().optional(),
  /** Bytes read from the machine's layers (backup) or from the vault (restore). */
  readBytes: z.number(),
  /**
   * Bytes of chunks that the vault did not have yet, before compression. A chunk is whole and its place in the disk is
   * kept in map pages: many small changes make more of them than was read.
   */
  newBytes: z.number(),
  /** Bytes written to the vault (backup) or to the restored disks (restore). */
  storedBytes: z.number(),
  /** Averaged over the last half minute. */
  bytesPerSecond: z.number().optional(),
  remainingSeconds: z.number().optional(),
  /** Of a backup or restore, how far each disk is; they come one after the other. */
  disks: z
    .array(
      z.object({
        name: z.string(),
        processedBytes: z.number(),
        totalBytes: z.number(),
        bytesPerSecond: z.number().optional(),
        remainingSeconds: z.number().optional(),
      }),
    )
    .optional(),
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
      'DeleteBackupData',
      'Undelete',
      'Purge',
      'Register',
      'UnRegister',
      'Replicate',
      'VerifyStore',
      'VerifyReplica',
      'RepairStore',
      'CollectStore',
      'ModifyPolicy',
      'ExpirePoints',
      'RemoveLayers',
      'RemoveOldJobs',
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
