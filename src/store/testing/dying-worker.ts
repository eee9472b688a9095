/** As `chunk-worker.ts`, but one kind of job ends the thread in the middle. */
import { parentPort } from 'node:worker_threads';
import type { JobRequest } from '../chunk-workers.ts';

// Before the other listens, so that the job is never done.
parentPort?.on('message', ({ job }: JobRequest) => {
  if (job.kind === 'pack') process.exit(7);
});
await import('../chunk-worker.ts');
