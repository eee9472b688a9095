import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connectNbd, type NbdClient, NbdError } from '../../nbd/index.ts';
import { imageFailure, toImageFailure, toolMissing } from './failures.ts';

export interface DiskServerRequest {
  /** What qemu-nbd is to open, from `imageSpec`. */
  spec: string;
  /** Names the image in messages. */
  path: string;
  writable: boolean;
  contexts: readonly string[];
}

const startTimeoutMs = 20_000;
/** What a server that was told to leave, or has lost its client, may take to close its images. */
const endTimeoutMs = 30_000;
const maxStderrBytes = 8 * 1024;

/**
 * The program and arguments that end with this process, however it ends.
 *
 * `setpriv` has the kernel kill the server when we die (to be exact: the thread that started it). If we die before it
 * could ask for that, nobody writes the line the shell waits for, and the server is not started. It has its own
 * session, so that an interrupt typed at our terminal does not end it before we say so.
 */
function guarded(command: readonly string[]): [string, string[]] {
  return ['setpriv', ['--pdeathsig', 'KILL', '--', 'sh', '-c', 'read -r go && exec "$@"', 'sh', ...command]];
}

/** A qemu-nbd with us as its only client. */
export class DiskServer implements AsyncDisposable {
  readonly client: NbdClient;
  readonly #process: ServerProcess;

  constructor(client: NbdClient, process: ServerProcess) {
    this.client = client;
    this.#process = process;
  }

  /** What the server has said on its standard error, for messages. */
  get said(): string {
    return this.#process.said;
  }

  get pid(): number | undefined {
    return this.#process.child.pid;
  }

  /** Leaves, and waits until the server has closed its images; throws when it did not do so cleanly. */
  async stop(): Promise<void> {
    await this.client.close();
    const { code, signal } = await this.#process.end();
    if (code !== 0) {
      throw new NbdError('lost', `qemu-nbd ended with ${signal ?? `status ${code}`} (${this.said.trim()})`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await this.#process.end();
  }
}

interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

interface ServerProcess {
  child: ChildProcess;
  readonly said: string;
  readonly exit: Exit | undefined;
  /** Waits for the end, and brings it about when it does not come. */
  end(): Promise<Exit>;
}

/**
 * Starts qemu-nbd on a private socket and connects to it.
 * @throws HostToolMissing, DiskImageNotFound, DiskImageInUse, DiskImageDamaged, DiskImageUnavailable
 */
export async function startDiskServer(request: DiskServerRequest, signal?: AbortSignal): Promise<DiskServer> {
  signal?.throwIfAborted();
  const directory = await makePrivateDirectory(request.path);
  try {
    const socket = join(directory, 's');
    const access = request.writable ? ['--discard=unmap'] : ['--read-only', '--allocation-depth'];
    const server = startProcess(['qemu-nbd', '--socket', socket, ...access, request.spec]);
    try {
      const client = await connectWhenReady(server, socket, request, signal);
      return new DiskServer(client, server);
    } catch (error) {
      server.child.kill('SIGKILL');
      await server.end();
      throw error;
    }
  } finally {
    // Nobody else is to connect, and a process that is killed later leaves nothing behind.
    await rm(directory, { recursive: true, force: true });
  }
}

/** Mode 0700: who may enter it may read the disk. */
async function makePrivateDirectory(path: string): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), 'holdfast-disk-'));
  } catch (error) {
    throw toImageFailure('serve', path, error);
  }
}

function startProcess(command: readonly string[]): ServerProcess {
  const [program, args] = guarded(command);
  const child = spawn(program, args, {
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
    detached: true,
  });
  let said = '';
  let exit: Exit | undefined;
  const ended = Promise.withResolvers<Exit>();
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-maxStderrBytes);
  });
  child.once('error', (error) => {
    if (child.pid !== undefined) return; // a signal that came too late
    said = error.message;
    exit = { code: commandNotFound, signal: null };
    ended.resolve(exit);
  });
  child.once('close', (code, signal) => {
    exit ??= { code, signal };
    ended.resolve(exit);
  });
  child.stdin?.on('error', () => {}); // it may be gone already; its exit tells
  child.stdin?.end('go\n');
  return {
    child,
    get said() {
      return said;
    },
    get exit() {
      return exit;
    },
    async end() {
      const kill = setTimeout(() => child.kill('SIGKILL'), endTimeoutMs);
      // A process that waits for a dead disk outlives even that; it goes when its disk answers.
      const giveUp = setTimeout(() => ended.resolve({ code: null, signal: 'SIGKILL' }), endTimeoutMs + 5_000);
      try {
        return await ended.promise;
      } finally {
        clearTimeout(kill);
        clearTimeout(giveUp);
      }
    },
  };
}

/** What a shell, and we, say when there is no such program. */
const commandNotFound = 127;

async function connectWhenReady(
  server: ServerProcess,
  socket: string,
  request: DiskServerRequest,
  signal?: AbortSignal,
): Promise<NbdClient> {
  const deadline = performance.now() + startTimeoutMs;
  for (let pauseMs = 2; ; pauseMs = Math.min(2 * pauseMs, 50)) {
    if (server.exit !== undefined) {
      if (server.exit.code === commandNotFound) {
        throw toolMissing(server.child.pid === undefined ? 'setpriv' : 'qemu-nbd');
      }
      throw imageFailure('open', request.path, server.said || 'qemu-nbd ended at once');
    }
    try {
      return await connectNbd({
        address: { path: socket },
        contexts: request.contexts,
        ...(signal && { signal }),
      });
    } catch (error) {
      const isNotYetThere = error instanceof NbdError && error.kind === 'unreachable';
      if (!isNotYetThere || performance.now() > deadline) {
        throw toImageFailure('open', request.path, error, server.said.trim());
      }
    }
    await delay(pauseMs);
    signal?.throwIfAborted();
  }
}
