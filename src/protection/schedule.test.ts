import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HourlySchedule, Schedule, Timetable } from './policy.ts';
import { dueRun, hoursOfWindow, nextRun, previousRun, runsBetween, weekdayOf } from './schedule.ts';
import { anyMoment, anySchedule, zones } from './testing/arbitraries.ts';

const at = (text: string) => Temporal.Instant.from(text);
const berlin: Timetable = { timeZone: 'Europe/Berlin', schedule: { frequency: 'Daily', time: '02:30' } };
const runs = (timetable: Timetable, from: string, to: string) =>
  runsBetween(timetable, at(from), at(to)).map((run) => run.at.toString());

const hourly = (windowStart: string, intervalHours: number, windowHours: number): HourlySchedule => ({
  frequency: 'Hourly',
  windowStart,
  intervalHours,
  windowHours,
});

describe('at changes of the clocks', () => {
  it('runs once on the day they go forward, when the skipped time would have come', () => {
    expect(runs(berlin, '2026-03-28T12:00:00Z', '2026-03-30T12:00:00Z')).toEqual([
      '2026-03-29T01:30:00Z',
      '2026-03-30T00:30:00Z',
    ]);
  });

  it('runs once on the day they go back, at the first of the two times', () => {
    expect(runs(berlin, '2026-10-24T12:00:00Z', '2026-10-26T12:00:00Z')).toEqual([
      '2026-10-25T00:30:00Z',
      '2026-10-26T01:30:00Z',
    ]);
  });

  it('does so in a zone named as Windows names it, that moves by half an hour, and that moves at midnight', () => {
    const daily = (timeZone: string, time: string) => ({
      timeZone,
      schedule: { frequency: 'Daily', time } as const,
    });
    const pacific = daily('pacific standard time', '02:30');
    expect(runs(pacific, '2026-03-08T00:00:00Z', '2026-03-09T12:00:00Z')).toEqual([
      '2026-03-08T10:30:00Z',
      '2026-03-09T09:30:00Z',
    ]);
    const lordHowe = daily('Australia/Lord_Howe', '02:15');
    expect(runs(lordHowe, '2026-10-02T20:00:00Z', '2026-10-04T20:00:00Z')).toEqual([
      '2026-10-03T15:45:00Z',
      '2026-10-04T15:15:00Z',
    ]);
    // In Nuuk 23:00 on a Saturday is followed by 00:00 on Sunday.
    const nuuk = runsBetween(
      daily('America/Nuuk', '23:30'),
      at('2026-03-28T12:00:00Z'),
      at('2026-03-30T12:00:00Z'),
    );
    expect(nuuk.map((run) => `${run.date} ${run.at}`)).toEqual([
      '2026-03-28 2026-03-29T01:30:00Z',
      '2026-03-29 2026-03-30T00:30:00Z',
    ]);
  });

  it('finds a run that was moved into the day that is looked at', () => {
    const nuuk: Timetable = { timeZone: 'America/Nuuk', schedule: { frequency: 'Daily', time: '23:30' } };
    const run = {
      at: at('2026-03-29T01:30:00Z'),
      date: Temporal.PlainDate.from('2026-03-28'),
      lastOfDay: true,
    };
    expect(nextRun(nuuk, at('2026-03-29T01:15:00Z'))).toEqual(run);
    expect(previousRun(nuuk, at('2026-03-29T01:45:00Z'))).toEqual(run);
  });

  it('runs neither twice nor never around a day that a zone left out', () => {
    const apia = (schedule: Schedule): Timetable => ({ timeZone: 'Pacific/Apia', schedule });
    const span = ['2011-12-29T00:00:00Z', '2012-01-02T00:00:00Z'] as const;
    expect(runs(apia({ frequency: 'Daily', time: '20:00' }), ...span)).toEqual([
      '2011-12-29T06:00:00Z',
      '2011-12-30T06:00:00Z',
      '2011-12-31T06:00:00Z',
      '2012-01-01T06:00:00Z',
    ]);
    // The day left out was a Friday.
    expect(runs(apia({ frequency: 'Weekly', days: ['Friday'], time: '20:00' }), ...span)).toHaveLength(1);
    expect(runs(apia(hourly('08:00', 4, 24)), ...span)).toHaveLength(24);
  });
});

describe('hourly schedules', () => {
  it.each([
    [4, 24, [0, 4, 8, 12, 16, 20]],
    [4, 23, [0, 4, 8, 12, 16, 20]],
    [4, 12, [0, 4, 8, 12]],
    [4, 11, [0, 4, 8]],
    [4, 4, [0, 4]],
    [6, 24, [0, 6, 12, 18]],
    [8, 24, [0, 8, 16]],
    [12, 24, [0, 12]],
    [12, 12, [0, 12]],
    [24, 24, [0]],
  ])('runs every %d hours in a window of %d hours', (intervalHours, windowHours, expected) => {
    expect(hoursOfWindow({ intervalHours, windowHours })).toEqual(expected);
  });

  it('counts the last run of the calendar day as its last, though the window goes on', () => {
    const found = runsBetween(
      { timeZone: 'UTC', schedule: hourly('08:00', 4, 24) },
      at('2026-01-01T00:00:00Z'),
      at('2026-01-02T04:00:00Z'),
    );
    expect(found.map((run) => `${run.at.toString().slice(8, 13)}${run.lastOfDay ? ' last' : ''}`)).toEqual([
      '01T04',
      '01T08',
      '01T12',
      '01T16',
      '01T20 last',
      '02T00',
      '02T04',
    ]);
  });
});

describe('weekly schedules', () => {
  it('runs on the named days only', () => {
    const timetable: Timetable = {
      timeZone: 'UTC',
      schedule: { frequency: 'Weekly', days: ['Sunday', 'Wednesday'], time: '20:00' },
    };
    expect(runs(timetable, '2026-01-01T00:00:00Z', '2026-01-12T00:00:00Z')).toEqual([
      '2026-01-04T20:00:00Z',
      '2026-01-07T20:00:00Z',
      '2026-01-11T20:00:00Z',
    ]);
  });
});

describe('what is due', () => {
  it('is the latest missed run after an outage, once', () => {
    const handled = at('2026-01-01T12:00:00Z');
    const now = at('2026-01-20T12:00:00Z');
    const due = dueRun(berlin, handled, now);
    expect(due?.at.toString()).toBe('2026-01-20T01:30:00Z');
    expect(due && dueRun(berlin, due.at, now)).toBeUndefined();
  });

  it('is a run from its very moment on, until it has been handled', () => {
    const run = at('2026-01-02T01:30:00Z');
    const early = run.subtract({ nanoseconds: 1 });
    expect(dueRun(berlin, at('2026-01-01T12:00:00Z'), early)).toBeUndefined();
    expect(dueRun(berlin, at('2026-01-01T12:00:00Z'), run)?.at).toEqual(run);
    expect(dueRun(berlin, early, run)?.at).toEqual(run);
    expect(dueRun(berlin, run, run)).toBeUndefined();
  });

  it('waits for the start of the item, and is not lost meanwhile', () => {
    const handled = at('2026-01-01T12:00:00Z');
    const delayMs = 90 * 60_000;
    expect(dueRun(berlin, handled, at('2026-01-02T02:59:59.999Z'), delayMs)).toBeUndefined();
    expect(dueRun(berlin, handled, at('2026-01-02T03:00:00Z'), delayMs)?.at.toString()).toBe(
      '2026-01-02T01:30:00Z',
    );
  });
});

describe('in any zone', () => {
  it('runs each named time of each day exactly once over a change of the clocks', () => {
    fc.assert(
      fc.property(fc.constantFrom(...zones), anySchedule, anyMoment, (timeZone, schedule, start) => {
        const zoned = start.toZonedDateTimeISO(timeZone);
        const change = zoned.getTimeZoneTransition('next') ?? zoned;
        const from = change.subtract({ days: 12 }).toInstant();
        const found = runsBetween({ timeZone, schedule }, from, change.add({ days: 12 }).toInstant());
        for (let days = -9; days <= 9; days += 1) {
          const date = change.toPlainDate().add({ days });
          const exists = date.toZonedDateTime(timeZone).toPlainDate().equals(date);
          const ofDay = found.filter((run) => run.date.equals(date));
          expect(ofDay).toHaveLength(exists ? timesOn(schedule, date) : movedTo(schedule, date));
          expect(ofDay.map((run) => run.lastOfDay)).toEqual(ofDay.map((_, i) => i === ofDay.length - 1));
        }
        // Off the clock are only those that the change itself skipped.
        const off = found.filter((run) => !showsNamedTime(run.at.toZonedDateTimeISO(timeZone), schedule));
        for (const run of off)
          expect(Math.abs(run.at.epochMilliseconds - change.epochMilliseconds)).toBeLessThan(24 * 3_600_000);
      }),
      { numRuns: 300 },
    );
  });

  it('has a next run after each run and comes back from it, with no gap longer than the schedule has', () => {
    fc.assert(
      fc.property(fc.constantFrom(...zones), anySchedule, anyMoment, (timeZone, schedule, after) => {
        const timetable = { timeZone, schedule };
        const next = nextRun(timetable, after);
        expect(Temporal.Instant.compare(next.at, after)).toBe(1);
        expect(previousRun(timetable, next.at)).toEqual(next);
        const following = nextRun(timetable, next.at);
        const hours = next.at.until(following.at).total('hours');
        expect(hours).toBeGreaterThan(0);
        expect(hours).toBeLessThanOrEqual((schedule.frequency === 'Weekly' ? 7 * 24 : 24) + 3 + 24);
        expect(runsBetween(timetable, after, following.at).map((run) => run.at.toString())).toEqual([
          next.at.toString(),
          following.at.toString(),
        ]);
      }),
      { numRuns: 300 },
    );
  });
});

/** How many runs the schedule names for a day of the calendar; said without asking for any moment. */
function timesOn(schedule: Schedule, date: Temporal.PlainDate): number {
  if (schedule.frequency === 'Daily') return 1;
  if (schedule.frequency === 'Weekly') return schedule.days.includes(weekdayOf(date)) ? 1 : 0;
  return hoursOfWindow(schedule).length; // what a window leaves to the next day, it gets from the day before
}

/** A day that a zone left out gives its runs to the next day: one more there if that has none of its own. */
function movedTo(schedule: Schedule, date: Temporal.PlainDate): number {
  return schedule.frequency === 'Weekly' && timesOn(schedule, date.add({ days: 1 })) === 0
    ? timesOn(schedule, date)
    : 0;
}

function showsNamedTime(moment: Temporal.ZonedDateTime, schedule: Schedule): boolean {
  if (schedule.frequency !== 'Hourly') return moment.toPlainTime().equals(schedule.time);
  const start = Temporal.PlainTime.from(schedule.windowStart);
  return hoursOfWindow(schedule).some((hours) => moment.toPlainTime().equals(start.add({ hours })));
}
