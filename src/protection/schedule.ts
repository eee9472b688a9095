import type { DailySchedule } from './policy.ts';

/**
 * The moment the schedule means on `date`. A wall-clock time that daylight saving skips runs when the clock has moved
 * on; one that comes twice runs the first time.
 */
function occurrenceOn(schedule: DailySchedule, date: Temporal.PlainDate): Temporal.Instant {
  return date
    .toPlainDateTime(Temporal.PlainTime.from(schedule.time))
    .toZonedDateTime(schedule.timeZone, { disambiguation: 'compatible' })
    .toInstant();
}

/** The first occurrence strictly after `after`. */
export function nextRun(schedule: DailySchedule, after: Temporal.Instant): Temporal.Instant {
  let date = after.toZonedDateTimeISO(schedule.timeZone).toPlainDate();
  for (;;) {
    const run = occurrenceOn(schedule, date);
    if (Temporal.Instant.compare(run, after) > 0) return run;
    date = date.add({ days: 1 });
  }
}

/** The last occurrence at or before `now`. */
export function previousRun(schedule: DailySchedule, now: Temporal.Instant): Temporal.Instant {
  let date = now.toZonedDateTimeISO(schedule.timeZone).toPlainDate();
  for (;;) {
    const run = occurrenceOn(schedule, date);
    if (Temporal.Instant.compare(run, now) <= 0) return run;
    date = date.subtract({ days: 1 });
  }
}

/**
 * The occurrence that is due now, or undefined. After an outage only the latest missed one is due: an item runs once,
 * not once for every missed time.
 * @param handledUntil moment up to which occurrences were run, or the moment protection began
 */
export function dueRun(
  schedule: DailySchedule,
  handledUntil: Temporal.Instant,
  now: Temporal.Instant,
): Temporal.Instant | undefined {
  const run = previousRun(schedule, now);
  return Temporal.Instant.compare(run, handledUntil) > 0 ? run : undefined;
}
