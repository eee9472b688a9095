import { type Database, type JobWithTasks, updateJob, updateTask, writeAsOwner } from '../catalog/index.ts';
import { messageOf } from '../errors/index.ts';
import type { TaskStatus } from '../protection/index.ts';
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';
import type { TaskProgress } from './progress.ts';

/** Why a job's signal was aborted. */
export class JobCancelled extends Error {
  override readonly name = 'JobCancelled';
}

/** The service stops; the job stays open and is taken up at the next start. */
export class ServiceStopping extends Error {
  override readonly name: string = 'ServiceStopping';
}

/** This worker was taken for dead; the job stays open, and another worker may have it already. */
export class LeaseLost extends ServiceStopping {
  override readonly name = 'LeaseLost';
}

/** Names of what a job shows of its retries. */
export const retries = 'Retries';
export const nextTry = 'Next try';

/** How often figures of a running task are written down. */
const progressIntervalMs = 500;

/** What a run of a job is of: who does it, and how it is stopped. */
export interface JobRun {
  workerId: string;
  abort: AbortController;
  /** Whether a failure is one after which the job is tried again. */
  isPassing(error: unknown): boolean;
}

/** What a running operation has at hand: its input, its tasks, its signal. */
export class JobContext<Payload> {
  readonly jobId: string;
  readonly signal: AbortSignal;
  readonly #run: JobRun;
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #tasks: Map<string, { position: number; status: TaskStatus }>;
  #payload: Payload;
  #properties: Record<string, string>;

  constructor(db: Database, clock: Clock, log: Logger, { job, tasks }: JobWithTasks, run: JobRun) {
    this.jobId = job.job_id;
    this.signal = run.abort.signal;
    this.#run = run;
    this.#db = db;
    this.#clock = clock;
    this.#log = log;
    this.#payload = JSON.parse(job.payload_json) as Payload;
    this.#properties = JSON.parse(job.property_bag_json) as Record<string, string>;
    this.#tasks = new Map(
      tasks.map((task) => [task.task_id, { position: task.position, status: task.status }]),
    );
  }

  get payload(): Payload {
    return this.#payload;
  }

  /**
   * Writes what this job comes to, provided it is still this worker's; whatever a job writes of itself or of what it works
   * on, it writes so. Done as a whole or not at all. `work` may use nothing but the transaction it is given.
   * @throws LeaseLost when the job may be another's by now; its signal is aborted with that, too
   */
  async write<T>(work: (tx: Database) => Promise<T>): Promise<T> {
    const written = await writeAsOwner(this.#db, this.jobId, this.#run.workerId, work);
    if (written !== undefined) return written.result;
    const lost = new LeaseLost('The worker was taken for dead.');
    this.#run.abort.abort(lost);
    throw lost;
  }

  /** Whether the job is tried again after this failure: then nothing of it is final, and it is to be thrown on. */
  willRetry(error: unknown): boolean {
    return !this.signal.aborted && this.#run.isPassing(error);
  }

  /** What the job shows beside its tasks. */
  get properties(): Readonly<Record<string, string>> {
    return this.#properties;
  }

  /** Notes that the job is tried again now: the failure before is none of it any more. */
  async tryAgain(): Promise<void> {
    const { [nextTry]: _, ...properties } = this.#properties;
    this.#properties = properties;
    const change = { error_json: null, property_bag_json: JSON.stringify(properties) };
    await this.write((tx) => updateJob(tx, this.jobId, change));
  }

  /** Writes down what must be known after a crash, before the step that needs it. */
  async savePayload(change: Partial<Payload>): Promise<void> {
    this.#payload = { ...this.#payload, ...change };
    const text = JSON.stringify(this.#payload);
    await this.write((tx) => updateJob(tx, this.jobId, { payload_json: text }));
  }

  /** Shown with the job; Azure's names where it has one. */
  async setProperties(properties: Record<string, string>): Promise<void> {
    this.#properties = { ...this.#properties, ...properties };
    const text = JSON.stringify(this.#properties);
    await this.write((tx) => updateJob(tx, this.jobId, { property_bag_json: text }));
  }

  hasTask(taskId: string): boolean {
    return this.#tasks.has(taskId);
  }

  taskStatus(taskId: string): TaskStatus {
    return this.#task(taskId).status;
  }

  /**
   * Runs one task of the job. Its figures are asked of `progress` now and then and written down as well as can be:
   * they never fail the work. A failure marks the task and is thrown on; a stop of the service leaves the task as it
   * is.
   */
  async runTask<T>(taskId: string, work: (task: RunningTask) => Promise<T>): Promise<T> {
    await this.#setTask(taskId, 'InProgress', { started_at: this.#clock.now().toString(), message: null });
    let progress: (() => TaskProgress) | undefined;
    let writing: Promise<void> = Promise.resolve();
    const timer = setInterval(() => {
      if (progress === undefined) return;
      const text = JSON.stringify(progress());
      writing = writing
        .then(() => this.#updateTask(this.#task(taskId).position, { progress_json: text }))
        .catch((error: unknown) =>
          this.#log.warn({ jobId: this.jobId, err: error }, "could not write down a task's progress"),
        );
    }, progressIntervalMs);
    const finish = async (status: TaskStatus, message?: string) => {
      clearInterval(timer);
      await writing;
      await this.#setTask(taskId, status, {
        ended_at: this.#clock.now().toString(),
        ...(message === undefined ? {} : { message }),
        ...(progress === undefined ? {} : { progress_json: JSON.stringify(progress()) }),
      });
    };
    try {
      const result = await work({
        reportProgress: (source) => {
          progress = source;
        },
        say: (message) => this.#setTask(taskId, 'InProgress', { message }),
      });
      await finish('Completed');
      return result;
    } catch (error) {
      if (this.signal.reason instanceof ServiceStopping) throw error;
      await finish(this.signal.aborted ? 'Cancelled' : 'Failed', messageOf(error));
      throw error;
    } finally {
      clearInterval(timer);
      await writing;
    }
  }

  /** Notes a problem that does not fail the job. */
  async setError(error: { code: string; message: string; action: string }): Promise<void> {
    await this.write((tx) => updateJob(tx, this.jobId, { error_json: JSON.stringify(error) }));
  }

  /** Marks a task that an earlier run of the process had finished without being able to say so. */
  async completeTask(taskId: string): Promise<void> {
    if (this.taskStatus(taskId) === 'Completed') return;
    await this.#setTask(taskId, 'Completed', { ended_at: this.#clock.now().toString() });
  }

  /** Puts another task, not begun yet, in the place of one that turned out to be the wrong way. */
  async replaceTask(taskId: string, by: string, reason: string): Promise<void> {
    const { position } = this.#task(taskId);
    this.#tasks.delete(taskId);
    this.#tasks.set(by, { position, status: 'NotStarted' });
    await this.#updateTask(position, {
      task_id: by,
      status: 'NotStarted',
      ended_at: null,
      message: reason,
      progress_json: null,
    });
  }

  /** Marks a task that is not needed this time, and says why. */
  async skipTask(taskId: string, reason: string): Promise<void> {
    const now = this.#clock.now().toString();
    await this.#setTask(taskId, 'Skipped', { started_at: now, ended_at: now, message: reason });
  }

  /** Ends the tasks that were never begun, with the job that was to do them, and says why. */
  async endUnbegun(reason: string): Promise<void> {
    const status = this.signal.aborted ? 'Cancelled' : 'Failed';
    for (const [taskId, task] of this.#tasks)
      if (task.status === 'NotStarted') await this.#setTask(taskId, status, { message: reason });
  }

  async #setTask(
    taskId: string,
    status: TaskStatus,
    change: { started_at?: string; ended_at?: string; message?: string | null; progress_json?: string },
  ): Promise<void> {
    const task = this.#task(taskId);
    task.status = status;
    await this.#updateTask(task.position, { status, ...change });
  }

  #updateTask(position: number, change: Parameters<typeof updateTask>[3]): Promise<void> {
    return this.write((tx) => updateTask(tx, this.jobId, position, change));
  }

  #task(taskId: string): { position: number; status: TaskStatus } {
    const task = this.#tasks.get(taskId);
    if (task === undefined) throw new Error(`job ${this.jobId} has no task '${taskId}'`);
    return task;
  }
}

/** What the work of one task may say about itself. */
export interface RunningTask {
  /** Names where the task's current figures come from; they are written down while it runs and when it ends. */
  reportProgress(source: () => TaskProgress): void;
  /** A sentence shown beside the task. */
  say(message: string): Promise<void>;
}
