import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type ChunkJob, type JobResult, jobBytes, runJob } from './chunk-jobs.ts';
import type { ContentKeys } from './keys/store-keys.ts';
import type { Slab } from './slab.ts';

export interface JobRequest {
  memory: SharedArrayBuffer;
  inputBytes: number;
  job: ChunkJob;
}

export interface JobReply {
  result?: JobResult;
  error?: unknown;
}

const mostThreads = 8;

/**
 * Jobs done on the calling thread before any worker is started: a thread costs as much as 10 MiB of work, and most
 * stores that are opened for a look or for a small incremental never need one.
 */
const bytesBeforeThreads = 4 * 1024 * 1024;

/** Below this a message to another thread costs as much as the work; a page of a map is below it. */
const worthAMessageBytes = 16 * 1024 + 1;

/** A second job waits at each thread, so that it never stands still until the main thread has its turn. */
const jobsPerThread = 2;

/** Threads make little garbage; what they make (seals, frames of the documented way) is soon given back. */
const resourceLimits = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 128 };

interface PendingJob {
  request: JobRequest;
  resolve: (result: JobResult) => void;
  reject: (error: unknown) => void;
}

interface Thread {
  worker: Worker;
  /** In the order they were handed over, which is the order of the replies. */
  jobs: PendingJob[];
}

/**
 * Runs chunk jobs on threads, so that all cores are busy and the event loop is free. Threads are started when there is
 * enough to do, stay until the store is closed, and never keep the process alive by being there. A thread that dies
 * fails the jobs it had; the next job has a new one.
 */
export class ChunkWorkers implements AsyncDisposable {
  readonly limit: number;
  readonly #keys: ContentKeys | undefined;
  readonly #script: URL;
  readonly #bytesBeforeThreads: number;
  #bytesDone = 0;
  readonly #threads = new Set<Thread>();
  readonly #queue: PendingJob[] = [];
  readonly #onIdle: (() => void)[] = [];
  #closed = false;

  /**
   * `threads`: default one per core, at most eight; 0: the calling thread does everything. `keys`: of an encrypted store;
   * each thread is given them once, at its start. The other options are for tests.
   */
  constructor(
    options: {
      threads?: number | undefined;
      keys?: ContentKeys | undefined;
      bytesBeforeThreads?: number;
      script?: URL;
    } = {},
  ) {
    this.#keys = options.keys;
    this.#script = options.script ?? new URL('./chunk-worker.ts', import.meta.url);
    this.limit = Math.min(options.threads ?? availableParallelism(), mostThreads);
    this.#bytesBeforeThreads = options.bytesBeforeThreads ?? bytesBeforeThreads;
  }

  /** Threads there are now. */
  get threads(): number {
    return this.#threads.size;
  }

  /** Until this settles, the slab belongs to the job. */
  async run(slab: Slab, job: ChunkJob): Promise<JobResult> {
    const bytes = jobBytes(job);
    this.#bytesDone += bytes;
    const alone = this.#closed || this.limit === 0;
    if (alone || bytes < worthAMessageBytes || this.#bytesDone <= this.#bytesBeforeThreads)
      return runJob(slab, job, this.#keys);
    return await new Promise<JobResult>((resolve, reject) => {
      this.#queue.push({
        request: { memory: slab.memory, inputBytes: slab.inputBytes, job },
        resolve,
        reject,
      });
      this.#handOut();
    });
  }

  /** Ends the threads once they have done what they were given; later jobs run on the calling thread. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    if (this.#isBusy()) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
    await Promise.all([...this.#threads].map(({ worker }) => worker.terminate()));
  }

  #isBusy(): boolean {
    return this.#queue.length > 0 || [...this.#threads].some(({ jobs }) => jobs.length > 0);
  }

  #goOn(): void {
    this.#handOut();
    if (this.#onIdle.length > 0 && !this.#isBusy()) for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  #handOut(): void {
    while (this.#queue.length > 0) {
      const thread = this.#leastBusy();
      if (thread === undefined) return;
      const job = this.#queue.shift();
      if (job === undefined) return;
      if (thread.jobs.push(job) === 1) thread.worker.ref();
      thread.worker.postMessage(job.request);
    }
  }

  #leastBusy(): Thread | undefined {
    let best: Thread | undefined;
    for (const thread of this.#threads)
      if (best === undefined || thread.jobs.length < best.jobs.length) best = thread;
    if (best !== undefined && best.jobs.length === 0) return best;
    if (this.#threads.size < this.limit) return this.#start();
    return best !== undefined && best.jobs.length < jobsPerThread ? best : undefined;
  }

  #start(): Thread {
    const worker = new Worker(this.#script, {
      name: 'holdfast-chunks',
      workerData: this.#keys,
      resourceLimits,
    });
    const thread: Thread = { worker, jobs: [] };
    this.#threads.add(thread);
    worker.unref();
    worker.on('message', ({ result, error }: JobReply) => {
      const job = thread.jobs.shift();
      if (thread.jobs.length === 0) worker.unref();
      this.#goOn();
      if (result !== undefined) job?.resolve(result);
      else job?.reject(error);
    });
    let cause: unknown;
    worker.on('error', (error) => {
      cause = error;
    });
    worker.on('exit', (code) => {
      this.#threads.delete(thread);
      const failure = new Error(
        `a worker thread of the store ended with status ${code} while it had work to do`,
        { cause },
      );
      for (const job of thread.jobs.splice(0)) job.reject(failure);
      this.#goOn();
    });
    return thread;
  }
}
