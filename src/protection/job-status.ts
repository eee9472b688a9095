export type TaskStatus = 'NotStarted' | 'InProgress' | 'Completed' | 'Failed' | 'Skipped' | 'Cancelled';

export type JobStatus =
  | 'InProgress'
  | 'Completed'
  | 'CompletedWithWarnings'
  | 'Failed'
  | 'Cancelling'
  | 'Cancelled';

/** Job statuses that no longer change. */
export const endedStatuses: readonly JobStatus[] = [
  'Completed',
  'CompletedWithWarnings',
  'Failed',
  'Cancelled',
];

/**
 * The status of a backup job, from its two phases. Azure's table: a snapshot that was taken is a success even when its
 * transfer fails; then the job completes with warnings. A transfer that was skipped because an earlier one still runs
 * is no warning.
 */
export function backupJobStatus(snapshot: TaskStatus, transfer: TaskStatus): JobStatus {
  if (snapshot === 'Cancelled') return 'Cancelled';
  if (snapshot !== 'Completed') return 'Failed';
  if (transfer === 'Completed' || transfer === 'Skipped') return 'Completed';
  return 'CompletedWithWarnings';
}

/**
 * The status of a backup job that may still be running, for whoever looks at it. What has stopped is as
 * {@link backupJobStatus} says; what has not is in progress, unless it is being cancelled.
 */
export function backupJobStatusNow(
  snapshot: TaskStatus,
  transfer: TaskStatus,
  cancelling = false,
): JobStatus {
  const running = isOpen(snapshot) || (snapshot === 'Completed' && isOpen(transfer));
  if (!running) return backupJobStatus(snapshot, transfer);
  return cancelling ? 'Cancelling' : 'InProgress';
}

const isOpen = (status: TaskStatus) => status === 'NotStarted' || status === 'InProgress';
