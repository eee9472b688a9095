import {
  type DaysOfMonth,
  months,
  type RetentionRules,
  type Schedule,
  weekdays,
  weeksOfMonth,
} from './policy.ts';
import { startTimeOf } from './policy-document.ts';
import { retentionLimits } from './policy-limits.ts';
import {
  elementsOf,
  type Field,
  fieldsOf,
  integerOf,
  isAbsent,
  quote,
  refuse,
  timeOfDayOf,
  wordOf,
  wordsOf,
} from './reading.ts';

/**
 * Reads `retentionPolicy`. What is wrong in it is noted; a rule with something wrong is left out of the result.
 * @param schedule undefined when it could not be read; then nothing is compared with it
 */
export function readRetention(field: Field, schedule: Schedule | undefined): RetentionRules {
  const at = fieldsOf(field, [
    'retentionPolicyType',
    'dailySchedule',
    'weeklySchedule',
    'monthlySchedule',
    'yearlySchedule',
  ]);
  if (at === undefined) return {};
  wordOf(
    at.retentionPolicyType,
    ['LongTermRetentionPolicy'],
    'Policies of virtual machines have this kind of retention; SimpleRetentionPolicy belongs to other workloads.',
  );
  requireRules(at, schedule);
  const daily = readDaily(at.dailySchedule, schedule);
  const weekly = readWeekly(at.weeklySchedule, schedule);
  const monthly = readMonthly(at.monthlySchedule, schedule);
  const yearly = readYearly(at.yearlySchedule, schedule);
  return {
    ...(daily && { daily }),
    ...(weekly && { weekly }),
    ...(monthly && { monthly }),
    ...(yearly && { yearly }),
  };
}

/** Every point that reaches the vault must have a rule that says until when: that of the schedule's own rhythm. */
function requireRules(
  at: Record<'dailySchedule' | 'weeklySchedule', Field>,
  schedule: Schedule | undefined,
): void {
  if (schedule === undefined) return;
  if (schedule.frequency === 'Weekly') {
    if (isAbsent(at.weeklySchedule))
      refuse(
        at.weeklySchedule,
        'it is missing',
        'a retention in weeks',
        'A weekly schedule needs it: it decides how long its points are kept.',
      );
    if (!isAbsent(at.dailySchedule))
      refuse(
        at.dailySchedule,
        'it has no place here',
        'nothing: leave it out',
        'A weekly schedule makes no daily points.',
      );
  } else if (isAbsent(at.dailySchedule)) {
    refuse(
      at.dailySchedule,
      'it is missing',
      'a retention in days',
      'A daily or hourly schedule needs it: it decides how long the points of ordinary days are kept.',
    );
  }
}

function readDaily(field: Field, schedule: Schedule | undefined): RetentionRules['daily'] {
  const at = ruleOf(field, []);
  if (at === undefined) return undefined;
  const count = readDuration(at, 'Days', schedule);
  return count === undefined ? undefined : { count };
}

function readWeekly(field: Field, schedule: Schedule | undefined): RetentionRules['weekly'] {
  const at = ruleOf(field, ['daysOfTheWeek']);
  if (at === undefined) return undefined;
  const count = readDuration(at, 'Weeks', schedule);
  const days = wordsOf(at.daysOfTheWeek, weekdays, 'The weekly rule marks the points of these days.');
  if (days === undefined) return undefined;
  const missing = schedule?.frequency === 'Weekly' ? schedule.days.filter((day) => !days.includes(day)) : [];
  if (missing.length > 0)
    refuse(
      at.daysOfTheWeek,
      `it leaves out ${missing.join(', ')}`,
      'the days of the schedule',
      'A weekly schedule has no other rule that would say how long the points of those days are kept.',
    );
  refuseUnscheduled(at.daysOfTheWeek, days, schedule);
  return count === undefined ? undefined : { count, days };
}

function readMonthly(field: Field, schedule: Schedule | undefined): RetentionRules['monthly'] {
  const at = ruleOf(field, daysOfMonthKeys);
  if (at === undefined) return undefined;
  const count = readDuration(at, 'Months', schedule);
  const on = readDaysOfMonth(at, schedule);
  return count === undefined || on === undefined ? undefined : { count, on };
}

function readYearly(field: Field, schedule: Schedule | undefined): RetentionRules['yearly'] {
  const at = ruleOf(field, [...daysOfMonthKeys, 'monthsOfYear']);
  if (at === undefined) return undefined;
  const count = readDuration(at, 'Years', schedule);
  const on = readDaysOfMonth(at, schedule);
  const named = wordsOf(at.monthsOfYear, months, 'The yearly rule marks points of these months.');
  if (on?.format === 'Daily' && named !== undefined && !on.lastDay) {
    // A leap year's February: a rule for the 29th marks points, if seldom.
    const longest = Math.max(...named.map((month) => daysInMonth[months.indexOf(month)] as number));
    if (on.days.every((day) => day > longest))
      refuse(
        at.retentionScheduleDaily,
        `no month of ${named.join(', ')} has day ${on.days.join(', ')}`,
        `1 to ${longest}, or the last day`,
        'The rule would never mark a point.',
      );
  }
  return count === undefined || on === undefined || named === undefined
    ? undefined
    : { count, on, months: named };
}

const daysInMonth = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const daysOfMonthKeys = [
  'retentionScheduleFormatType',
  'retentionScheduleDaily',
  'retentionScheduleWeekly',
] as const;

/** The fields of one rule, or undefined when the policy has no such rule. */
function ruleOf<Key extends string>(field: Field, keys: readonly Key[]) {
  return isAbsent(field) ? undefined : fieldsOf(field, ['retentionTimes', 'retentionDuration', ...keys]);
}

function readDuration(
  at: Record<'retentionTimes' | 'retentionDuration', Field>,
  unit: keyof typeof retentionLimits,
  schedule: Schedule | undefined,
): number | undefined {
  if (schedule !== undefined && !isAbsent(at.retentionTimes)) {
    const due = startTimeOf(schedule);
    for (const element of elementsOf(at.retentionTimes, `the schedule's time, ${due}`, sameTime) ?? []) {
      const time = timeOfDayOf(element);
      if (time !== undefined && time !== due)
        refuse(element, `${time} is not the time of the schedule`, due, sameTime);
    }
  }
  const duration = fieldsOf(at.retentionDuration, ['count', 'durationType']);
  if (duration === undefined) return undefined;
  wordOf(duration.durationType, [unit], 'Each rule counts in its own unit.');
  const { least, most } = retentionLimits[unit];
  return integerOf(
    duration.count,
    least,
    most,
    unit === 'Days'
      ? 'Seven days leave time to notice that something is wrong; 9999 points are as many as an item holds.'
      : 'The longest retention is 99 years.',
  );
}

const sameTime = 'A rule makes no backups of its own: it marks those that the schedule makes, at their time.';

function readDaysOfMonth(
  at: Record<(typeof daysOfMonthKeys)[number], Field>,
  schedule: Schedule | undefined,
): DaysOfMonth | undefined {
  const format = wordOf(
    at.retentionScheduleFormatType,
    ['Daily', 'Weekly'],
    'The days are named by their number (Daily) or as weekdays of certain weeks (Weekly).',
  );
  if (format === undefined) return undefined;
  const other = format === 'Daily' ? at.retentionScheduleWeekly : at.retentionScheduleDaily;
  if (!isAbsent(other))
    refuse(
      other,
      'it has no place here',
      'nothing: leave it out',
      `retentionScheduleFormatType is ${format}.`,
    );
  if (format === 'Weekly') return readWeekFormat(at.retentionScheduleWeekly, schedule);
  if (schedule?.frequency === 'Weekly')
    refuse(
      at.retentionScheduleFormatType,
      'days by number do not go with a weekly schedule',
      'Weekly',
      'Most months have no backup on such a day.',
    );
  return readDayFormat(at.retentionScheduleDaily);
}

function readWeekFormat(field: Field, schedule: Schedule | undefined): DaysOfMonth | undefined {
  const at = fieldsOf(field, ['daysOfTheWeek', 'weeksOfTheMonth']);
  if (at === undefined) return undefined;
  const named = wordsOf(at.daysOfTheWeek, weekdays, 'The rule marks the points of these days.');
  if (named !== undefined) refuseUnscheduled(at.daysOfTheWeek, named, schedule);
  const weeks = wordsOf(at.weeksOfTheMonth, weeksOfMonth, 'The rule marks points of these weeks.');
  return named === undefined || weeks === undefined
    ? undefined
    : { format: 'Weekly', weekdays: named, weeks };
}

function readDayFormat(field: Field): DaysOfMonth | undefined {
  const at = fieldsOf(field, ['daysOfTheMonth']);
  const elements = at && elementsOf(at.daysOfTheMonth, 'some of {date: 1 to 31} and {isLast: true}', dayWhy);
  if (elements === undefined) return undefined;
  const days = elements.map(readDay);
  if (days.includes(undefined)) return undefined;
  const numbers = days.filter((day): day is number => typeof day === 'number');
  return {
    format: 'Daily',
    days: [...new Set(numbers)].sort((a, b) => a - b),
    lastDay: days.includes('last'),
  };
}

const dayWhy = 'The rule marks the points of these days; months that lack a day have no point of it.';

function readDay(field: Field): number | 'last' | undefined {
  const at = fieldsOf(field, ['date', 'isLast']);
  if (at === undefined) return undefined;
  const isLast = at.isLast.value ?? false;
  if (typeof isLast !== 'boolean')
    return refuse(at.isLast, `${quote(isLast)} is not allowed`, 'true or false', dayWhy);
  if (!isLast) return integerOf(at.date, 1, 31, dayWhy);
  if (isAbsent(at.date) || at.date.value === 0) return 'last';
  return refuse(
    at.date,
    `${quote(at.date.value)} is not allowed beside isLast`,
    '0, or leave it out',
    dayWhy,
  );
}

/** A rule that marks a day without a backup would promise what it never keeps. */
function refuseUnscheduled(field: Field, days: readonly string[], schedule: Schedule | undefined): void {
  if (schedule?.frequency !== 'Weekly') return;
  const scheduled: readonly string[] = schedule.days;
  const never = days.filter((day) => !scheduled.includes(day));
  if (never.length > 0)
    refuse(
      field,
      `the schedule does not run on ${never.join(', ')}`,
      `some of ${scheduled.join(', ')}`,
      'A rule makes no backups: it marks those that the schedule makes.',
    );
}
