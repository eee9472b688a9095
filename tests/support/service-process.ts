import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export const mainProgram = resolve(import.meta.dirname, '../../src/main.ts');

/** A service that tries a refused snapshot again soon. */
export const quickProgram = [resolve(import.meta.dirname, 'quick-service.ts')] as const;

const startTimeoutMs = 60_000;
const stopTimeoutMs = 60_000;

/** A running `holdfast serve`. */
export interface ServiceProcess extends AsyncDisposable {
  readonly pid: number;
  /** What it has written to its log so far. */
  log(): string;
  /** Ends it with SIGKILL, as the out-of-memory killer would. */
  kill(): Promise<void>;
  /** Ends it with SIGTERM. @returns its exit code */
  stop(): Promise<number | null>;
}

/**
 * Starts the service and waits until it serves. It ends with this process, even when that is killed.
 * @param program a script other than the service's own that prints the same line when it is up
 */
export async function startServiceProcess(
  home: string,
  program: readonly [string, ...string[]] = [mainProgram, 'serve'],
): Promise<ServiceProcess> {
  const args = [...program, '--home', home, '--listen', '127.0.0.1:0'];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', process.execPath, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  });
  const ended = once(child, 'close') as Promise<[number | null]>;
  let log = '';
  const serving = Promise.withResolvers<void>();
  const take = (text: Buffer) => {
    log += text;
    if (log.includes('Holdfast serves ')) serving.resolve();
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
    const [code] = await ended;
    clearTimeout(timer);
    return code;
  };
  const timer = new AbortController();
  try {
    await Promise.race([
      serving.promise,
      ended.then(() => Promise.reject(new Error(`The service ended by itself:\n${log}`))),
      delay(startTimeoutMs, undefined, { signal: timer.signal }).then(() =>
        Promise.reject(new Error(`The service did not come up in time:\n${log}`)),
      ),
    ]);
  } catch (error) {
    await end('SIGKILL');
    throw error;
  } finally {
    timer.abort();
  }
  return {
    pid: child.pid ?? 0,
    log: () => log,
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
    [Symbol.asyncDispose]: async () => void (await end('SIGTERM')),
  };
}
