import type { Immutability, ItemState, JobStatus, SoftDelete, TaskStatus } from '../protection/index.ts';
import type { AccessSchema } from './access-schema.ts';

/**
 * The tables, as Kysely types. Times are ISO 8601 UTC text of fixed width (they sort as text), flags 0 or 1,
 * `*_json` columns JSON text.
 */
export interface Schema extends AccessSchema {
  settings: { key: string; value: string };
  resource_groups: ResourceGroupRow;
  hosts: HostRow;
  vaults: VaultRow;
  replicas: ReplicaRow;
  store_upkeep: StoreUpkeepRow;
  policies: PolicyRow;
  items: ItemRow;
  registrations: RegistrationRow;
  left_layers: LeftLayersRow;
  points: PointRow;
  /** What is needed beside the disks to make the VM of a point again: it holds secrets, and is large. */
  point_definitions: { point_id: string; definition_json: string };
  jobs: JobRow;
  job_tasks: JobTaskRow;
  operations: OperationRow;
  alerts: AlertRow;
  workers: WorkerRow;
  /** Who is in which phase of an item or vault. */
  phases: { phase: string; subject_id: string; worker_id: string };
}

/** A resource group that somebody has made; hosts and vaults may be in others. Names are compared without case. */
export interface ResourceGroupRow {
  name: string;
  location: string;
  tags_json: string;
}

export interface HostRow {
  resource_group: string;
  name: string;
  location: string;
  /** The extended zone of the region that it is in; null: in the region itself. */
  zone: string | null;
  uri: string;
  overlay_directory: string | null;
  created_at: string;
}

export interface VaultRow {
  vault_id: string;
  resource_group: string;
  name: string;
  location: string;
  tags_json: string;
  /** What a client has said of the vault that changes nothing here, to be told again; JSON, written by the API. */
  settings_json: string;
  store_path: string;
  store_id: string;
  /** Whether its store is. Then it is opened with the vault's key file, and with nothing that says it is plain. */
  encrypted: number;
  immutability: Immutability;
  soft_delete: SoftDelete['state'];
  /** How long what is deleted from now on waits. */
  soft_delete_days: number;
  created_at: string;
}

/** The second store of a vault, and how its replication goes. At most one per vault. */
export interface ReplicaRow {
  vault_id: string;
  store_path: string;
  store_id: string;
  /** As of a vault. */
  encrypted: number;
  /** What `ReplicaRetention` is in the rules. */
  retention_json: string;
  /** Most to read from the vault's store in a second; null: no limit. */
  bytes_per_second: number | null;
  created_at: string;
  /** When the last replication ended, whatever its outcome. */
  attempted_at: string | null;
  /** When one last ended with nothing left to do. */
  completed_at: string | null;
  /** Replications since then. */
  failures: number;
  /** As of a vault's own store. */
  verify_cursor_json: string | null;
  verify_started_at: string | null;
  verified_at: string | null;
  /** When the space of removed points was last given back. */
  collected_at: string | null;
  last_error_json: string | null;
}

/** Verification and collection of a vault's store. */
export interface StoreUpkeepRow {
  vault_id: string;
  /** Null: as the service does by default; 0: never by itself. */
  verify_every_days: number | null;
  /** Where an unfinished verification has come to: what the store calls its cursor. */
  verify_cursor_json: string | null;
  /** When the last verification, finished or not, was begun. */
  verify_started_at: string | null;
  /** When one last came to its end, whatever it found. */
  verified_at: string | null;
  /** What that one found, shortened. */
  verification_json: string | null;
  collected_at: string | null;
}

export interface PolicyRow {
  vault_id: string;
  name: string;
  /** A `BackupPolicy` of the rules. */
  document_json: string;
  /** Another one after every edit, and never the same again: by it two editors notice each other. */
  revision: string;
}

/** A VM that somebody has registered with a vault before it is protected there. With one vault at most. */
export interface RegistrationRow {
  host_name: string;
  vm_uuid: string;
  vault_id: string;
  /** As they were then. */
  vm_name: string;
  host_resource_group: string;
  registered_at: string;
}

/** Layers of a VM that were to be removed while its host was away; its item may be gone by now. */
export interface LeftLayersRow {
  host_name: string;
  vm_uuid: string;
  vm_name: string;
  /** The vault whose job left them. */
  vault_id: string;
  since: string;
}

/** One VM under protection in one vault. */
export interface ItemRow {
  item_id: string;
  vault_id: string;
  vm_uuid: string;
  vm_name: string;
  /** Resource group and name of the host row the VM was found on; the group is also the VM's. */
  host_resource_group: string;
  host_name: string;
  /** Null unless the item is `IRPending` or `Protected`. */
  policy_name: string | null;
  /**
   * The policy in force for it: as the one of that name was when the item was last put under it. Where protection is
   * stopped or suspended, the last it had: what a suspended item expires by. An edit of the policy reaches each item by a job of its own.
   */
  policy_json: string;
  /** What a backup brings to the vault is owed since then; see `dutyOf` in the rules. */
  duties_since: string;
  state: ItemState;
  excluded_disks_json: string;
  /** What was last found out of the VM's guest agent; null: not looked yet. */
  agent_json: string | null;
  created_at: string;
  last_backup_status: string;
  last_backup_at: string | null;
  last_error_json: string | null;
  /** Scheduled occurrences up to this moment have been dealt with. */
  schedule_handled_until: string;
  /** When the next scheduled backup is to start; null when none is. Kept by `planNextBackup` of the jobs alone. */
  next_due_at: string | null;
  /** Of a soft-deleted item: when that was, and when its data may be removed. */
  deleted_at: string | null;
  purge_at: string | null;
  /** 1 once removing its data has begun: there is no way back from there. */
  purging: number;
  /** Raised by every change of state or policy, so that of two that are decided at once only one is made. */
  revision: number;
}

/**
 * `points.in_vault`: `yes` once the store's record is durable; `leaving` from the decision to delete the record until
 * that is done, which is repeated until it succeeds. Only `yes` is offered to anyone.
 */
export const inVault = { no: 0, yes: 1, leaving: 2 } as const;

export interface PointRow {
  point_id: string;
  item_id: string;
  job_id: string;
  taken_at: string;
  expires_at: string;
  rule_name: string | null;
  /** The `PointBasis` of the rules: with the policy in force it makes `expires_at` and `rule_name`. */
  basis_json: string;
  /** The scheduled time it was taken for; null on demand. */
  run_at: string | null;
  /** The latest expiry it ever had, where that was later. */
  promised_until: string | null;
  /** When it will be removed, while it is soft-deleted. */
  soft_deleted_until: string | null;
  /** It was deleted by hand: only by hand it comes back. */
  deleted_by_person: number;
  /** The last verification of the vault's store found that it can't be restored in full. */
  damaged: number;
  in_snapshot: number;
  in_vault: (typeof inVault)[keyof typeof inVault];
  /** The vault's second store has it, as far as is known; every replication looks anew. */
  in_replica: number;
  /** What the host said when it froze the point, without the definition. */
  frozen_json: string;
  /** Per-disk figures of the transfer. */
  transfer_json: string | null;
}

export interface JobRow {
  job_id: string;
  vault_id: string;
  item_id: string | null;
  operation:
    | 'ConfigureBackup'
    | 'Backup'
    | 'Restore'
    | 'DisableBackup'
    | 'DeleteBackupData'
    | 'Undelete'
    | 'Purge'
    | 'Register'
    | 'UnRegister'
    | 'ModifyPolicy'
    | 'ExpirePoints'
    | 'RemoveLayers'
    | 'RemoveOldJobs'
    | 'Replicate'
    | 'VerifyStore'
    | 'VerifyReplica'
    | 'RepairStore'
    | 'CollectStore';
  status: JobStatus;
  started_at: string;
  ended_at: string | null;
  user_triggered: number;
  entity_name: string;
  /** Input of the operation and what it noted down to be found after a crash. */
  payload_json: string;
  property_bag_json: string;
  error_json: string | null;
  /** The worker that works on it; null while it waits for one. */
  owner: string | null;
  /** How often it has failed and was to be tried again. */
  failures: number;
  /** When it is to be tried again, while it waits for that. */
  retry_at: string | null;
}

/** A run of a process that works on jobs. Its jobs and phases are its own as long as its row is there. */
export interface WorkerRow {
  worker_id: string;
  home: string;
  /** After this moment others may delete the row, and take over. */
  lease_until: string;
}

export interface JobTaskRow {
  job_id: string;
  position: number;
  task_id: string;
  status: TaskStatus;
  started_at: string | null;
  ended_at: string | null;
  message: string | null;
  progress_json: string | null;
}

/** Something that somebody should look at, until it is over. */
export interface AlertRow {
  alert_id: string;
  /** What it is about. Of each there is one at most that is not resolved. */
  subject: string;
  kind:
    | 'GuestNotThawed'
    | 'RecoveryPointsDamaged'
    | 'StoreNearlyFull'
    | 'BackupFailed'
    | 'JobFailed'
    | 'VerificationOverdue'
    | 'HostUnreachable';
  /** Azure's: 0 critical, 1 error, 2 warning. */
  severity: number;
  /** The vault, or the resource group of the host, that it belongs to. */
  vault_id: string | null;
  host_group: string | null;
  /** Name of the VM, host or vault. */
  target: string;
  message: string;
  action: string;
  fired_at: string;
  /** When it was over. */
  resolved_at: string | null;
  /** When somebody had seen enough of it, and who. */
  dismissed_at: string | null;
  dismissed_by: string | null;
}

/** A long-running request of the API. Its outcome is that of the job it started, or its own error. */
export interface OperationRow {
  operation_id: string;
  job_id: string | null;
  /** Operations that end with their job rather than with its creation (enabling protection). */
  follows_job: number;
  started_at: string;
  /** The vault it works on, where no job says so. */
  vault_id: string | null;
  /** What there is to fetch of one that has succeeded. */
  result_json: string | null;
  /** Of one that no job carries out: when it has failed unless it has ended. Null: it was done at once. */
  ends_by: string | null;
  ended_at: string | null;
  error_json: string | null;
}
