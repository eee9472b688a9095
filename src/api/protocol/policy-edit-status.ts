import type { Database, JobRow } from '../../catalog/index.ts';
import { type JobError, jobsOfEdit } from '../../jobs/index.ts';
import { endedStatuses } from '../../protection/index.ts';

/**
 * How the edit of a policy goes: it has ended when every item under the policy has its job, and all of them have ended.
 * The policy is saved in any case; items that could not follow are named by their jobs.
 */
export async function statusOfEdit(db: Database, edit: JobRow) {
  const jobs = await jobsOfEdit(db, edit);
  const hasEnded = [edit, ...jobs].every(({ status }) => endedStatuses.includes(status));
  const failed = jobs.filter(({ status }) => status === 'Failed' || status === 'Cancelled');
  const codeOf = ({ error_json: json }: JobRow) =>
    json === null ? 'InternalError' : (JSON.parse(json) as JobError).code;
  const ends = [edit, ...jobs].flatMap(({ ended_at: end }) => end ?? []).toSorted();
  const status = !hasEnded ? 'InProgress' : edit.status === 'Failed' ? 'Failed' : 'Succeeded';
  return {
    ending: {
      status,
      ...(hasEnded && { endedAt: ends.at(-1) }),
      ...(edit.error_json !== null && { error: JSON.parse(edit.error_json) as JobError }),
    } as const,
    properties: {
      objectType: 'OperationStatusJobsExtendedInfo',
      jobIds: jobs.map(({ job_id: jobId }) => jobId),
      /** The code of each that failed, by its job. */
      failedJobsError: Object.fromEntries(failed.map((job) => [job.job_id, codeOf(job)])),
    },
  };
}
