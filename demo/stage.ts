import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { styleText } from 'node:util';
import { messageOf } from '../src/errors/index.ts';

const program = resolve(import.meta.dirname, '..', 'bin', 'holdfast');
const startTimeoutMs = 60_000;
const stopTimeoutMs = 60_000;

/** A step of the demo could not be done. */
export class DemoFailure extends Error {
  override readonly name = 'DemoFailure';
}

export const heading = (text: string) => console.log(`\n${styleText('bold', text)}`);
export const note = (text: string) => console.log(styleText('dim', `  ${text}`));
export const good = (text: string) => console.log(`  ${styleText('green', '✓')} ${text}`);

/** A service of its own on a scratch home, and the command line that talks to it. */
export interface Stage extends AsyncDisposable {
  readonly home: string;
  readonly endpoint: string;
  /** Where a browser becomes the owner, and is led to the portal. */
  firstRunLink(): string | undefined;
  /** Runs a command in view, as a person would; fails the demo if it fails. */
  show(...args: string[]): Promise<void>;
  /** Runs a command and returns its JSON. */
  ask(...args: string[]): Promise<unknown>;
  /** Rejects when the service ends by itself. */
  readonly lost: Promise<never>;
}

export async function startStage(signal: AbortSignal): Promise<Stage> {
  const home = await mkdtemp(join(tmpdir(), 'holdfast-demo-home-'));
  const children = new Set<ChildProcess>();
  const launch = (args: string[], stdio: 'inherit' | 'pipe') => {
    signal.throwIfAborted();
    const child = spawn(program, args, { stdio: ['ignore', stdio, stdio === 'pipe' ? 'pipe' : 'inherit'] });
    children.add(child);
    child.once('close', () => children.delete(child));
    return child;
  };

  // In a group of its own: Ctrl-C is ours to handle, and the service is stopped when its guest is gone.
  const service = spawn(
    program,
    ['serve', '--home', home, '--listen', '127.0.0.1:0', '--log-level', 'warn'],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    },
  );
  let log = '';
  for (const stream of [service.stdout, service.stderr]) stream.on('data', (text) => (log += text));
  service.once('error', (error) => (log += messageOf(error)));
  const ended = new Promise<void>((done) => {
    service.once('close', () => done());
    service.once('error', () => done());
  });
  let stopping = false;
  const lost = ended.then((): never => {
    throw new DemoFailure(`the service ended by itself:\n${log.slice(-4000)}`);
  });
  lost.catch(() => {});

  const stop = async () => {
    if (stopping) return ended;
    stopping = true;
    for (const child of children) child.kill('SIGTERM');
    service.kill('SIGTERM');
    const timer = setTimeout(() => service.kill('SIGKILL'), stopTimeoutMs);
    await ended;
    clearTimeout(timer);
    await rm(home, { recursive: true, force: true });
  };

  try {
    const endpoint = await Promise.race([readEndpoint(home, signal), lost]);
    return {
      home,
      firstRunLink: () => /https:\/\/\S+\/first-run\?code=\S+/.exec(log)?.[0],
      endpoint,
      lost,
      async show(...args) {
        console.log(styleText('cyan', `  $ holdfast ${args.map(quoted).join(' ')}`));
        const child = launch([...args, '--home', home], 'inherit');
        const { code } = await Promise.race([exit(child), lost]);
        if (code !== 0) throw new DemoFailure(`holdfast ${args.join(' ')} ended with exit code ${code}`);
      },
      async ask(...args) {
        const child = launch([...args, '--home', home, '--output', 'json'], 'pipe');
        let stdout = '';
        let stderr = '';
        child.stdout?.on('data', (text) => (stdout += text));
        child.stderr?.on('data', (text) => (stderr += text));
        const { code } = await Promise.race([exit(child), lost]);
        if (code !== 0) throw new DemoFailure(`holdfast ${args.join(' ')} ended with ${code}: ${stderr}`);
        return JSON.parse(stdout);
      },
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const exit = (child: ChildProcess) =>
  new Promise<{ code: number | null }>((done, fail) => {
    child.once('error', fail);
    child.once('close', (code) => done({ code }));
  });

async function readEndpoint(home: string, signal: AbortSignal): Promise<string> {
  const deadline = performance.now() + startTimeoutMs;
  for (;;) {
    signal.throwIfAborted();
    try {
      const text = await readFile(join(home, 'run', 'local.json'), 'utf8');
      return (JSON.parse(text) as { endpoint: string }).endpoint;
    } catch (error) {
      if (performance.now() > deadline)
        throw new DemoFailure('the service did not come up in time', { cause: error });
    }
    await new Promise((done) => setTimeout(done, 100));
  }
}

/** An argument as a shell would want it written. */
const quoted = (text: string) => (/^[\w./:=@+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
