import { z } from 'zod';

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
