import type { PolicyType, Schedule } from './policy.ts';

/** Azure's limits on policies of virtual machines. */
export const instantDaysLimits: Record<PolicyType, { least: number; most: number; usual: number }> = {
  V1: { least: 1, most: 5, usual: 2 },
  V2: { least: 1, most: 30, usual: 7 },
};

/** A weekly Standard policy keeps its snapshot until the next ones are sure to be there. */
export const weeklyStandardInstantDays = 5;

/** Days at most, by the hours between backups: a disk carries only so many snapshots. */
export const instantDaysByInterval = { 4: 17, 6: 22, 8: 30, 12: 30, 24: 30 } as const;

export const hourlyIntervals = [4, 6, 8, 12, 24] as const;
export const windowHoursLimits = { least: 4, most: 24 };
export const latestWindowStart = '19:30';

/** Each about 99 years. */
export const retentionLimits = {
  Days: { least: 7, most: 9999 },
  Weeks: { least: 1, most: 5163 },
  Months: { least: 1, most: 1188 },
  Years: { least: 1, most: 99 },
};

/** The latest date that a single recovery point may be kept until: as far as any retention reaches. */
export function latestRetainUntil(now: Temporal.Instant): Temporal.Instant {
  return now.toZonedDateTimeISO('UTC').add({ years: retentionLimits.Years.most }).toInstant();
}

/** Days that snapshots may be kept for instant restore, and what they are kept when the policy does not say. */
export function instantDaysOf(
  policyType: PolicyType,
  schedule: Schedule,
): { least: number; most: number; usual: number; why: string } {
  if (policyType === 'V1' && schedule.frequency === 'Weekly') {
    const fixed = weeklyStandardInstantDays;
    return { least: fixed, most: fixed, usual: fixed, why: 'It is fixed for a weekly Standard policy.' };
  }
  const limits = instantDaysLimits[policyType];
  if (schedule.frequency !== 'Hourly') {
    const kind = policyType === 'V1' ? 'A Standard' : 'An Enhanced';
    return { ...limits, why: `${kind} policy keeps snapshots for ${limits.least} to ${limits.most} days.` };
  }
  const { intervalHours } = schedule;
  const most = instantDaysByInterval[intervalHours as keyof typeof instantDaysByInterval] ?? limits.most;
  return {
    ...limits,
    most,
    why: `With a backup every ${intervalHours} hours snapshots are kept for ${most} days at most: a disk carries only so many.`,
  };
}
