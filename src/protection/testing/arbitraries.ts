/** Random but valid input for the property tests of the rules. */
import fc from 'fast-check';
import {
  type BackupPolicy,
  type DaysOfMonth,
  months,
  type RetentionRules,
  type Schedule,
  weekdays,
  weeksOfMonth,
} from '../policy.ts';
import { instantDaysOf, retentionLimits } from '../policy-limits.ts';

export const zones = Intl.supportedValuesOf('timeZone');

/** Moments of the decades in which zones change their clocks by rule. */
export const anyMoment = fc
  .integer({ min: 0, max: 2_500_000_000 })
  .map((seconds) => Temporal.Instant.fromEpochMilliseconds(seconds * 1000));

const two = (n: number) => String(n).padStart(2, '0');
const timeOfDay = (latestHour: number) =>
  fc
    .tuple(fc.integer({ min: 0, max: latestHour }), fc.integer({ min: 0, max: 59 }))
    .map(([hour, minute]) => `${two(hour)}:${two(minute)}`);
const some = <T>(words: readonly T[]) => fc.subarray([...words], { minLength: 1 });

export const anySchedule: fc.Arbitrary<Schedule> = fc.oneof(
  timeOfDay(23).map((time) => ({ frequency: 'Daily' as const, time })),
  fc
    .tuple(some(weekdays), timeOfDay(23))
    .map(([days, time]) => ({ frequency: 'Weekly' as const, days, time })),
  fc
    .tuple(timeOfDay(18), fc.constantFrom(4, 6, 8, 12, 24), fc.integer({ min: 4, max: 24 }))
    .map(([windowStart, intervalHours, window]) => ({
      frequency: 'Hourly' as const,
      windowStart,
      intervalHours,
      windowHours: Math.max(intervalHours, window),
    })),
);

const countOf = (unit: keyof typeof retentionLimits, most = retentionLimits[unit].most) =>
  fc.integer({ min: retentionLimits[unit].least, max: most });

function daysOfMonth(schedule: Schedule): fc.Arbitrary<DaysOfMonth> {
  const weekly = fc
    .tuple(some(schedule.frequency === 'Weekly' ? schedule.days : weekdays), some(weeksOfMonth))
    .map(([days, weeks]) => ({ format: 'Weekly' as const, weekdays: days, weeks }));
  const daily = fc
    .tuple(fc.uniqueArray(fc.integer({ min: 1, max: 28 }), { minLength: 1, maxLength: 5 }), fc.boolean())
    .map(([days, lastDay]) => ({
      format: 'Daily' as const,
      days: days.toSorted((a, b) => a - b),
      lastDay,
    }));
  return schedule.frequency === 'Weekly' ? weekly : fc.oneof(weekly, daily);
}

/** @param most longest retentions, so that a history need not be centuries long to see them end */
export function anyRetention(
  schedule: Schedule,
  most = { days: 9999, weeks: 5163, months: 1188, years: 99 },
): fc.Arbitrary<RetentionRules> {
  const on = daysOfMonth(schedule);
  const monthly = fc.record({ count: countOf('Months', most.months), on });
  const yearly = fc.record({ count: countOf('Years', most.years), on, months: some(months) });
  const own: fc.Arbitrary<RetentionRules> =
    schedule.frequency === 'Weekly'
      ? countOf('Weeks', most.weeks).map((count) => ({ weekly: { count, days: schedule.days } }))
      : fc
          .tuple(
            countOf('Days', most.days),
            fc.option(fc.record({ count: countOf('Weeks', most.weeks), days: some(weekdays) }), {
              nil: undefined,
            }),
          )
          .map(([count, weekly]) => ({ daily: { count }, ...(weekly && { weekly }) }));
  return fc
    .tuple(own, fc.option(monthly, { nil: undefined }), fc.option(yearly, { nil: undefined }))
    .map(([rules, month, year]) => ({
      ...rules,
      ...(month && { monthly: month }),
      ...(year && { yearly: year }),
    }));
}

export function anyPolicy(
  options: { schedule?: fc.Arbitrary<Schedule>; most?: Parameters<typeof anyRetention>[1] } = {},
): fc.Arbitrary<BackupPolicy> {
  return (options.schedule ?? anySchedule).chain((schedule) =>
    fc
      .record({
        policyType:
          schedule.frequency === 'Hourly' ? fc.constant('V2' as const) : fc.constantFrom('V1', 'V2'),
        timeZone: fc.constantFrom(...zones),
        retention: anyRetention(schedule, options.most),
        day: fc.nat(),
        crash: fc.boolean(),
      })
      .map(({ policyType, timeZone, retention, day, crash }) => {
        const { least, most } = instantDaysOf(policyType, schedule);
        const kept = retention.daily?.count ?? (retention.weekly?.count ?? 1) * 7;
        return {
          name: 'AnyPolicy',
          policyType,
          timeZone,
          schedule,
          retention,
          instantRetentionDays: least + (day % (Math.min(most, kept) - least + 1)),
          ...(crash && policyType === 'V2' && { snapshotConsistencyType: 'OnlyCrashConsistent' as const }),
        };
      }),
  );
}
