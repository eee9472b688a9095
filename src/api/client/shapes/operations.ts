import { z } from 'zod';

/** Answer of an operation's status URL (the `Azure-AsyncOperation` header of a 202). */
export const operationStatus = z.object({
  id: z.string(),
  name: z.string(),
  status: z.enum(['InProgress', 'Succeeded', 'Failed', 'Canceled']),
  startTime: z.string(),
  endTime: z.string(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  /** `OperationStatusJobExtendedInfo` names its job, `OperationStatusJobsExtendedInfo` several. */
  properties: z
    .looseObject({
      objectType: z.string(),
      jobId: z.string().optional(),
      jobIds: z.array(z.string()).optional(),
      /** The code of each that failed, by its job. */
      failedJobsError: z.record(z.string(), z.string()).optional(),
    })
    .optional(),
});
export type OperationStatus = z.infer<typeof operationStatus>;
