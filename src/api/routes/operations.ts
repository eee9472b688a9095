import { findJob, findOperation, type OperationRow } from '../../catalog/index.ts';
import { HoldfastError, isErrorCode } from '../../errors/index.ts';
import type { JobError } from '../../jobs/index.ts';
import type { OperationStatus } from '../client/index.ts';
import {
  baseUrl,
  findItemByName,
  itemPath,
  param,
  type RegisterRoutes,
  storePath,
  vaultOf,
  vaultPath,
} from '../scope.ts';
import { presentItemAlone } from './protected-items.ts';
import { replicaPath } from './replicas.ts';

/** What Azure writes where something has not ended. */
const notEnded = '0001-01-01T00:00:00';

export const registerOperations: RegisterRoutes = (app, scope) => {
  const { db } = scope.workshop;

  const operationOf = async (operationId: string): Promise<OperationRow> => {
    const operation = await findOperation(db, operationId.toLowerCase());
    if (operation === undefined)
      throw new HoldfastError('ResourceNotFound', `There is no operation ${operationId}.`, {
        target: operationId,
      });
    return operation;
  };

  /** An operation is done when its job is written down, or, where it follows it, when the job has ended. */
  const statusOf = async (operation: OperationRow, id: string): Promise<OperationStatus> => {
    const found = operation.job_id === null ? undefined : await findJob(db, operation.job_id);
    const job = found?.job;
    const follows = operation.follows_job === 1 && job !== undefined;
    const status = !follows
      ? 'Succeeded'
      : job.status === 'Failed'
        ? 'Failed'
        : job.status === 'Cancelled'
          ? 'Canceled'
          : job.ended_at === null
            ? 'InProgress'
            : 'Succeeded';
    const error = job?.error_json == null ? undefined : (JSON.parse(job.error_json) as JobError);
    return {
      id,
      name: operation.operation_id,
      status,
      startTime: operation.started_at,
      endTime:
        status === 'InProgress' ? notEnded : ((follows ? job.ended_at : undefined) ?? operation.started_at),
      ...(status === 'Failed' && error !== undefined
        ? { error: { code: error.code, message: error.message } }
        : {}),
      ...(job === undefined
        ? {}
        : { properties: { objectType: 'OperationStatusJobExtendedInfo', jobId: job.job_id } }),
    };
  };

  // One registry behind every path that Azure's clients build.
  for (const path of [
    `${vaultPath}/backupOperations/:operation`,
    `${itemPath}/operationsStatus/:operation`,
    `${replicaPath}/operationsStatus/:operation`,
    `${storePath}/operationsStatus/:operation`,
  ]) {
    app.get(path, async (request) => {
      await vaultOf(db, request);
      return statusOf(await operationOf(param(request, 'operation')), request.url.split('?')[0] ?? '');
    });
  }

  // What these start ends with its job, and the replica or the store itself tells the rest.
  for (const path of [replicaPath, storePath]) {
    app.get(`${path}/operationResults/:operation`, async (request, reply) => {
      await vaultOf(db, request);
      await operationOf(param(request, 'operation'));
      return reply.code(204).send();
    });
  }

  app.get(`${itemPath}/operationResults/:operation`, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const operation = await operationOf(param(request, 'operation'));
    const { status, error } = await statusOf(operation, '');
    if (status === 'InProgress') {
      return reply
        .code(202)
        .header('location', `${baseUrl(request)}${request.url}`)
        .header('retry-after', '1')
        .send();
    }
    if (status === 'Failed') {
      const code = error !== undefined && isErrorCode(error.code) ? error.code : 'InternalError';
      throw new HoldfastError(code, error?.message ?? 'The operation failed.', {
        target: operation.operation_id,
      });
    }
    const item = operation.follows_job === 1 ? await findItemByName(db, vault, request) : undefined;
    return item === undefined ? reply.code(204).send() : presentItemAlone(scope, vault, item);
  });
};
