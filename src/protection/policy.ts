/**
 * A backup policy as the rules see it: when to back up, what goes to the vault, and how long to keep what. It holds
 * what Azure's `AzureIaaSVMProtectionPolicy` holds, without the fields that say the same thing twice; `readPolicy`
 * and `presentPolicy` translate. It is plain JSON and is stored as it is.
 *
 * Times of day are wall-clock times in the policy's time zone. Azure writes them with a `Z` but means the same.
 */
export interface BackupPolicy extends Timetable {
  name: string;
  /** `V1` is Azure's Standard policy, `V2` its Enhanced policy. */
  policyType: PolicyType;
  /** Days a snapshot stays on the host for instant restore. */
  instantRetentionDays: number;
  retention: RetentionRules;
  /** Absent: the guest's file systems, and its applications where they can, are frozen for the snapshot. */
  snapshotConsistencyType?: 'OnlyCrashConsistent';
}

export type PolicyType = 'V1' | 'V2';

/** What decides when backups are due. */
export interface Timetable {
  /** A Windows or an IANA name, as it was given. */
  timeZone: string;
  schedule: Schedule;
}

export type Schedule = HourlySchedule | DailySchedule | WeeklySchedule;

/** Runs at `windowStart`, and every `intervalHours` after it as far as `windowHours` reach, on every day. */
export interface HourlySchedule {
  frequency: 'Hourly';
  /** `HH:MM` */
  windowStart: string;
  intervalHours: number;
  windowHours: number;
}

export interface DailySchedule {
  frequency: 'Daily';
  /** `HH:MM` */
  time: string;
}

export interface WeeklySchedule {
  frequency: 'Weekly';
  days: readonly Weekday[];
  /** `HH:MM` */
  time: string;
}

/**
 * Which of the points that the schedule makes are kept, and for how long. A rule makes no backups: it marks those
 * of the days it names.
 */
export interface RetentionRules {
  /** Marks every day's point; `count` days. */
  daily?: { count: number };
  /** Marks the points of these weekdays; `count` weeks. */
  weekly?: { count: number; days: readonly Weekday[] };
  /** Marks these days of every month; `count` months. */
  monthly?: { count: number; on: DaysOfMonth };
  /** Marks these days of these months; `count` years. */
  yearly?: { count: number; on: DaysOfMonth; months: readonly Month[] };
}

/** Days of a month, in either of Azure's two formats: by their number, or as weekdays of its first to last week. */
export type DaysOfMonth =
  | { format: 'Daily'; days: readonly number[]; lastDay: boolean }
  | { format: 'Weekly'; weekdays: readonly Weekday[]; weeks: readonly WeekOfMonth[] };

/** Azure's order; a week begins on Sunday. */
export const weekdays = [
  'Sunday',
  'Monday',
  'Tuesday',
  'Wednesday',
  'Thursday',
  'Friday',
  'Saturday',
] as const;
export type Weekday = (typeof weekdays)[number];

export const weeksOfMonth = ['First', 'Second', 'Third', 'Fourth', 'Last'] as const;
export type WeekOfMonth = (typeof weeksOfMonth)[number];

export const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;
export type Month = (typeof months)[number];

/** Days an on-demand point is kept when the caller names no date. Source: Azure's "Backup now". */
export const onDemandRetentionDays = 30;

/** The Standard policy every vault starts with: daily, 30 days, snapshots for 2 days (facts of Azure's own). */
export const defaultPolicy: BackupPolicy = {
  name: 'DefaultPolicy',
  policyType: 'V1',
  timeZone: 'UTC',
  schedule: { frequency: 'Daily', time: '20:00' },
  instantRetentionDays: 2,
  retention: { daily: { count: 30 } },
};

/** The Enhanced policy every vault starts with: every 4 hours around the clock, 30 days, snapshots for 7 days. */
export const enhancedPolicy: BackupPolicy = {
  name: 'EnhancedPolicy',
  policyType: 'V2',
  timeZone: 'UTC',
  schedule: { frequency: 'Hourly', windowStart: '08:00', intervalHours: 4, windowHours: 24 },
  instantRetentionDays: 7,
  retention: { daily: { count: 30 } },
};

export const policiesOfNewVault: readonly BackupPolicy[] = [defaultPolicy, enhancedPolicy];
