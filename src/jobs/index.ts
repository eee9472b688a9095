/**
 * The doing: a durable job engine, one file per operation, the scheduler, and retention carried out. What is right to
 * do is decided in `protection`.
 */

export type { FrozenPoint } from '../machines/index.ts';
export {
  checkNewSecret,
  type KeyRing,
  type KeyWrapInfo,
  type NewSecret,
  newKeyFile,
  newRecoveryKey,
  type Store,
  type StoreSecret,
  type StoreStats,
} from '../store/index.ts';
export { agentOf } from './agent-record.ts';
export { endThawAlert, fireThawAlert, lookForAlerts, watchForAlerts } from './alerts.ts';
export { BackgroundWork } from './background-work.ts';
export { backupOperation, startBackup } from './backup.ts';
export { deletePoint, extendPoint, undeletePoint } from './change-point.ts';
export type { Clock } from './clock.ts';
export { type CollectPayload, collectStoreOperation, startCollection } from './collect-store.ts';
export { configureProtection } from './configure.ts';
export { configureOperation } from './configure-operation.ts';
export { deleteData, deleteDataOperation } from './delete-data.ts';
export { type EditConditions, itemsUnder, removePolicy, savePolicy } from './edit-policy.ts';
export { JobEngine, type JobError } from './engine.ts';
export { Estate, type EstateOpeners, type FoundMachine, type HostStatus, sameConnection } from './estate.ts';
export { expirePointsOperation } from './expire-points.ts';
export { freezeHookByHand } from './freeze-hook.ts';
export { nameFullHome } from './full-home.ts';
export { removeLayersOperation } from './left-layers.ts';
export { createLimits, type TransferLimits } from './limits.ts';
export type { Logger } from './logger.ts';
export { defaultJobHistoryDays, maintainAll, maintenanceIdle } from './maintenance.ts';
export { followingPolicies, jobsOfEdit, modifyPolicyOperation } from './modify-policy.ts';
export { refusePlace } from './move-host.ts';
export { planNextBackup } from './next-backup.ts';
export { lastPolicyOf, policyOf, putUnderPolicy, underPolicy } from './policies.ts';
export { type EditPreview, previewEditOf } from './preview-policy-edit.ts';
export type { TaskProgress } from './progress.ts';
export { purge, purgeOperation } from './purge.ts';
export { registerMachine, registerOperation, unregisterMachine, unregisterOperation } from './register.ts';
export { removeOldJobsOperation } from './remove-old-jobs.ts';
export { repairStoreOperation, startRepair } from './repair-store.ts';
export { openReplica, replicaKeyId } from './replica-keys.ts';
export { type ReplicaLag, replicaLag, retentionOf } from './replica-state.ts';
export { noReplica, openReplication, replicateOperation, startReplication } from './replicate.ts';
export { restoreOperation } from './restore.ts';
export type { RestoreOptions } from './restore-plan.ts';
export { retainedPoint } from './retained-point.ts';
export { runScheduler, type SchedulersWorkshop, startDueBackups } from './scheduler.ts';
export { checkRestore, startRestore } from './start-restore.ts';
export { disableOperation, stopProtection } from './stop-protection.ts';
export type { DamagedPoint, VerificationSummary } from './store-damage.ts';
export { StorePlaces } from './store-places.ts';
export type { StoredPoint } from './stored-point.ts';
export type { DiskTransfer } from './transfer.ts';
export { undelete, undeleteOperation } from './undelete.ts';
export { serviceKeyLabel, VaultKeys } from './vault-keys.ts';
export {
  changeVaultSecurity,
  securityAfter,
  securityColumns,
  securityOf,
  type WantedSecurity,
} from './vault-security.ts';
export { defaultVerifyEveryDays } from './verify-due.ts';
export { startReplicaVerification, verifyReplicaOperation } from './verify-replica.ts';
export { openStoreJob, startVerification, verifyStoreOperation } from './verify-store.ts';
export { vmFactsOf } from './vm-facts.ts';
export type { Workshop } from './workshop.ts';
