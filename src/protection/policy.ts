/**
 * A backup policy as the rules see it: when to back up, and how long to keep what. Times are wall-clock times in the
 * policy's time zone; Azure writes them with a `Z` but means the same.
 */
export interface BackupPolicy {
  name: string;
  /** `V1` is Azure's Standard policy. */
  policyType: 'V1';
  schedule: DailySchedule;
  /** Days a snapshot stays on the host for instant restore, 1 to 5. */
  instantRetentionDays: number;
  retention: { dailyDays: number };
}

export interface DailySchedule {
  frequency: 'Daily';
  /** `HH:MM` on the wall clock of `timeZone`. */
  time: string;
  /** IANA name. */
  timeZone: string;
}

/** The policy every vault starts with: daily, 30 days, snapshots for 2 days (facts of Azure's own default). */
export const defaultPolicy: BackupPolicy = {
  name: 'DefaultPolicy',
  policyType: 'V1',
  schedule: { frequency: 'Daily', time: '20:00', timeZone: 'UTC' },
  instantRetentionDays: 2,
  retention: { dailyDays: 30 },
};

/** Days an on-demand point is kept when the caller names no date. Source: Azure's "Backup now". */
export const onDemandRetentionDays = 30;
