import { createHash } from 'node:crypto';

/** Azure starts a scheduled backup within two hours of its time; no item waits longer here either. */
export const longestStartWindowMs = 2 * 60 * 60_000;

/** Room for each item's start: at this pace a host or a store is never asked for everything in one second. */
const roomPerItemMs = 10_000;

/**
 * How long the starts of one run are spread: 10 seconds for each item under the policy beyond the first, two hours at
 * most. A single VM starts on time; a thousand do not start at once.
 */
export function startWindowMs(items: number): number {
  return Math.min(longestStartWindowMs, Math.max(0, items - 1) * roomPerItemMs);
}

/**
 * How long after a scheduled time this item starts, from 0 to below `windowMs`. Always the same for the same item, so
 * that the time between its backups is that of the schedule, and evenly spread over items.
 */
export function startDelayMs(itemId: string, windowMs: number): number {
  const fraction = createHash('sha256').update(itemId).digest().readUIntBE(0, 6) / 2 ** 48;
  return Math.floor(fraction * windowMs);
}
