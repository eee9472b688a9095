/**
 * The rules of protection, as pure functions over plain data; the clock is passed in. Which rule comes from where is
 * said at the rule; where Azure's sources disagree or are silent, `docs/differences.md` says what was chosen and why.
 *
 * A policy's way: `readPolicy` takes Azure's document and names everything that is wrong with it, `presentPolicy` gives
 * it back. A point's way: `lookAtSchedule` says that a run of the schedule is due, `startDelayMs` where in its window the
 * item starts, `dutyOf` whether the point goes to the vault and which rules mark it. `scheduledBasis` is what is stored of
 * that, for good; `expiryUnder` is when it expires under the policy in force; `decideRetention` what to do now, and why.
 * The previews are made of the same functions. An item's way: `judgeEnabling`, then `judgeItemAction` for everything
 * that is asked of it. Whatever is forbidden is a `Judgement` with every reason, and `refusalError` answers with it.
 *
 * | word | meaning |
 * | --- | --- |
 * | run | one occurrence of a schedule |
 * | duty | what a run owes: bringing its day's point to the vault, with the tags of the day |
 * | tag | a retention rule that has marked a point |
 * | basis | what decides how long a point is kept, fixed when it is taken |
 */
export { type Duty, dutyOf } from './duty.ts';
export { judgeEnabling, type KnownItem } from './enabling.ts';
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
export {
  activeState,
  type ItemAction,
  type ItemActionKind,
  type ItemFacts,
  type ItemOutcome,
  type ItemState,
  itemStates,
  judgeItemAction,
  retentionOf,
  stateAfterBackup,
} from './item-life.ts';
export {
  backupJobStatus,
  backupJobStatusNow,
  endedStatuses,
  type JobStatus,
  type TaskStatus,
} from './job-status.ts';
export { type Judgement, type Refusal, refusalError } from './judgement.ts';
export {
  hostNameProblem,
  policyNameProblem,
  resourceGroupNameProblem,
  vaultNameProblem,
  zoneNameProblem,
} from './names.ts';
export { lookAtSchedule, type ScheduleLook } from './next-due.ts';
export { endOfPoint, type PointEnd } from './point-end.ts';
export { judgePointDeletion, judgePointExtension } from './point-rules.ts';
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
export { judgePolicyDeletion, judgePolicyEdit, type MemberEffect, type PolicyMember } from './policy-edit.ts';
export { refusePolicy, type VmFacts } from './policy-fit.ts';
export { mostPreviewedPoints, type PreviewedPoint, previewPolicy } from './preview.ts';
export { type ExistingPoint, type PointEffect, pointUnder, previewEdit } from './preview-edit.ts';
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
  crowdedOut,
  decideRetention,
  type RetainedPoint,
  type RetentionDecision,
  type RetentionOptions,
} from './retention.ts';
export { longestRetryWaitMs, passingCauses, retryWaitMs } from './retry.ts';
export { dueRun, nextRun, previousRun, runsBetween, type ScheduledRun } from './schedule.ts';
export { startDelayMs, startWindowMs } from './start-spread.ts';
export { type RetentionTag, tagsOn } from './tags.ts';
export { findTimeZone } from './time-zones.ts';
export {
  type Immutability,
  isImmutable,
  judgeImmutability,
  judgeSoftDelete,
  judgeVaultDeletion,
  reductionsOf,
  type SoftDelete,
  securityOfNewVault,
  softDeleteDaysLimits,
  type VaultSecurity,
} from './vault-security.ts';
