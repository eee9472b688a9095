import { spawn } from 'node:child_process';

/** What a finished program left behind. */
export interface RunResult {
  stdout: string;
  stderr: string;
  /** Exit status, or null when a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface RunOptions {
  /** The program is killed after this time; every external call has a bound. */
  timeoutMs: number;
  /** Text for the program's standard input; otherwise it has none. */
  input?: string | Uint8Array;
  /** Added to the environment. `LC_ALL=C` is always set: output is parsed, and must not be localized. */
  env?: Record<string, string>;
  /** Stops the program (SIGTERM, then SIGKILL). */
  signal?: AbortSignal;
  /** Output beyond this many bytes per stream fails the call. Default 64 MiB. */
  maxOutputBytes?: number;
}

/** A program could not be started, ran out of time, or ended with a status other than 0. */
export class RunError extends Error {
  override readonly name = 'RunError';
  readonly command: readonly string[];
  readonly result: RunResult;
  readonly kind: 'missing' | 'timeout' | 'failed' | 'output';

  constructor(kind: RunError['kind'], command: readonly string[], result: RunResult, cause?: unknown) {
    const how = {
      missing: 'is not installed or not executable',
      timeout: 'did not finish in time',
      failed: result.signal === null ? `exited with status ${result.code}` : `was ended by ${result.signal}`,
      output: 'printed more than allowed',
    }[kind];
    const said = result.stderr.trim() === '' ? '' : `: ${result.stderr.trim().slice(0, 2000)}`;
    super(`${command[0]} ${how}${said}`, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.command = command;
    this.result = result;
  }
}

/** How long a program may take to end after SIGTERM before it gets SIGKILL. */
const killDelayMs = 2_000;

/** How long after the program's exit its pipes are still read. */
const drainDelayMs = 5_000;

/**
 * Runs a program to its end. No shell is involved: arguments arrive as they are.
 * @throws {RunError} if it is missing, takes too long or exits with a status other than 0
 */
export async function run(command: readonly [string, ...string[]], options: RunOptions): Promise<RunResult> {
  options.signal?.throwIfAborted();
  const [program, ...args] = command;
  const limit = options.maxOutputBytes ?? 64 * 1024 * 1024;
  const child = spawn(program, args, {
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env, LC_ALL: 'C' },
  });
  const output: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
  let failure: RunError['kind'] | undefined;
  let killTimer: NodeJS.Timeout | undefined;
  const stop = (kind?: RunError['kind']) => {
    failure ??= kind;
    child.kill('SIGTERM');
    killTimer ??= setTimeout(() => child.kill('SIGKILL'), killDelayMs);
  };
  for (const name of ['stdout', 'stderr'] as const) {
    let bytes = 0;
    child[name]?.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > limit) stop('output');
      else output[name].push(chunk);
    });
  }
  const timer = setTimeout(() => stop('timeout'), options.timeoutMs);
  const onAbort = () => stop();
  options.signal?.addEventListener('abort', onAbort, { once: true });
  child.stdin?.on('error', () => {}); // a program may end without reading its input
  child.stdin?.end(options.input);

  const ended = Promise.withResolvers<{ code: number | null; signal: NodeJS.Signals | null }>();
  let startError: unknown;
  child.once('error', (error) => {
    startError = error;
    if (child.pid === undefined) ended.resolve({ code: null, signal: null });
  });
  child.once('close', (code, signal) => ended.resolve({ code, signal }));
  child.once('exit', (code, signal) => {
    // A grandchild may hold the pipes open for ever; the program itself is gone, and that is what counts.
    setTimeout(() => ended.resolve({ code, signal }), drainDelayMs).unref();
  });
  try {
    const { code, signal } = await ended.promise;
    const result: RunResult = {
      stdout: Buffer.concat(output.stdout).toString('utf8'),
      stderr: Buffer.concat(output.stderr).toString('utf8'),
      code,
      signal,
    };
    options.signal?.throwIfAborted();
    if (startError !== undefined) throw new RunError('missing', command, result, startError);
    if (failure !== undefined) throw new RunError(failure, command, result);
    if (code !== 0) throw new RunError('failed', command, result);
    return result;
  } finally {
    clearTimeout(timer);
    clearTimeout(killTimer);
    options.signal?.removeEventListener('abort', onAbort);
  }
}
