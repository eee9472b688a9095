import type { BackupPolicy, DaysOfMonth, Schedule } from './policy.ts';

/** The `properties` of a policy as Azure's API writes them. */
export interface PolicyProperties {
  backupManagementType: 'AzureIaasVM';
  policyType: 'V1' | 'V2';
  timeZone: string;
  instantRpRetentionRangeInDays: number;
  schedulePolicy: SchedulePolicy;
  retentionPolicy: LongTermRetentionPolicy;
  snapshotConsistencyType?: 'OnlyCrashConsistent';
}

export type SchedulePolicy =
  | {
      schedulePolicyType: 'SimpleSchedulePolicy';
      scheduleRunFrequency: 'Daily' | 'Weekly';
      scheduleRunDays?: string[];
      scheduleRunTimes: string[];
      scheduleWeeklyFrequency: 0;
    }
  | {
      schedulePolicyType: 'SimpleSchedulePolicyV2';
      scheduleRunFrequency: 'Hourly' | 'Daily' | 'Weekly';
      hourlySchedule?: { interval: number; scheduleWindowStartTime: string; scheduleWindowDuration: number };
      dailySchedule?: { scheduleRunTimes: string[] };
      weeklySchedule?: { scheduleRunDays: string[]; scheduleRunTimes: string[] };
    };

export interface LongTermRetentionPolicy {
  retentionPolicyType: 'LongTermRetentionPolicy';
  dailySchedule?: RetentionSchedule<'Days'>;
  weeklySchedule?: RetentionSchedule<'Weeks'> & { daysOfTheWeek: string[] };
  monthlySchedule?: RetentionSchedule<'Months'> & RetentionDays;
  yearlySchedule?: RetentionSchedule<'Years'> & RetentionDays & { monthsOfYear: string[] };
}

interface RetentionSchedule<Unit extends string> {
  retentionTimes: string[];
  retentionDuration: { count: number; durationType: Unit };
}

interface RetentionDays {
  retentionScheduleFormatType: 'Daily' | 'Weekly';
  retentionScheduleDaily?: { daysOfTheMonth: { date: number; isLast: boolean }[] };
  retentionScheduleWeekly?: { daysOfTheWeek: string[]; weeksOfTheMonth: string[] };
}

/** The time of day at which each day's first backup is due, `HH:MM`. */
export function startTimeOf(schedule: Schedule): string {
  return schedule.frequency === 'Hourly' ? schedule.windowStart : schedule.time;
}

/** A policy in Azure's form. Times get a date and a `Z` there, which say nothing. */
export function presentPolicy(policy: BackupPolicy): PolicyProperties {
  const { daily, weekly, monthly, yearly } = policy.retention;
  const rule = <Unit extends string>(count: number, durationType: Unit): RetentionSchedule<Unit> => ({
    retentionTimes: [dateTime(startTimeOf(policy.schedule))],
    retentionDuration: { count, durationType },
  });
  return {
    backupManagementType: 'AzureIaasVM',
    policyType: policy.policyType,
    timeZone: policy.timeZone,
    instantRpRetentionRangeInDays: policy.instantRetentionDays,
    schedulePolicy: presentSchedule(policy),
    retentionPolicy: {
      retentionPolicyType: 'LongTermRetentionPolicy',
      ...(daily && { dailySchedule: rule(daily.count, 'Days') }),
      ...(weekly && { weeklySchedule: { daysOfTheWeek: [...weekly.days], ...rule(weekly.count, 'Weeks') } }),
      ...(monthly && { monthlySchedule: { ...presentDays(monthly.on), ...rule(monthly.count, 'Months') } }),
      ...(yearly && {
        yearlySchedule: {
          monthsOfYear: [...yearly.months],
          ...presentDays(yearly.on),
          ...rule(yearly.count, 'Years'),
        },
      }),
    },
    ...(policy.snapshotConsistencyType && { snapshotConsistencyType: policy.snapshotConsistencyType }),
  };
}

const dateTime = (time: string) => `2020-01-01T${time}:00Z`;

function presentSchedule({ policyType, schedule }: BackupPolicy): SchedulePolicy {
  const times = [dateTime(startTimeOf(schedule))];
  if (schedule.frequency === 'Hourly') {
    return {
      schedulePolicyType: 'SimpleSchedulePolicyV2',
      scheduleRunFrequency: 'Hourly',
      hourlySchedule: {
        interval: schedule.intervalHours,
        scheduleWindowStartTime: dateTime(schedule.windowStart),
        scheduleWindowDuration: schedule.windowHours,
      },
    };
  }
  const days = schedule.frequency === 'Weekly' ? { scheduleRunDays: [...schedule.days] } : undefined;
  if (policyType === 'V1') {
    return {
      schedulePolicyType: 'SimpleSchedulePolicy',
      scheduleRunFrequency: schedule.frequency,
      ...days,
      scheduleRunTimes: times,
      scheduleWeeklyFrequency: 0,
    };
  }
  return {
    schedulePolicyType: 'SimpleSchedulePolicyV2',
    scheduleRunFrequency: schedule.frequency,
    ...(days === undefined
      ? { dailySchedule: { scheduleRunTimes: times } }
      : { weeklySchedule: { ...days, scheduleRunTimes: times } }),
  };
}

function presentDays(on: DaysOfMonth): RetentionDays {
  if (on.format === 'Weekly') {
    return {
      retentionScheduleFormatType: 'Weekly',
      retentionScheduleWeekly: { daysOfTheWeek: [...on.weekdays], weeksOfTheMonth: [...on.weeks] },
    };
  }
  const daysOfTheMonth = on.days.map((date) => ({ date, isLast: false }));
  if (on.lastDay) daysOfTheMonth.push({ date: 0, isLast: true });
  return { retentionScheduleFormatType: 'Daily', retentionScheduleDaily: { daysOfTheMonth } };
}
