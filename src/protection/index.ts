/**
 * The rules of protection, as pure functions over plain data; the clock is passed in. Which rule comes from where is
 * said at the rule.
 */
export { backupJobStatus, endedStatuses, type JobStatus, type TaskStatus } from './job-status.ts';
export { hostNameProblem, resourceGroupNameProblem, vaultNameProblem } from './names.ts';
export { type BackupPolicy, type DailySchedule, defaultPolicy, onDemandRetentionDays } from './policy.ts';
export {
  pointsToCopy,
  pointsToRemove,
  type ReplicaPoint,
  type ReplicaRemovals,
  type ReplicaRetention,
} from './replica.ts';
export {
  decideRetention,
  expiryOf,
  expiryOfSnapshotOnly,
  type RetainedPoint,
  type RetentionDecision,
} from './retention.ts';
export { dueRun, nextRun, previousRun } from './schedule.ts';
