import { expect, it } from 'vitest';
import {
  backupJobStatus,
  backupJobStatusNow,
  endedStatuses,
  type JobStatus,
  type TaskStatus,
} from './job-status.ts';

const ended: [TaskStatus, TaskStatus, JobStatus][] = [
  ['Completed', 'Completed', 'Completed'],
  ['Completed', 'Skipped', 'Completed'],
  ['Completed', 'Failed', 'CompletedWithWarnings'],
  ['Completed', 'Cancelled', 'CompletedWithWarnings'],
  ['Failed', 'NotStarted', 'Failed'],
  ['Failed', 'Failed', 'Failed'],
  ['Failed', 'Cancelled', 'Failed'],
  ['Cancelled', 'NotStarted', 'Cancelled'],
  ['Cancelled', 'Cancelled', 'Cancelled'],
];

it.each(ended)('snapshot %s and transfer %s make the job %s', (snapshot, transfer, status) => {
  expect(backupJobStatus(snapshot, transfer)).toBe(status);
  expect(backupJobStatusNow(snapshot, transfer)).toBe(status);
  expect(backupJobStatusNow(snapshot, transfer, true)).toBe(status);
  expect(endedStatuses).toContain(status);
});

const running: [TaskStatus, TaskStatus][] = [
  ['NotStarted', 'NotStarted'],
  ['InProgress', 'NotStarted'],
  ['Completed', 'NotStarted'],
  ['Completed', 'InProgress'],
];

it.each(running)(
  'snapshot %s and transfer %s leave the job in progress, or cancelling',
  (snapshot, transfer) => {
    expect(backupJobStatusNow(snapshot, transfer)).toBe('InProgress');
    expect(backupJobStatusNow(snapshot, transfer, true)).toBe('Cancelling');
  },
);
