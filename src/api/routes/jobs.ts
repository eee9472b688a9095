import type { FastifyRequest } from 'fastify';
import {
  findJob,
  type JobFilter,
  type JobRow,
  type JobTaskRow,
  listJobs,
  type VaultRow,
} from '../../catalog/index.ts';
import { azureNumberOf, HoldfastError } from '../../errors/index.ts';
import type { JobError, TaskProgress } from '../../jobs/index.ts';
import { type Job, type JobTask, job as jobShape, jobStatus } from '../client/index.ts';
import { backupManagementTypes, filterWord, parseFilter, parseMoment } from '../filter.ts';
import { noteOperation } from '../protocol/operation-registry.ts';
import { pageOf, pageWish } from '../protocol/paging.ts';
import { type ApiScope, accepted, param, query, type RegisterRoutes, vaultOf, vaultPath } from '../scope.ts';

const operations = jobShape.shape.properties.shape.operation.options;

/** ISO 8601 span between two times, in hours, minutes and seconds. Pages have hundreds of them, so by plain numbers. */
export function span(from: string, until: string): string {
  const ms = Math.max(0, Date.parse(until) - Date.parse(from));
  const [hours, minutes, seconds] = [
    Math.floor(ms / 3_600_000),
    Math.floor(ms / 60_000) % 60,
    (ms / 1000) % 60,
  ];
  const parts = [hours > 0 ? `${hours}H` : '', minutes > 0 ? `${minutes}M` : ''].join('');
  const rest = Number(seconds.toFixed(3));
  return `PT${parts}${rest > 0 || parts === '' ? `${rest}S` : ''}`;
}

function presentTask(task: JobTaskRow, now: string): JobTask {
  const progress = task.progress_json === null ? undefined : (JSON.parse(task.progress_json) as TaskProgress);
  const percentage =
    progress?.totalBytes === undefined
      ? undefined
      : progress.totalBytes === 0
        ? 100
        : Math.min(100, (progress.processedBytes * 100) / progress.totalBytes);
  return {
    taskId: task.task_id,
    status: task.status,
    ...(task.started_at === null
      ? {}
      : { startTime: task.started_at, duration: span(task.started_at, task.ended_at ?? now) }),
    ...(task.ended_at === null ? {} : { endTime: task.ended_at }),
    ...(percentage === undefined ? {} : { progressPercentage: Math.floor(percentage * 10) / 10 }),
    holdfast: {
      ...(task.message === null ? {} : { message: task.message }),
      ...(progress === undefined ? {} : { progress }),
    },
  };
}

/** A job; with its tasks where they are given. */
export function presentJob(
  scope: ApiScope,
  vault: VaultRow,
  job: JobRow,
  tasks: JobTaskRow[] | undefined,
): Job {
  const now = scope.workshop.clock.now().toString();
  const error = job.error_json === null ? undefined : (JSON.parse(job.error_json) as JobError);
  const shown = tasks?.map((task) => presentTask(task, now));
  // Progress is the share of data transferred; Azure counts nothing else.
  const moving = shown?.findLast((task) => task.progressPercentage !== undefined);
  const remaining = moving?.status === 'InProgress' ? moving.holdfast?.progress?.remainingSeconds : undefined;
  return {
    id: scope.ids.job(vault, job.job_id),
    name: job.job_id,
    type: 'Microsoft.RecoveryServices/vaults/backupJobs',
    properties: {
      jobType: 'AzureIaaSVMJob',
      backupManagementType: 'AzureIaasVM',
      operation: job.operation,
      status: job.status,
      entityFriendlyName: job.entity_name,
      startTime: job.started_at,
      ...(job.ended_at === null ? {} : { endTime: job.ended_at }),
      duration: span(job.started_at, job.ended_at ?? now),
      activityId: job.job_id,
      isUserTriggered: job.user_triggered === 1,
      ...(job.status === 'InProgress' && scope.workshop.engine.cancelRefusal(job) === undefined
        ? { actionsInfo: ['Cancellable' as const] }
        : {}),
      ...(error === undefined
        ? {}
        : {
            errorDetails: [
              {
                errorCode: azureNumberOf(error.code),
                errorTitle: error.code,
                errorString: error.message,
                recommendations: [error.action],
              },
            ],
          }),
      ...(shown === undefined
        ? {}
        : {
            extendedInfo: {
              tasksList: shown,
              propertyBag: JSON.parse(job.property_bag_json) as Record<string, string>,
              ...(moving?.progressPercentage === undefined
                ? {}
                : { progressPercentage: moving.progressPercentage }),
              ...(remaining === undefined ? {} : { estimatedRemainingDuration: `PT${remaining}S` }),
              ...(error === undefined ? {} : { dynamicErrorMessage: error.message }),
            },
          }),
    },
  };
}

/** Which jobs the request's `$filter` wants; undefined where it wants those of something other than VMs. @throws InvalidInput */
export function jobFilterOf(request: FastifyRequest): JobFilter | undefined {
  const filter = parseFilter(query(request, '$filter'), [
    'status',
    'operation',
    'backupManagementType',
    'startTime',
    'endTime',
    'jobId',
  ]);
  const managed = filterWord(filter, 'backupManagementType', backupManagementTypes);
  return managed !== undefined && managed !== 'AzureIaasVM' ? undefined : wantedJobs(filter);
}

/** What a filter asks for of the columns that the catalog knows. @throws InvalidInput */
export function wantedJobs(filter: ReadonlyMap<string, string>): JobFilter {
  const status = filterWord(filter, 'status', jobStatus.options);
  const operation = filterWord(filter, 'operation', operations);
  const from = filter.get('starttime');
  const until = filter.get('endtime');
  const jobId = filter.get('jobid')?.toLowerCase();
  return {
    ...(status === undefined ? {} : { status }),
    ...(operation === undefined ? {} : { operation }),
    ...(from === undefined ? {} : { startedFrom: parseMoment(from) }),
    ...(until === undefined ? {} : { startedUntil: parseMoment(until) }),
    ...(jobId === undefined ? {} : { jobId }),
  };
}

export const registerJobs: RegisterRoutes = (app, scope) => {
  const { db, engine } = scope.workshop;

  const jobOf = async (vault: VaultRow, jobId: string) => {
    const found = await findJob(db, jobId.toLowerCase());
    if (found === undefined || found.job.vault_id !== vault.vault_id)
      throw new HoldfastError('ResourceNotFound', `Vault '${vault.name}' has no job ${jobId}.`, {
        target: jobId,
      });
    return found;
  };

  app.get(`${vaultPath}/backupJobs`, async (request) => {
    const vault = await vaultOf(db, request);
    const filter = jobFilterOf(request);
    const wish = pageWish(request, ['', '']);
    if (filter === undefined) return { value: [] };
    const rows = await listJobs(db, vault.vault_id, filter, { limit: wish.size + 1, after: wish.after });
    const page = pageOf(request, wish, rows, (job) => [job.started_at, job.job_id]);
    return { ...page, value: page.value.map((job) => presentJob(scope, vault, job, undefined)) };
  });

  app.get(`${vaultPath}/backupJobs/:job`, async (request) => {
    const vault = await vaultOf(db, request);
    const { job, tasks } = await jobOf(vault, param(request, 'job'));
    return presentJob(scope, vault, job, tasks);
  });

  app.post(`${vaultPath}/backupJobs/:job/cancel`, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const { job } = await jobOf(vault, param(request, 'job'));
    await engine.cancel(job.job_id);
    // The job goes on to its end, which its status tells; the wish to end it is taken down.
    const operationId = await noteOperation(scope.workshop, { vaultId: vault.vault_id });
    return accepted(request, reply, scope.ids.job(vault, job.job_id), operationId);
  });
};
