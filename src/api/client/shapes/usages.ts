/** What a vault counts, as Azure's lists of usages show it. */
import { z } from 'zod';

export const usage = z.object({
  unit: z.enum(['Count', 'Bytes']),
  quotaPeriod: z.string().optional(),
  currentValue: z.number(),
  /** -1: none. */
  limit: z.number(),
  name: z.object({ value: z.string(), localizedValue: z.string() }),
});
export type Usage = z.infer<typeof usage>;
