import type { Schedule, Timetable } from './policy.ts';
import { weekdays } from './policy.ts';
import { timeZoneOf } from './time-zones.ts';

/** One occurrence of a schedule. */
export interface ScheduledRun {
  at: Temporal.Instant;
  /** The day on the calendar of the policy's zone that the run belongs to; retention rules go by it. */
  date: Temporal.PlainDate;
  /** Whether no later run belongs to the same day. Of an hourly schedule only this one goes to the vault. */
  lastOfDay: boolean;
}

/**
 * The runs after `from` and up to `to`, in order.
 *
 * A schedule names wall-clock times, and this is how they become moments: a time that a change of the clocks skips
 * runs when the clock has moved on by what it skipped; one that comes twice runs the first time. So each named time
 * of each day runs exactly once. Where a zone skipped a whole day (Samoa, 2011), its runs fall on those of the next
 * day and are one with them.
 */
export function runsBetween(
  timetable: Timetable,
  from: Temporal.Instant,
  to: Temporal.Instant,
): ScheduledRun[] {
  const timeZone = timeZoneOf(timetable);
  // A window reaches into the next day, and a change of the clocks can move a run there: so from the day before.
  const last = dateAt(to, timeZone);
  const byMoment = new Map<bigint, Omit<ScheduledRun, 'lastOfDay'>>();
  for (
    let date = dateAt(from, timeZone).subtract({ days: 1 });
    Temporal.PlainDate.compare(date, last) <= 0;
    date = date.add({ days: 1 })
  ) {
    for (const time of wallClockTimes(timetable.schedule, date)) {
      const at = time.toZonedDateTime(timeZone, { disambiguation: 'compatible' }).toInstant();
      byMoment.set(at.epochNanoseconds, { at, date: time.toPlainDate() });
    }
  }
  const runs = [...byMoment.values()].sort((a, b) => Temporal.Instant.compare(a.at, b.at));
  return runs
    .map((run, i) => ({ ...run, lastOfDay: runs[i + 1]?.date.equals(run.date) !== true }))
    .filter(({ at }) => Temporal.Instant.compare(at, from) > 0 && Temporal.Instant.compare(at, to) <= 0);
}

function wallClockTimes(schedule: Schedule, date: Temporal.PlainDate): Temporal.PlainDateTime[] {
  switch (schedule.frequency) {
    case 'Daily':
      return [date.toPlainDateTime(schedule.time)];
    case 'Weekly':
      return schedule.days.includes(weekdayOf(date)) ? [date.toPlainDateTime(schedule.time)] : [];
    case 'Hourly':
      return hoursOfWindow(schedule).map((hours) =>
        date.toPlainDateTime(schedule.windowStart).add({ hours }),
      );
  }
}

/** Hours after the window's start. Its end counts as inside, unless the next day's window begins there. */
export function hoursOfWindow(schedule: { intervalHours: number; windowHours: number }): number[] {
  const reach = Math.min(schedule.windowHours, 24 - schedule.intervalHours);
  const runs = Math.floor(reach / schedule.intervalHours) + 1;
  return Array.from({ length: runs }, (_, run) => run * schedule.intervalHours);
}

export function weekdayOf(date: Temporal.PlainDate): (typeof weekdays)[number] {
  return weekdays[date.dayOfWeek % 7] as (typeof weekdays)[number];
}

function dateAt(moment: Temporal.Instant, timeZone: string): Temporal.PlainDate {
  return moment.toZonedDateTimeISO(timeZone).toPlainDate();
}

/** Hours to look at for a neighbouring run: a day nearly always, a week and a bit for a weekly schedule. */
const lookHours = [26, 16 * 24];

/** The first run strictly after `after`. */
export function nextRun(timetable: Timetable, after: Temporal.Instant): ScheduledRun {
  for (const hours of lookHours) {
    const [run] = runsBetween(timetable, after, after.add({ hours }));
    if (run !== undefined) return run;
  }
  throw new RangeError(`the schedule ${JSON.stringify(timetable)} never runs`);
}

/** The last run at or before `now`. */
export function previousRun(timetable: Timetable, now: Temporal.Instant): ScheduledRun {
  for (const hours of lookHours) {
    const run = runsBetween(timetable, now.subtract({ hours }), now).at(-1);
    if (run !== undefined) return run;
  }
  throw new RangeError(`the schedule ${JSON.stringify(timetable)} never runs`);
}

/**
 * The run that is due now, or undefined. After an outage only the latest missed one is due: an item runs once, not
 * once for every missed time.
 * @param handledUntil moment up to which runs were started, or the moment protection began
 * @param delayMs how long after each run this item starts; see `startDelayMs`
 */
export function dueRun(
  timetable: Timetable,
  handledUntil: Temporal.Instant,
  now: Temporal.Instant,
  delayMs = 0,
): ScheduledRun | undefined {
  const run = previousRun(timetable, now.subtract({ milliseconds: delayMs }));
  return Temporal.Instant.compare(run.at, handledUntil) > 0 ? run : undefined;
}
