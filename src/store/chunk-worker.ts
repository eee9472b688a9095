/** A thread that does chunk jobs, one after the other. Started by `chunk-workers.ts` only. */
import { parentPort, workerData } from 'node:worker_threads';
import { runJob } from './chunk-jobs.ts';
import type { JobReply, JobRequest } from './chunk-workers.ts';
import type { ContentKeys } from './keys/store-keys.ts';
import { Slab } from './slab.ts';

const port = parentPort;
if (port === null) throw new Error('chunk-worker.ts is for worker threads');

const keys: ContentKeys | undefined = workerData;

function answer({ memory, inputBytes, job }: JobRequest): JobReply {
  try {
    return { result: runJob(new Slab(memory, inputBytes), job, keys) };
  } catch (error) {
    return { error };
  }
}

port.on('message', (request: JobRequest) => {
  const reply = answer(request);
  const memory = reply.result?.plain?.buffer;
  port.postMessage(reply, memory instanceof ArrayBuffer ? [memory] : []);
});
