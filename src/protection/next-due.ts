import type { Timetable } from './policy.ts';
import { dueRun, nextRun, type ScheduledRun } from './schedule.ts';

/** What a look at the schedule of one item comes to. */
export interface ScheduleLook {
  /** The run to start now, if any. */
  start: ScheduledRun | undefined;
  /** Moment up to which runs are dealt with once that one is started. */
  handledUntil: Temporal.Instant;
  /** When to look again: the next run's time with the item's delay. Always after `now`. */
  nextDue: Temporal.Instant;
}

/**
 * Looks at an item's schedule. Only the latest missed run is started. When the clock was set back, or was ahead once,
 * the schedule goes on from now: waiting for the old time to come again could take years.
 * @param delayMs see `startDelayMs`
 */
export function lookAtSchedule(
  timetable: Timetable,
  handledUntil: Temporal.Instant,
  now: Temporal.Instant,
  delayMs: number,
): ScheduleLook {
  const handled = Temporal.Instant.compare(handledUntil, now) > 0 ? now : handledUntil;
  const start = dueRun(timetable, handled, now, delayMs);
  const until = start?.at ?? handled;
  return {
    start,
    handledUntil: until,
    nextDue: nextRun(timetable, until).at.add({ milliseconds: delayMs }),
  };
}
