import { z } from 'zod';

export const subscription = z.object({
  id: z.string(),
  subscriptionId: z.string(),
  displayName: z.string(),
  state: z.literal('Enabled'),
});
export type Subscription = z.infer<typeof subscription>;

export const service = z.object({
  version: z.string(),
  startedAt: z.string(),
  subscriptionId: z.string(),
  home: z.string(),
});
export type Service = z.infer<typeof service>;
