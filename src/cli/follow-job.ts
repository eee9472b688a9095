import { ApiError, type HoldfastClient, type Job, pause, type VaultAddress } from '../api/client/index.ts';
import { HoldfastError, isHoldfastError } from '../errors/index.ts';
import type { Call } from './call.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { OutputClosed } from './io.ts';
import { JobDisplay } from './job-display.ts';
import { lookOf } from './look.ts';
import { hasEnded, jobChanges, jobResult } from './progress.ts';

export interface FollowOptions {
  /** Gives up waiting after this; the job goes on. */
  timeoutMs?: number | undefined;
  /** Shows the end only. */
  quiet?: boolean | undefined;
}

const defaultPollMs = 1_000;

/** How long the service may be away, to be restarted or upgraded, before a wait for its job gives up. */
const patienceMs = 120_000;

/** Follows a job to its end, in the form the output asks for. Interrupting ends the following, not the job. */
export async function followJob(
  call: Call,
  client: HoldfastClient,
  at: VaultAddress,
  id: string,
  options: FollowOptions = {},
): Promise<ExitCode> {
  const watcher = watcherOf(call, options.quiet === true);
  try {
    const job = await waitForJob(call, client, at, id, watcher, options.timeoutMs);
    watcher.end(job);
    return exitCodeOfJob(job);
  } catch (error) {
    if (!call.io.signal?.aborted) throw error;
    if (!(call.io.signal.reason instanceof OutputClosed)) {
      call.say('Interrupted. The job goes on; to get back to it:');
      call.say(`  ${call.nextCommand(`job show ${id} --watch`)}`);
    }
    return exitCodes.interrupted;
  }
}

/** 0, 3 with warnings, 4 when it failed or was cancelled. */
export function exitCodeOfJob(job: Job): ExitCode {
  const { status } = job.properties;
  if (status === 'CompletedWithWarnings') return exitCodes.warnings;
  return status === 'Failed' || status === 'Cancelled' ? exitCodes.jobFailed : exitCodes.ok;
}

type Watcher = Pick<JobDisplay, 'update' | 'note' | 'end'>;

async function waitForJob(
  call: Call,
  firstClient: HoldfastClient,
  at: VaultAddress,
  id: string,
  watcher: Watcher,
  timeoutMs: number | undefined,
): Promise<Job> {
  const began = call.now;
  let client = firstClient;
  let lostAt: number | undefined;
  for (;;) {
    try {
      if (lostAt !== undefined) client = await call.connect();
      const job = await client.jobs.get(at, id);
      if (lostAt !== undefined) watcher.note('The service is back.');
      lostAt = undefined;
      if (hasEnded(job)) return job;
      watcher.update(job);
    } catch (error) {
      if (call.io.signal?.aborted || !mayComeBack(error)) throw error;
      if (lostAt === undefined) watcher.note('The service does not answer; trying again.');
      lostAt ??= call.now;
      if (call.now - lostAt > patienceMs) throw error;
    }
    if (timeoutMs !== undefined && call.now - began >= timeoutMs)
      throw new HoldfastError('WaitTimedOut', `Job ${id} did not end within ${timeoutMs / 1000} s.`, {
        action: `It goes on; to get back to it: ${call.nextCommand(`job show ${id} --watch`)}`,
      });
    await pause(call.io.pollMs ?? defaultPollMs, call.io.signal);
  }
}

/** A service that restarts refuses connections, then has another token; the job survives that. */
function mayComeBack(error: unknown): boolean {
  if (error instanceof ApiError) return error.status === 401 || error.status === 503;
  return isHoldfastError(error, 'ServiceUnreachable', 'ServiceNotRunning', 'ServiceTimedOut');
}

/** People get the display; programs get objects, and their people progress on a terminal's standard error. */
function watcherOf(call: Call, quiet: boolean): Watcher {
  const { io } = call;
  const silent = { update() {}, note: (text: string) => call.say(text) };
  const display = (output: typeof io.stdout) => new JobDisplay(output, lookOf(io, output), () => call.now);
  switch (call.options.output) {
    case 'table': {
      if (!quiet) return display(io.stdout);
      return { ...silent, end: (job) => call.write(`${jobResult(job, call.look).join('\n')}\n`) };
    }
    case 'json': {
      const end = (job: Job) => call.json(job);
      if (quiet || io.stderr.isTTY !== true) return { ...silent, end };
      const shown = display(io.stderr);
      return {
        update: (job) => shown.update(job),
        note: (text) => shown.note(text),
        end(job) {
          shown.end(job);
          end(job);
        },
      };
    }
    case 'jsonl': {
      let last: Job | undefined;
      return {
        note: silent.note,
        update(job) {
          if (!quiet && jobChanges(last, job).length > 0) call.json(job);
          last = job;
        },
        end: (job) => call.json(job),
      };
    }
  }
}
