import { z } from 'zod';

export const service = z.object({
  version: z.string(),
  startedAt: z.string(),
  subscriptionId: z.string(),
  home: z.string(),
});
export type Service = z.infer<typeof service>;
