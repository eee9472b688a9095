/** The newest id given by this process. */
let newest = 0;

/**
 * The id of a new recovery point. Azure's names are 14 or 15 decimal digits; ours begin with the time in milliseconds
 * and therefore sort. Of one process they are never the same, however many are asked for at once.
 */
export function newPointId(now: Temporal.Instant): string {
  newest = Math.max(newest + 1, now.epochMilliseconds * 100 + Math.floor(Math.random() * 100));
  return String(newest);
}
