import { expect, it } from 'vitest';
import { backupJobStatus, type JobStatus, type TaskStatus } from './job-status.ts';

const table: [TaskStatus, TaskStatus, JobStatus][] = [
  ['Completed', 'Completed', 'Completed'],
  ['Completed', 'Skipped', 'Completed'],
  ['Completed', 'Failed', 'CompletedWithWarnings'],
  ['Completed', 'Cancelled', 'CompletedWithWarnings'],
  ['Failed', 'NotStarted', 'Failed'],
  ['Failed', 'Failed', 'Failed'],
  ['Cancelled', 'NotStarted', 'Cancelled'],
];

it.each(table)('snapshot %s and transfer %s make the job %s', (snapshot, transfer, status) => {
  expect(backupJobStatus(snapshot, transfer)).toBe(status);
});
