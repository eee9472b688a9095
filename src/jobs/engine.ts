import { randomUUID } from 'node:crypto';
import {
  type Database,
  findJob,
  insertJob,
  insertJobs,
  type JobRow,
  listOpenJobs,
  markCancelling,
  updateJob,
  updateTask,
} from '../catalog/index.ts';
import { HoldfastError, isHoldfastError } from '../errors/index.ts';
import type { JobStatus } from '../protection/index.ts';
import type { Clock } from './clock.ts';
import { nameFullHome } from './full-home.ts';
import { JobCancelled, JobContext, ServiceStopping } from './job-context.ts';
import type { Logger } from './logger.ts';

/** One kind of job. */
export interface Operation<Payload> {
  /** Does the work. Returns the status the job ends with; throws to fail it. */
  run(context: JobContext<Payload>): Promise<JobStatus>;
  /**
   * Takes the job up after the process that ran it has died: continues it, or undoes what it left and throws. Told
   * apart from `run` because the tasks say how far it had come.
   */
  resume(context: JobContext<Payload>): Promise<JobStatus>;
  /** Whether it may be cancelled in its present state; a sentence why not otherwise. */
  cancelRefusal?(context: JobContext<Payload>): string | undefined;
  /** Called once the end of the job, whatever it was, is on disk. */
  ended?(payload: Payload): void;
}

/** Input for a new job. */
export interface NewJob<Payload> {
  vaultId: string;
  itemId: string | undefined;
  entityName: string;
  userTriggered: boolean;
  payload: Payload;
  taskIds: readonly string[];
  /** Writes what must be known if, and only if, the job is. */
  alongside?: (tx: Database) => Promise<void>;
}

/** What is written down about a failure, and shown as the job's error. */
export interface JobError {
  code: string;
  message: string;
  action: string;
}

/** How long, and how often, the end of a job is tried to be recorded: for a day. */
const recordAgainMs = 5_000;
const recordAttempts = (24 * 3600 * 1000) / recordAgainMs;

interface RunningJob {
  context: JobContext<unknown>;
  row: Pick<JobRow, 'operation'>;
  abort: AbortController;
  /** The work is done and its outcome certain; only writing it down is left. */
  ending: boolean;
  ended: Promise<void>;
}

/**
 * Runs jobs and makes them durable: a job is a row before it does anything, its tasks are rows, and jobs that a dead
 * process left open are taken up or failed at the next start. One engine per home, guarded by the home's lock.
 */
export class JobEngine {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #operations = new Map<JobRow['operation'], Operation<unknown>>();
  readonly #running = new Map<string, RunningJob>();
  /** Names this run of the process in the rows it works on. */
  readonly #owner = randomUUID();
  /** Ends when the engine stops. */
  readonly #life = new AbortController();
  #stopping = false;

  constructor(db: Database, clock: Clock, log: Logger) {
    this.#db = db;
    this.#clock = clock;
    this.#log = log;
  }

  register<Payload>(name: JobRow['operation'], operation: Operation<Payload>): void {
    this.#operations.set(name, operation as Operation<unknown>);
  }

  /** Writes the job down and sets it going. Resolves with its id as soon as it is on disk. */
  async start<Payload>(operation: JobRow['operation'], job: NewJob<Payload>): Promise<string> {
    if (this.#stopping) throw new HoldfastError('ServiceStopping', 'The service is stopping.');
    const row = this.#rowOf(operation, job);
    await insertJob(this.#db, row, job.taskIds, job.alongside);
    await this.#launch(row.job_id, 'run');
    return row.job_id;
  }

  /**
   * Writes down what `choose` returns, in the transaction it is given, and sets it going. So that jobs are chosen and
   * what they were chosen by is noted together with them, or not at all.
   * @returns the jobs' ids, in the same order
   */
  async startMany<Payload>(
    operation: JobRow['operation'],
    choose: (tx: Database) => Promise<readonly NewJob<Payload>[]>,
  ): Promise<string[]> {
    if (this.#stopping) throw new HoldfastError('ServiceStopping', 'The service is stopping.');
    const rows = await this.#db.transaction().execute(async (tx) => {
      const jobs = await choose(tx);
      const chosen = jobs.map((job) => ({ job: this.#rowOf(operation, job), taskIds: job.taskIds }));
      await insertJobs(tx, chosen);
      return chosen;
    });
    for (const { job } of rows) await this.#launch(job.job_id, 'run');
    return rows.map(({ job }) => job.job_id);
  }

  #rowOf(operation: JobRow['operation'], job: NewJob<unknown>): JobRow {
    return {
      job_id: randomUUID(),
      vault_id: job.vaultId,
      item_id: job.itemId ?? null,
      operation,
      status: 'InProgress',
      started_at: this.#clock.now().toString({ fractionalSecondDigits: 3 }),
      ended_at: null,
      user_triggered: job.userTriggered ? 1 : 0,
      entity_name: job.entityName,
      payload_json: JSON.stringify(job.payload),
      property_bag_json: JSON.stringify(job.itemId === undefined ? {} : { 'VM Name': job.entityName }),
      error_json: null,
      owner: this.#owner,
    };
  }

  /** Takes up every job that an earlier run of the process left open. Call once, before anything else starts. */
  async resumeOpenJobs(): Promise<void> {
    for (const job of await listOpenJobs(this.#db)) {
      if (job.owner === this.#owner) continue;
      this.#log.info({ jobId: job.job_id, operation: job.operation }, 'taking up a job left open');
      await updateJob(this.#db, job.job_id, { owner: this.#owner });
      await this.#launch(job.job_id, job.status === 'Cancelling' ? 'cancel' : 'resume');
    }
  }

  /** Why the job can't be cancelled now; undefined when it can. */
  cancelRefusal(jobId: string): HoldfastError | undefined {
    const running = this.#running.get(jobId);
    if (running === undefined || running.ending) return notRunning(jobId);
    const operation = this.#operations.get(running.row.operation);
    const sentence =
      operation?.cancelRefusal === undefined
        ? `A ${running.row.operation} job can't be cancelled.`
        : operation.cancelRefusal(running.context);
    if (sentence === undefined) return undefined;
    return new HoldfastError('JobNotCancellable', sentence, { target: jobId });
  }

  /** Asks a running job to stop. @throws ResourceNotFound, JobNotCancellable */
  async cancel(jobId: string): Promise<void> {
    const running = this.#running.get(jobId);
    if (running === undefined) throw notRunning(jobId);
    const refusal = this.cancelRefusal(jobId);
    if (refusal !== undefined) throw refusal;
    // At once, so that the work can't go past the point of no return between the question and the abort.
    running.abort.abort(new JobCancelled('The job was cancelled.'));
    if (await markCancelling(this.#db, jobId)) return;
    // The work had ended meanwhile; it may still have noticed.
    await running.ended;
    const record = await findJob(this.#db, jobId);
    if (record?.job.status !== 'Cancelled') throw notRunning(jobId);
  }

  /** Resolves when the job has ended, or the engine has let go of it because the service stops. */
  async wait(jobId: string): Promise<void> {
    await this.#running.get(jobId)?.ended;
  }

  /** Stops all work; open jobs are taken up at the next start. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#life.abort(new ServiceStopping('The service is stopping.'));
    for (const running of this.#running.values()) {
      running.abort.abort(new ServiceStopping('The service is stopping.'));
    }
    await Promise.all([...this.#running.values()].map((running) => running.ended));
  }

  async #launch(jobId: string, how: 'run' | 'resume' | 'cancel'): Promise<void> {
    const record = await findJob(this.#db, jobId);
    if (record === undefined) throw new Error(`job ${jobId} vanished`);
    const operation = this.#operations.get(record.job.operation);
    if (operation === undefined) throw new Error(`no operation '${record.job.operation}' is registered`);
    const abort = new AbortController();
    if (how === 'cancel') abort.abort(new JobCancelled('The job was cancelled.'));
    const context = new JobContext<unknown>(this.#db, this.#clock, this.#log, record, abort.signal);
    const work = how === 'run' ? operation.run(context) : operation.resume(context);
    const running: RunningJob = { context, row: record.job, abort, ending: false, ended: Promise.resolve() };
    this.#running.set(jobId, running);
    running.ended = this.#settle(jobId, work, running).then((hasEnded) => {
      this.#running.delete(jobId);
      if (hasEnded) operation.ended?.(context.payload);
    });
  }

  /**
   * Writes down how the job ended, and returns whether it has. Never rejects. An end that can't be recorded, for
   * example because the home is full, is tried again: nobody should have to wait for a job that is over. When the
   * service stops before, the job is taken up at the next start.
   */
  async #settle(jobId: string, work: Promise<JobStatus>, running: RunningJob): Promise<boolean> {
    const { status, error } = await this.#outcome(jobId, work, running.abort.signal);
    running.ending = true;
    if (status === undefined) return false;
    const endedAt = this.#clock.now().toString({ fractionalSecondDigits: 3 });
    for (let attempt = 1; attempt <= recordAttempts; attempt++) {
      try {
        await this.#closeTasks(jobId, status);
        await updateJob(this.#db, jobId, {
          status,
          ended_at: endedAt,
          ...(error === undefined ? {} : { error_json: JSON.stringify(error) }),
        });
        return true;
      } catch (cause) {
        this.#log.error({ jobId, attempt, err: cause }, 'could not record the end of a job');
      }
      const waited = await this.#clock.sleep(recordAgainMs, this.#life.signal).then(
        () => true,
        () => false,
      );
      if (!waited || this.#stopping) return false;
    }
    return false;
  }

  async #outcome(
    jobId: string,
    work: Promise<JobStatus>,
    signal: AbortSignal,
  ): Promise<{ status: JobStatus | undefined; error?: JobError }> {
    try {
      return { status: await work };
    } catch (error) {
      if (signal.reason instanceof ServiceStopping) return { status: undefined };
      if (signal.reason instanceof JobCancelled) {
        const message = 'The job was cancelled.';
        return {
          status: 'Cancelled',
          error: {
            code: 'UserErrorJobSuccessfullyCancelled',
            message,
            action: 'Start it again when you want.',
          },
        };
      }
      if (!isHoldfastError(error)) this.#log.error({ jobId, err: error }, 'job failed unexpectedly');
      else this.#log.warn({ jobId, code: error.code, err: error }, 'job failed');
      return { status: 'Failed', error: jobErrorOf(error) };
    }
  }

  /** No task of an ended job is left looking as if it ran. */
  async #closeTasks(jobId: string, status: JobStatus): Promise<void> {
    const record = await findJob(this.#db, jobId);
    for (const task of record?.tasks ?? []) {
      if (task.status === 'InProgress') {
        await updateTask(this.#db, jobId, task.position, {
          status: status === 'Cancelled' ? 'Cancelled' : 'Failed',
          ended_at: this.#clock.now().toString(),
        });
      }
    }
  }
}

const notRunning = (jobId: string) =>
  new HoldfastError('JobNotCancellable', `Job ${jobId} is not running.`, { target: jobId });

/** The part of a failure that is written down and shown. Unexpected ones are in the log with their stack. */
export function jobErrorOf(cause: unknown): JobError {
  const error = nameFullHome(cause);
  if (isHoldfastError(error)) return { code: error.code, message: error.message, action: error.action };
  return {
    code: 'InternalError',
    message: error instanceof Error ? error.message : String(error),
    action: "Look for the job's id in the service's log and report it.",
  };
}
