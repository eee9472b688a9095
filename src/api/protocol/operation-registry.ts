import { randomUUID } from 'node:crypto';
import {
  endOperation,
  findJob,
  findOperation,
  insertOperation,
  type JobRow,
  type OperationRow,
} from '../../catalog/index.ts';
import { HoldfastError, isErrorCode, isHoldfastError } from '../../errors/index.ts';
import type { JobError, Workshop } from '../../jobs/index.ts';
import type { OperationStatus } from '../client/index.ts';
import { statusOfEdit } from './policy-edit-status.ts';

/** What Azure writes where something has not ended. */
const notEnded = '0001-01-01T00:00:00';

export interface NewOperation {
  /** The vault it works on; operations of the subscription have none. */
  vaultId?: string;
  /** The job that it has started. */
  jobId?: string;
  /** Whether it ends with the job rather than with the job's start. Default false. */
  followsJob?: boolean;
  /** What there is to fetch, for one that is done when it is written down. */
  result?: object;
  /** Bound of an operation that no job carries out and that goes on after the answer. */
  endsWithinMs?: number;
}

/** Writes down an operation that a request has started. @returns its id */
export async function noteOperation({ db, clock }: Workshop, operation: NewOperation): Promise<string> {
  const operationId = randomUUID();
  const now = clock.now();
  await insertOperation(db, {
    operation_id: operationId,
    job_id: operation.jobId ?? null,
    follows_job: operation.followsJob === true ? 1 : 0,
    started_at: now.toString({ fractionalSecondDigits: 3 }),
    vault_id: operation.vaultId ?? null,
    result_json: operation.result === undefined ? null : JSON.stringify(operation.result),
    ends_by:
      operation.endsWithinMs === undefined
        ? null
        : now.add({ milliseconds: operation.endsWithinMs }).toString({ fractionalSecondDigits: 3 }),
  });
  return operationId;
}

/**
 * Does in the background what is too small for a job and too slow for an answer. Where the process dies meanwhile, the
 * operation has failed once its time is over.
 * @param work ends when the signal aborts, at the latest after `limitMs`
 * @returns the operation's id
 */
export async function runOperation(
  workshop: Workshop,
  limitMs: number,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<string> {
  const { db, clock, log, background, signal } = workshop;
  const operationId = await noteOperation(workshop, { endsWithinMs: limitMs });
  const end = (error: JobError | undefined) =>
    endOperation(db, operationId, {
      ended_at: clock.now().toString({ fractionalSecondDigits: 3 }),
      error_json: error === undefined ? null : JSON.stringify(error),
    });
  background.add(
    work(AbortSignal.any([signal, AbortSignal.timeout(limitMs)]))
      .then(
        () => end(undefined),
        (error: unknown) => {
          log.warn({ operationId, err: error }, 'an operation failed');
          // What is no refusal of ours may say what is nobody's business; the log has it.
          const { code, message, action } = isHoldfastError(error)
            ? error
            : new HoldfastError('InternalError', `The operation ${operationId} failed unexpectedly.`);
          return end({ code, message, action });
        },
      )
      .catch((error: unknown) =>
        log.error({ operationId, err: error }, 'the end of an operation was not noted'),
      ),
  );
  return operationId;
}

/** An operation with how it goes. */
export interface KnownOperation {
  row: OperationRow;
  status: OperationStatus;
}

/**
 * Looks an operation up, whichever of the many paths it was asked for by: clients build them by different rules.
 * @param vaultId the vault that the path names; undefined for paths of the subscription
 * @param id what the answer gives as its own id
 * @throws ResourceNotFound, also for an operation of another vault
 */
export async function operationOf(
  { db, clock }: Workshop,
  operationId: string,
  vaultId: string | undefined,
  id: string,
): Promise<KnownOperation> {
  const row = await findOperation(db, operationId.toLowerCase());
  const job = row?.job_id == null ? undefined : (await findJob(db, row.job_id))?.job;
  const owner = row?.vault_id ?? job?.vault_id;
  // One whose job has been forgotten has no owner any more, and its id is not to be guessed.
  if (row === undefined || (owner !== undefined && owner !== vaultId)) {
    throw new HoldfastError('ResourceNotFound', `There is no operation ${operationId.slice(0, 64)}.`, {
      target: operationId.slice(0, 64),
    });
  }
  const followed = row.follows_job === 1 ? job : undefined;
  const edit = followed?.operation === 'ModifyPolicy' ? await statusOfEdit(db, followed) : undefined;
  const { status, error, endedAt }: Ending =
    edit !== undefined
      ? edit.ending
      : followed !== undefined
        ? endOfJob(followed)
        : row.ends_by === null
          ? doneAtOnce(row)
          : endOfRow(row, clock);
  const result = row.result_json === null ? undefined : (JSON.parse(row.result_json) as object);
  return {
    row,
    status: {
      id,
      name: row.operation_id,
      status,
      startTime: row.started_at,
      endTime: endedAt ?? notEnded,
      ...(status === 'Failed' && error !== undefined
        ? { error: { code: error.code, message: error.message } }
        : {}),
      ...(edit !== undefined
        ? { properties: edit.properties }
        : job !== undefined
          ? { properties: { objectType: 'OperationStatusJobExtendedInfo', jobId: job.job_id } }
          : result !== undefined
            ? { properties: result as NonNullable<OperationStatus['properties']> }
            : {}),
    },
  };
}

interface Ending {
  status: OperationStatus['status'];
  error?: JobError | undefined;
  /** Undefined while it is under way. */
  endedAt?: string | undefined;
}

const doneAtOnce = (row: OperationRow): Ending => ({ status: 'Succeeded', endedAt: row.started_at });

function endOfJob(job: JobRow): Ending {
  const error = job.error_json === null ? undefined : (JSON.parse(job.error_json) as JobError);
  const endedAt = job.ended_at ?? undefined;
  if (job.status === 'Failed') return { status: 'Failed', error, endedAt };
  if (job.status === 'Cancelled') return { status: 'Canceled', endedAt };
  return endedAt === undefined ? { status: 'InProgress' } : { status: 'Succeeded', endedAt };
}

function endOfRow(row: OperationRow, clock: Workshop['clock']): Ending {
  if (row.ended_at !== null) {
    const error = row.error_json === null ? undefined : (JSON.parse(row.error_json) as JobError);
    return { status: error === undefined ? 'Succeeded' : 'Failed', error, endedAt: row.ended_at };
  }
  const endsBy = row.ends_by ?? row.started_at;
  if (Temporal.Instant.compare(clock.now(), endsBy) < 0) return { status: 'InProgress' };
  const interrupted = new HoldfastError('JobInterrupted', 'The service stopped during the operation.');
  return {
    status: 'Failed',
    error: { code: interrupted.code, message: interrupted.message, action: interrupted.action },
    endedAt: endsBy,
  };
}

/** The failure of an operation, as the answer to whoever asks for its result. */
export function failureOf({ row, status }: KnownOperation): HoldfastError {
  const { code, message } = status.error ?? { code: '', message: 'The operation did not succeed.' };
  return new HoldfastError(isErrorCode(code) ? code : 'InternalError', message, { target: row.operation_id });
}
