import { z } from 'zod';

/** What every ARM resource has. */
export const resource = { id: z.string(), name: z.string(), type: z.string() };

/** The extended zone of its region that something is in; absent: in the region itself. As Azure writes it. */
export const extendedLocation = z.object({ name: z.string(), type: z.literal('EdgeZone') });

export const errorBody = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    target: z.string().optional(),
    /** Where the message tells of several things that are wrong: each by itself, its target as the document names it. */
    details: z
      .array(z.object({ code: z.string(), message: z.string(), target: z.string().optional() }))
      .optional(),
    /** `type: "RecommendedAction"` carries what to do, as `info.action`. */
    additionalInfo: z
      .array(z.object({ type: z.string(), info: z.record(z.string(), z.unknown()) }))
      .optional(),
  }),
});
export type ErrorBody = z.infer<typeof errorBody>;

/** Page of a list; `nextLink` is absolute and present while there is more. */
export const listOf = <T extends z.ZodType>(item: T) =>
  z.object({ value: z.array(item), nextLink: z.string().optional() });
