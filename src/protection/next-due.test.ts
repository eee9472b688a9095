import fc from 'fast-check';
import { expect, it } from 'vitest';
import { lookAtSchedule } from './next-due.ts';
import type { Timetable } from './policy.ts';
import { runsBetween } from './schedule.ts';
import { longestStartWindowMs } from './start-spread.ts';
import { anyMoment, anySchedule, zones } from './testing/arbitraries.ts';

const compare = Temporal.Instant.compare;
const anyDelay = fc.integer({ min: 0, max: longestStartWindowMs });

/** Looks as a scheduler does, whenever `nextDue` has come, and `lateMs` after that. @returns the runs started */
function live(
  timetable: Timetable,
  from: Temporal.Instant,
  to: Temporal.Instant,
  delay: number,
  late: number,
) {
  const started: string[] = [];
  let handled = from;
  let due = lookAtSchedule(timetable, from, from, delay).nextDue;
  while (compare(due, to) <= 0) {
    const now = due.add({ milliseconds: late });
    const look = lookAtSchedule(timetable, handled, now, delay);
    if (look.start !== undefined) started.push(`${look.start.at}`);
    handled = look.handledUntil;
    due = look.nextDue;
  }
  return started;
}

it('starts every run of a schedule once, in any zone, over changes of the clocks', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      anySchedule,
      anyMoment,
      anyDelay,
      fc.integer({ min: 0, max: 60_000 }),
      (timeZone, schedule, from, delay, late) => {
        const timetable = { timeZone, schedule };
        const to = from.add({ hours: 24 * 21 });
        const expected = runsBetween(timetable, from, to.subtract({ milliseconds: delay }));
        expect(live(timetable, from, to, delay, late)).toEqual(expected.map((run) => `${run.at}`));
      },
    ),
    { numRuns: 150 },
  );
});

it('starts every run of the year in which a zone changes its clocks, in every zone there is', () => {
  const from = Temporal.Instant.from('2026-01-01T00:00:00Z');
  for (const timeZone of zones) {
    const changes = clockChanges(timeZone, from, from.add({ hours: 24 * 366 }));
    for (const change of changes) {
      const local = change.subtract({ minutes: 30 }).toZonedDateTimeISO(timeZone).toPlainTime();
      const timetable: Timetable = {
        timeZone,
        schedule: { frequency: 'Daily', time: local.toString({ smallestUnit: 'minute' }) },
      };
      const [start, end] = [change.subtract({ hours: 72 }), change.add({ hours: 72 })];
      const started = live(timetable, start, end, 1234, 0);
      // One for each day on the calendar.
      const days = started.map(
        (at) => `${Temporal.Instant.from(at).toZonedDateTimeISO(timeZone).toPlainDate()}`,
      );
      expect(new Set(days).size, timeZone).toBe(days.length);
      expect([5, 6], timeZone).toContain(days.length);
    }
  }
});

function clockChanges(timeZone: string, from: Temporal.Instant, to: Temporal.Instant): Temporal.Instant[] {
  const changes: Temporal.Instant[] = [];
  let at = from.toZonedDateTimeISO(timeZone).getTimeZoneTransition('next');
  while (at !== null && compare(at.toInstant(), to) < 0) {
    changes.push(at.toInstant());
    at = at.getTimeZoneTransition('next');
  }
  return changes;
}

it('starts one run after an outage, and always has a next time that is still to come', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      anySchedule,
      anyMoment,
      anyDelay,
      fc.integer({ min: -400 * 24, max: 400 * 24 }),
      (timeZone, schedule, now, delay, hours) => {
        const timetable = { timeZone, schedule };
        const look = lookAtSchedule(timetable, now.subtract({ hours }), now, delay);
        expect(compare(look.nextDue, now)).toBe(1);
        expect(compare(look.handledUntil, now)).toBeLessThanOrEqual(0);
        const again = lookAtSchedule(timetable, look.handledUntil, now, delay);
        expect(again).toEqual({ ...look, start: undefined });
      },
    ),
    { numRuns: 200 },
  );
});
