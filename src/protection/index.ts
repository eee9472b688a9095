/**
 * The rules of protection, as pure functions over plain data; the clock is passed in. Which rule comes from where is
 * said at the rule; where Azure's sources disagree or are silent, `docs/differences.md` says what was chosen and why.
 */
export { type Duty, dutyOf } from './duty.ts';
export {
  type Expiry,
  endOfInstantRestore,
  expiryOf,
  expiryOfSnapshotOnly,
  expiryUnder,
  onDemandBasis,
  type PointBasis,
  type RuleName,
  scheduledBasis,
} from './expiry.ts';
export { backupJobStatus, endedStatuses, type JobStatus, type TaskStatus } from './job-status.ts';
export { hostNameProblem, policyNameProblem, resourceGroupNameProblem, vaultNameProblem } from './names.ts';
export {
  type BackupPolicy,
  defaultPolicy,
  enhancedPolicy,
  onDemandRetentionDays,
  policiesOfNewVault,
  type Schedule,
  type Timetable,
} from './policy.ts';
export {
  type LongTermRetentionPolicy,
  type PolicyProperties,
  presentPolicy,
  type SchedulePolicy,
} from './policy-document.ts';
export { invalidPolicy, readPolicy } from './read-policy.ts';
export type { Problem } from './reading.ts';
export {
  pointsToCopy,
  pointsToRemove,
  type ReplicaPoint,
  type ReplicaRemovals,
  type ReplicaRetention,
} from './replica.ts';
export {
  decideRetention,
  type RetainedPoint,
  type RetentionDecision,
  type RetentionOptions,
} from './retention.ts';
export { dueRun, nextRun, previousRun, runsBetween, type ScheduledRun } from './schedule.ts';
export { startDelayMs, startWindowMs } from './start-spread.ts';
export { type RetentionTag, tagsOn } from './tags.ts';
export { findTimeZone } from './time-zones.ts';
