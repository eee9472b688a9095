import type { Accepted, HoldfastClient } from '../api/client/index.ts';
import type { Call } from './call.ts';
import type { WaitOptions } from './command.ts';
import type { ExitCode } from './exit-codes.ts';
import { followJob } from './follow-job.ts';
import { printable } from './look.ts';
import { jobTitle } from './progress.ts';

/** After the service has accepted: finds the job, and follows it or says how to. */
export async function startedJob(
  call: Call<WaitOptions>,
  client: HoldfastClient,
  accepted: Accepted,
): Promise<ExitCode | undefined> {
  const { vault } = call;
  const id = await client.operations.jobOf(accepted);
  if (call.options.wait !== false) return followJob(call, client, vault, id);
  const job = await client.jobs.get(vault, id);
  call.json(job);
  call.write(`${printable(jobTitle(job))} started, job ${printable(id)}\n`);
  call.write(`To follow it: ${call.nextCommand(`job show ${printable(id)} --watch`)}\n`);
  return undefined;
}
