import { randomUUID } from 'node:crypto';
import {
  claimJobs,
  type Database,
  endJob,
  findJob,
  insertJob,
  insertJobs,
  type JobRow,
  type JobWithTasks,
  listCancelling,
  listTasks,
  markCancelling,
  postponeJob,
  tasksOf,
  updateJob,
  writeAsOwner,
} from '../catalog/index.ts';
import { HoldfastError, isHoldfastError } from '../errors/index.ts';
import { type JobStatus, longestRetryWaitMs, retryWaitMs } from '../protection/index.ts';
import { type Clock, catalogTime } from './clock.ts';
import { nameFullHome } from './full-home.ts';
import {
  JobCancelled,
  JobContext,
  type JobRun,
  LeaseLost,
  nextTry,
  retries,
  ServiceStopping,
} from './job-context.ts';
import type { Logger } from './logger.ts';
import { leaseMs, Worker, type WorkerOptions } from './worker.ts';

/** One kind of job. */
export interface Operation<Payload> {
  /** Does the work. Returns the status the job ends with; throws to fail it. */
  run(context: JobContext<Payload>): Promise<JobStatus>;
  /**
   * Takes the job up after the process that ran it has died: continues it, or undoes what it left and throws. Told
   * apart from `run` because the tasks say how far it had come.
   */
  resume(context: JobContext<Payload>): Promise<JobStatus>;
  /**
   * Does the work again after a failure that can pass, some time later and maybe in another process. Told apart from
   * `resume` because nothing died: what was to be written down is. Without it the first failure is the end.
   */
  retry?(context: JobContext<Payload>): Promise<JobStatus>;
  /** Whether there is a way back to the beginning from the state its payload tells. Default: there is. */
  mayRetry?(payload: Payload): boolean;
  /** Whether it may be cancelled in the state its payload tells; a sentence why not otherwise. */
  cancelRefusal?(payload: Payload): string | undefined;
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
  /** What the job shows from the start, beside the VM's name. */
  properties?: Record<string, string>;
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

/** How many jobs one worker has at a time, nearly all of them waiting for their turn; others stay with the catalog. */
const mostJobs = 1000;

interface RunningJob extends JobRun {
  context: JobContext<unknown>;
  /** See the column. */
  failures: number;
  /** The work is done and its outcome certain; only writing it down is left. */
  ending: boolean;
  ended: Promise<void>;
}

export interface EngineOptions extends WorkerOptions {
  mostJobs?: number;
  /** How long a job waits that has failed of `code` after `failures` before. Default: as the rules say, by chance. */
  retryWaitMs?: (code: string, failures: number) => number | undefined;
}

type Way = 'run' | 'retry' | 'resume' | 'cancel';

/**
 * Runs jobs and makes them durable: a job is a row before it does anything, its tasks are rows, and jobs that a dead
 * process left open are taken up or failed: at once by the next process of its home, within a lease's time by any other
 * worker of the same catalog. One engine per home, guarded by the home's lock.
 */
export class JobEngine {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #operations = new Map<JobRow['operation'], Operation<unknown>>();
  readonly #running = new Map<string, RunningJob>();
  /** This run of the process in the rows it works on. */
  readonly worker: Worker;
  readonly #retryWaitMs: NonNullable<EngineOptions['retryWaitMs']>;
  readonly #mostJobs: number;
  /** The catalog may have more jobs for us than we took. */
  #hasMore = false;
  #pulse: NodeJS.Timeout | undefined;
  /** Ends when nothing is being claimed. */
  #claiming: Promise<void> = Promise.resolve();
  /** Jobs that are ours in the catalog, but could not be set going. */
  readonly #strays = new Set<string>();
  /** What we had was let go of, and the catalog may not know it yet. */
  #isLost = false;
  /** Ends when the engine stops. */
  readonly #life = new AbortController();
  #stopping = false;

  constructor(db: Database, clock: Clock, log: Logger, options: EngineOptions = {}) {
    this.worker = new Worker(db, clock, options);
    this.#retryWaitMs =
      options.retryWaitMs ?? ((code, failures) => retryWaitMs(code, failures, Math.random()));
    this.#mostJobs = options.mostJobs ?? mostJobs;
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
    const row = this.#rowOf(operation, job, this.worker.id);
    await insertJob(this.#db, row, job.taskIds, job.alongside);
    this.#setGoing({ job: row, tasks: tasksOf(row.job_id, job.taskIds) }, 'run');
    return row.job_id;
  }

  /**
   * Writes down what `choose` returns, in the transaction it is given: so that jobs are chosen and what they were chosen
   * by is noted together with them, or not at all. They are set going as this worker and others have room for them.
   * @returns the jobs' ids, in the same order
   */
  async startMany<Payload>(
    operation: JobRow['operation'],
    choose: (tx: Database) => Promise<readonly NewJob<Payload>[]>,
  ): Promise<string[]> {
    if (this.#stopping) throw new HoldfastError('ServiceStopping', 'The service is stopping.');
    const rows = await this.#db.transaction().execute(async (tx) => {
      const jobs = await choose(tx);
      const chosen = jobs.map((job) => ({ job: this.#rowOf(operation, job, null), taskIds: job.taskIds }));
      await insertJobs(tx, chosen);
      return chosen;
    });
    if (rows.length > 0) await this.#takeUp();
    return rows.map(({ job }) => job.job_id);
  }

  #rowOf(operation: JobRow['operation'], job: NewJob<unknown>, owner: string | null): JobRow {
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
      property_bag_json: JSON.stringify({
        ...(job.itemId !== undefined && { 'VM Name': job.entityName }),
        ...job.properties,
      }),
      error_json: null,
      owner,
      failures: 0,
      retry_at: null,
    };
  }

  /**
   * Announces this worker, and takes up every job that an earlier run of the process left open. Call once, before
   * anything else starts.
   */
  async resumeOpenJobs(): Promise<void> {
    await this.worker.enter();
    await this.#takeUp();
    this.#pulse = setInterval(() => void this.beat(), leaseMs / 4);
    this.#pulse.unref();
  }

  /**
   * Says that this worker lives, stops what others asked it to stop, and takes up what nobody works on. Done by itself
   * every quarter of a lease. Never rejects.
   */
  async beat(): Promise<void> {
    if (this.#stopping) return;
    try {
      if (this.#isLost || !(await this.worker.renew())) {
        this.#log.error({ worker: this.worker.id }, 'this worker was taken for dead; it starts anew');
        await this.#loseAll();
        await this.worker.enter();
        this.#isLost = false;
      }
      for (const jobId of this.#strays) {
        await writeAsOwner(this.#db, jobId, this.worker.id, (tx) =>
          updateJob(tx, jobId, { owner: 'nobody' }),
        );
        this.#strays.delete(jobId);
      }
      for (const jobId of await listCancelling(this.#db, this.worker.id)) {
        this.#running.get(jobId)?.abort.abort(new JobCancelled('The job was cancelled.'));
      }
      await this.#takeUp();
    } catch (error) {
      this.#log.warn({ err: error }, 'the catalog does not answer');
      // Others may think us dead by now. What we have is theirs to take, so we must not go on with it.
      if (this.worker.isOverdue) await this.#loseAll();
    }
  }

  async #loseAll(): Promise<void> {
    this.#isLost = true;
    this.#strays.clear();
    for (const { abort } of this.#running.values())
      abort.abort(new LeaseLost('The worker was taken for dead.'));
    await Promise.all([...this.#running.values()].map((running) => running.ended));
  }

  /** Claims what nobody works on, as far as there is room for it. */
  #takeUp(): Promise<void> {
    const claimed = this.#claiming.then(() => this.#claim());
    this.#claiming = claimed.catch(() => {});
    return claimed;
  }

  async #claim(): Promise<void> {
    const room = this.#mostJobs - this.#running.size;
    this.#hasMore = true;
    if (room <= 0 || this.#stopping) return;
    const now = this.#clock.now();
    const latest = now.add({ milliseconds: longestRetryWaitMs });
    const at = { now: catalogTime(now), latest: catalogTime(latest) };
    const jobs = await claimJobs(this.#db, this.worker.id, at, room);
    this.#hasMore = jobs.length === room;
    if (jobs.length === 0) return;
    const jobIds = jobs.map((job) => job.job_id);
    const tasks = await listTasks(this.#db, jobIds).catch((error: unknown) => {
      for (const jobId of jobIds) this.#strays.add(jobId);
      throw error;
    });
    for (const job of jobs) {
      const isNew = job.owner === null && job.status !== 'Cancelling';
      if (!isNew)
        this.#log.info({ jobId: job.job_id, operation: job.operation }, 'taking up a job left open');
      const record = { job, tasks: tasks.get(job.job_id) ?? [] };
      const way = isNew ? (job.failures > 0 ? 'retry' : 'run') : 'resume';
      this.#setGoing(record, job.status === 'Cancelling' ? 'cancel' : way);
    }
  }

  /** Why a job can't be cancelled now, whether it runs here, elsewhere or nowhere yet; undefined when it can. */
  cancelRefusal(job: JobRow): HoldfastError | undefined {
    const running = this.#running.get(job.job_id);
    if (job.ended_at !== null || running?.ending) return notRunning(job.job_id);
    const refusal = this.#operations.get(job.operation)?.cancelRefusal;
    if (refusal === undefined) return notCancellable(job, `A ${job.operation} job can't be cancelled.`);
    const sentence = refusal(running === undefined ? JSON.parse(job.payload_json) : running.context.payload);
    return sentence === undefined ? undefined : notCancellable(job, sentence);
  }

  /** Asks an open job to stop; one that waits for its turn is ended at once. @throws JobNotCancellable */
  async cancel(jobId: string): Promise<void> {
    const found = await findJob(this.#db, jobId);
    if (found === undefined) throw notRunning(jobId);
    // From here to the abort nothing is waited for, so that the work can't go past the point of no return meanwhile.
    const refusal = this.cancelRefusal(found.job);
    if (refusal !== undefined) throw refusal;
    const running = this.#running.get(jobId);
    if (running === undefined) return this.#cancelElsewhere(jobId);
    running.abort.abort(new JobCancelled('The job was cancelled.'));
    if (await markCancelling(this.#db, jobId)) return;
    // The work had ended meanwhile; it may still have noticed.
    await running.ended;
    const record = await findJob(this.#db, jobId);
    if (record?.job.status !== 'Cancelled') throw notRunning(jobId);
  }

  /** A job that waits for a worker, or that another worker has: it is told with its next beat. */
  async #cancelElsewhere(jobId: string): Promise<void> {
    if (!(await markCancelling(this.#db, jobId))) throw notRunning(jobId);
    await this.#takeUp();
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
    clearInterval(this.#pulse);
    await this.#claiming;
    await Promise.all([...this.#running.values()].map((running) => running.ended));
  }

  /** Tells the catalog that this worker is gone, so that nobody waits for its lease to end. After everything else. */
  async signOff(): Promise<void> {
    await this.worker
      .leave()
      .catch((error: unknown) => this.#log.warn({ err: error }, 'the worker could not sign off'));
  }

  /** A job that can't be set going now is ours all the same, and is taken up anew with a later beat. */
  #setGoing(record: JobWithTasks, how: Way): void {
    try {
      this.#launch(record, how);
    } catch (error) {
      this.#log.error({ jobId: record.job.job_id, err: error }, 'could not set a job going');
      this.#strays.add(record.job.job_id);
    }
  }

  #launch(record: JobWithTasks, how: Way): void {
    const jobId = record.job.job_id;
    const operation = this.#operations.get(record.job.operation);
    if (operation === undefined) throw new Error(`no operation '${record.job.operation}' is registered`);
    const abort = new AbortController();
    if (how === 'cancel') abort.abort(new JobCancelled('The job was cancelled.'));
    const { failures } = record.job;
    const isPassing = (error: unknown) =>
      operation.retry !== undefined &&
      (operation.mayRetry?.(context.payload) ?? true) &&
      isHoldfastError(error) &&
      this.#retryWaitMs(error.code, failures) !== undefined;
    const run: JobRun = { workerId: this.worker.id, abort, isPassing };
    const context = new JobContext<unknown>(this.#db, this.#clock, this.#log, record, run);
    const work = begin(operation, context, how);
    const running: RunningJob = { ...run, context, failures, ending: false, ended: Promise.resolve() };
    this.#running.set(jobId, running);
    running.ended = this.#settle(jobId, work, running).then((hasEnded) => {
      this.#running.delete(jobId);
      if (hasEnded) operation.ended?.(context.payload);
      if (this.#hasMore && !this.#stopping)
        this.#takeUp().catch((error: unknown) => this.#log.warn({ err: error }, 'no job was taken up'));
    });
  }

  /**
   * Writes down how the job ended, and returns whether it has. Never rejects. An end that can't be recorded, for
   * example because the home is full, is tried again: nobody should have to wait for a job that is over. When the
   * service stops before, the job is taken up at the next start. So is, when its time has come, one that failed of what
   * can pass.
   */
  async #settle(jobId: string, work: Promise<JobStatus>, running: RunningJob): Promise<boolean> {
    const { status, error, waitMs } = await this.#outcome(jobId, work, running);
    running.ending = true;
    if (status === undefined) return false;
    const write =
      error === undefined || waitMs === undefined
        ? this.#ending(jobId, status, error, running.context)
        : this.#waiting(jobId, running, error, waitMs);
    for (let attempt = 1; attempt <= recordAttempts; attempt++) {
      try {
        const written = await writeAsOwner(this.#db, jobId, running.workerId, write);
        return written !== undefined && waitMs === undefined;
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

  #ending(jobId: string, status: JobStatus, error: JobError | undefined, context: JobContext<unknown>) {
    // Cancelled while it waited, it has no next try.
    const { [nextTry]: next, ...properties } = context.properties;
    const end = {
      ...(next !== undefined && { property_bag_json: JSON.stringify(properties) }),
      status,
      ended_at: catalogTime(this.#clock.now()),
      ...(error && { error_json: JSON.stringify(error) }),
    };
    return (tx: Database) => endJob(tx, jobId, end);
  }

  #waiting(jobId: string, { context, failures }: RunningJob, error: JobError, waitMs: number) {
    const at = this.#clock.now().add({ milliseconds: waitMs });
    const shown = at.toString({ smallestUnit: 'second' });
    this.#log.info({ jobId, code: error.code, failures: failures + 1 }, `the job is tried again at ${shown}`);
    const properties = { ...context.properties, [retries]: String(failures + 1), [nextTry]: shown };
    const wait = {
      failures: failures + 1,
      retry_at: catalogTime(at),
      error_json: JSON.stringify(error),
      property_bag_json: JSON.stringify(properties),
    };
    return (tx: Database) =>
      postponeJob(tx, jobId, wait, `${error.message.replace(/\.?$/, '.')} It is tried again at ${shown}.`);
  }

  async #outcome(
    jobId: string,
    work: Promise<JobStatus>,
    { abort: { signal }, isPassing, failures }: RunningJob,
  ): Promise<{ status: JobStatus | undefined; error?: JobError; waitMs?: number | undefined }> {
    try {
      return { status: await work };
    } catch (error) {
      if (signal.reason instanceof ServiceStopping) return { status: undefined };
      if (signal.reason instanceof JobCancelled) {
        const cancelled = new HoldfastError('UserErrorJobSuccessfullyCancelled', 'The job was cancelled.');
        return { status: 'Cancelled', error: jobErrorOf(cancelled) };
      }
      if (!isHoldfastError(error)) this.#log.error({ jobId, err: error }, 'job failed unexpectedly');
      else this.#log.warn({ jobId, code: error.code, err: error }, 'job failed');
      const waitMs =
        isHoldfastError(error) && isPassing(error) ? this.#retryWaitMs(error.code, failures) : undefined;
      return { status: 'Failed', error: jobErrorOf(error), waitMs };
    }
  }
}

async function begin(
  operation: Operation<unknown>,
  context: JobContext<unknown>,
  how: Way,
): Promise<JobStatus> {
  if (how === 'run') return operation.run(context);
  if (how !== 'retry' || operation.retry === undefined) return operation.resume(context);
  await context.tryAgain();
  return operation.retry(context);
}

const notCancellable = (job: JobRow, sentence: string) =>
  new HoldfastError('JobNotCancellable', sentence, { target: job.job_id });

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
