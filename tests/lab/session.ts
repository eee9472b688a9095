import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync } from 'node:fs';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { RunError, run } from '../../src/platform/index.ts';

/** Who owns the lab's files and runs its libvirtd and QEMU. */
export interface Owner {
  uid: number;
  gid: number;
}

/** As root, libvirtd is always the machine's own instance; a private one needs an unprivileged user: nobody. */
export const labOwner: Owner =
  process.getuid?.() === 0
    ? { uid: 65534, gid: 65534 }
    : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

const startTimeoutMs = 30_000;
const stopTimeoutMs = 20_000;

/** Without a log daemon of its own, QEMU's output goes straight to files; without a security driver, no AppArmor. */
const qemuConf = `stdio_handler = "file"
security_driver = "none"
namespaces = [ ]
`;

/** The environment that makes a libvirtd, and any `virsh -c qemu:///session` of the owner, use this directory. */
export function sessionEnvironment(directory: string): Record<string, string> {
  return {
    HOME: join(directory, 'h'),
    XDG_RUNTIME_DIR: join(directory, 'r'),
    XDG_CONFIG_HOME: join(directory, 'c'),
    XDG_DATA_HOME: join(directory, 's'),
    XDG_CACHE_HOME: join(directory, 'k'),
    LIBVIRT_AUTOSTART: '0',
  };
}

/** Creates a directory that the lab's user can use; only that user and root may look inside. */
export async function makeOwnedDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  chmodSync(path, 0o700);
  chownSync(path, labOwner.uid, labOwner.gid);
}

/** A libvirtd in the foreground, a child of this process, that shares nothing with the machine's own. */
export class LibvirtSession {
  readonly directory: string;
  readonly env: Record<string, string>;
  readonly socket: string;
  #child: ChildProcess | undefined;

  constructor(directory: string) {
    this.directory = directory;
    this.env = sessionEnvironment(directory);
    this.socket = join(directory, 'r/libvirt/libvirt-sock');
  }

  /** What a program of root, or of the lab's user, connects to. */
  get uri(): string {
    return `qemu+unix:///session?socket=${this.socket}`;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts libvirtd and waits until it answers. */
  async start(): Promise<void> {
    if (this.#child !== undefined) throw new Error('The lab has a libvirtd already.');
    for (const name of ['h', 'r', 'c', 'c/libvirt', 's', 'k', 'log']) {
      await makeOwnedDirectory(join(this.directory, name));
    }
    await writeFile(join(this.directory, 'c/libvirt/qemu.conf'), qemuConf, { mode: 0o644 });
    const drop =
      process.getuid?.() === 0
        ? [`--reuid=${labOwner.uid}`, `--regid=${labOwner.gid}`, '--clear-groups']
        : [];
    const log = await open(join(this.directory, 'log/libvirtd.log'), 'a', 0o644);
    try {
      const child = spawn('setpriv', [...drop, '--pdeathsig=KILL', 'libvirtd'], {
        cwd: this.directory,
        env: { ...process.env, ...this.env, LC_ALL: 'C', PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
        stdio: ['ignore', log.fd, log.fd],
      });
      this.#child = child;
      // A forgotten lab must not keep its process alive; both end together.
      child.unref();
      child.once('exit', () => {
        if (this.#child === child) this.#child = undefined;
      });
      child.once('error', () => {
        if (this.#child === child) this.#child = undefined;
      });
    } finally {
      await log.close();
    }
    await this.#waitUntilItAnswers();
  }

  async #waitUntilItAnswers(): Promise<void> {
    const deadline = Date.now() + startTimeoutMs;
    while (Date.now() < deadline && this.#child !== undefined) {
      if (existsSync(this.socket)) {
        try {
          await this.virsh('uri');
          return;
        } catch (error) {
          if (!(error instanceof RunError) || error.kind === 'missing') throw error;
        }
      }
      await delay(50);
    }
    const log = await readFile(join(this.directory, 'log/libvirtd.log'), 'utf8');
    await this.kill();
    throw new Error(`The lab's libvirtd did not start: ${log.trim().slice(-2000) || 'it printed nothing'}`);
  }

  /** Runs `virsh` against this session and returns what it prints. */
  async virsh(...args: string[]): Promise<string> {
    const { stdout } = await run(['virsh', '-q', '-c', this.uri, ...args], {
      timeoutMs: 60_000,
      env: { LIBVIRT_AUTOSTART: '0' },
    });
    return stdout;
  }

  /** Ends libvirtd as a crash would; its guests run on. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Ends libvirtd in an orderly way; its guests run on. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    child.ref();
    child.once('exit', () => resolve());
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
    await gone;
    clearTimeout(timer);
    this.#child = undefined;
  }
}
