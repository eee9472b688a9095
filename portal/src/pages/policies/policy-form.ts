import type { Policy } from '../../../../src/api/client/browser.ts';

/** What stands in the fields of the editor, as it was typed: the service reads it, and says what is wrong with it. */
export interface PolicyForm {
  policyType: 'V1' | 'V2';
  frequency: 'Hourly' | 'Daily' | 'Weekly';
  /** `HH:MM`; of an hourly schedule the start of its window. */
  time: string;
  /** Of a weekly schedule. */
  days: readonly string[];
  intervalHours: string;
  windowHours: string;
  timeZone: string;
  instantDays: string;
  crashConsistent: boolean;
  dailyCount: string;
  weekly: { isOn: boolean; count: string; days: readonly string[] };
  monthly: MonthRule;
  yearly: MonthRule & { months: readonly string[] };
}

export interface MonthRule {
  isOn: boolean;
  count: string;
  /** Days by number, or weekdays of certain weeks. */
  format: 'Daily' | 'Weekly';
  /** `1` to `31`, and {@link lastDay}. */
  dates: readonly string[];
  weekdays: readonly string[];
  weeks: readonly string[];
}

export const lastDay = 'Last';

/** What Azure's portal begins a rule with that is switched on. */
const firstMonthRule = { format: 'Weekly', dates: ['1'], weekdays: ['Sunday'], weeks: ['First'] } as const;

/** A new policy, with the settings that Azure's portal proposes. */
export const newForm: PolicyForm = {
  policyType: 'V2',
  frequency: 'Hourly',
  time: '08:00',
  days: ['Sunday'],
  intervalHours: '4',
  windowHours: '12',
  timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  instantDays: '7',
  crashConsistent: false,
  dailyCount: '30',
  weekly: { isOn: false, count: '12', days: ['Sunday'] },
  monthly: { isOn: false, count: '60', ...firstMonthRule },
  yearly: { isOn: false, count: '10', months: ['January'], ...firstMonthRule },
};

/** A policy as the editor shows it. Rules that it lacks stand ready, switched off. */
export function formOf({ properties }: Policy): PolicyForm {
  const { retentionPolicy: retention, schedulePolicy: schedule } = properties;
  const { dailySchedule: daily, weeklySchedule: weekly } = retention;
  return {
    ...newForm,
    ...scheduleOf(schedule),
    policyType: properties.policyType,
    timeZone: properties.timeZone,
    instantDays: String(properties.instantRpRetentionRangeInDays),
    crashConsistent: properties.snapshotConsistencyType === 'OnlyCrashConsistent',
    ...(daily && { dailyCount: String(daily.retentionDuration.count) }),
    ...(weekly && {
      weekly: { isOn: true, count: String(weekly.retentionDuration.count), days: weekly.daysOfTheWeek },
    }),
    monthly: monthRuleOf(newForm.monthly, retention.monthlySchedule),
    yearly: {
      ...monthRuleOf(newForm.yearly, retention.yearlySchedule),
      months: retention.yearlySchedule?.monthsOfYear ?? newForm.yearly.months,
    },
  };
}

function scheduleOf(schedule: Policy['properties']['schedulePolicy']): Partial<PolicyForm> {
  const frequency = schedule.scheduleRunFrequency;
  if (schedule.schedulePolicyType === 'SimpleSchedulePolicy') {
    const { scheduleRunTimes: times, scheduleRunDays: days } = schedule;
    return { frequency, time: clockOf(times[0]), ...(days && { days }) };
  }
  const { hourlySchedule: hourly, dailySchedule: daily, weeklySchedule: weekly } = schedule;
  return {
    frequency,
    time: clockOf(
      hourly?.scheduleWindowStartTime ?? daily?.scheduleRunTimes[0] ?? weekly?.scheduleRunTimes[0],
    ),
    ...(hourly && {
      intervalHours: String(hourly.interval),
      windowHours: String(hourly.scheduleWindowDuration),
    }),
    ...(weekly && { days: weekly.scheduleRunDays }),
  };
}

/** The date in a schedule's time says nothing, nor does its Z. */
const clockOf = (time = '') => /T(\d{2}:\d{2})/.exec(time)?.[1] ?? '';

function monthRuleOf(
  usual: MonthRule,
  rule: Policy['properties']['retentionPolicy']['monthlySchedule'],
): MonthRule {
  if (rule === undefined) return usual;
  const { retentionScheduleDaily: byDate, retentionScheduleWeekly: byWeek } = rule;
  return {
    isOn: true,
    count: String(rule.retentionDuration.count),
    format: rule.retentionScheduleFormatType,
    dates: byDate?.daysOfTheMonth.map(({ date, isLast }) => (isLast ? lastDay : String(date))) ?? usual.dates,
    weekdays: byWeek?.daysOfTheWeek ?? usual.weekdays,
    weeks: byWeek?.weeksOfTheMonth ?? usual.weeks,
  };
}

/** The `properties` that the API wants for what is in the fields. What is no number goes as it is, and is refused by name. */
export function propertiesOf(form: PolicyForm): Record<string, unknown> {
  const { policyType, frequency } = form;
  const isFixed = policyType === 'V1' && frequency === 'Weekly';
  return {
    backupManagementType: 'AzureIaasVM',
    policyType,
    timeZone: form.timeZone,
    schedulePolicy: policyType === 'V1' ? standardSchedule(form) : enhancedSchedule(form),
    retentionPolicy: {
      retentionPolicyType: 'LongTermRetentionPolicy',
      ...(frequency !== 'Weekly' && { dailySchedule: duration(form.dailyCount, 'Days') }),
      ...((form.weekly.isOn || frequency === 'Weekly') && {
        weeklySchedule: {
          daysOfTheWeek: frequency === 'Weekly' ? form.days : form.weekly.days,
          ...duration(form.weekly.count, 'Weeks'),
        },
      }),
      ...(form.monthly.isOn && { monthlySchedule: monthRule(form.monthly, 'Months') }),
      ...(form.yearly.isOn && {
        yearlySchedule: { monthsOfYear: form.yearly.months, ...monthRule(form.yearly, 'Years') },
      }),
    },
    ...(!isFixed && { instantRpRetentionRangeInDays: numberOf(form.instantDays) }),
    ...(policyType === 'V2' && form.crashConsistent && { snapshotConsistencyType: 'OnlyCrashConsistent' }),
  };
}

function standardSchedule({ frequency, time, days }: PolicyForm) {
  return {
    schedulePolicyType: 'SimpleSchedulePolicy',
    scheduleRunFrequency: frequency,
    ...(frequency === 'Weekly' && { scheduleRunDays: days }),
    scheduleRunTimes: [dateTime(time)],
  };
}

function enhancedSchedule({ frequency, time, days, intervalHours, windowHours }: PolicyForm) {
  const base = { schedulePolicyType: 'SimpleSchedulePolicyV2', scheduleRunFrequency: frequency };
  const scheduleRunTimes = [dateTime(time)];
  if (frequency === 'Daily') return { ...base, dailySchedule: { scheduleRunTimes } };
  if (frequency === 'Weekly') return { ...base, weeklySchedule: { scheduleRunDays: days, scheduleRunTimes } };
  return {
    ...base,
    hourlySchedule: {
      interval: numberOf(intervalHours),
      scheduleWindowStartTime: dateTime(time),
      scheduleWindowDuration: numberOf(windowHours),
    },
  };
}

function monthRule({ count, format, dates, weekdays, weeks }: MonthRule, unit: string) {
  const daysOfTheMonth = dates.map((date) =>
    date === lastDay ? { date: 0, isLast: true } : { date: Number(date), isLast: false },
  );
  return {
    ...duration(count, unit),
    retentionScheduleFormatType: format,
    ...(format === 'Daily'
      ? { retentionScheduleDaily: { daysOfTheMonth } }
      : { retentionScheduleWeekly: { daysOfTheWeek: weekdays, weeksOfTheMonth: weeks } }),
  };
}

const duration = (count: string, durationType: string) => ({
  retentionDuration: { count: numberOf(count), durationType },
});

const dateTime = (time: string) => (time === '' ? '' : `2020-01-01T${time}:00Z`);

function numberOf(text: string): number | string | undefined {
  if (text.trim() === '') return undefined;
  const number = Number(text);
  return Number.isFinite(number) ? number : text;
}
