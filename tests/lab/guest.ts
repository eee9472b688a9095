import { randomUUID } from 'node:crypto';
import { chownSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../src/errors/index.ts';
import { RunError } from '../../src/platform/index.ts';
import { createDisk, type Disk, type DiskSpec } from './disk-files.ts';
import type { GuestImage } from './guest-image.ts';
import { createNvram, writeGuestXml } from './guest-xml.ts';
import type { Owner } from './session.ts';

export interface GuestOptions {
  name: string;
  disks: readonly DiskSpec[];
  /** Whether the guest agent runs and has its channel. Default true. */
  agent?: boolean;
  /** Default 160. */
  memoryMiB?: number;
  /** Default bios. */
  firmware?: 'bios' | 'efi';
  /** Count up in the file `counter` of every mounted disk, disk after disk, each write durable. Default false. */
  counter?: boolean;
  /** Default running. */
  state?: 'running' | 'off';
}

/** What a guest needs of its lab. */
export interface GuestLab {
  readonly dir: string;
  readonly owner: Owner;
  virsh(...args: string[]): Promise<string>;
}

/** What a program in the guest left behind. */
export interface GuestExecResult {
  code: number;
  stdout: string;
  stderr: string;
}

const bootTimeoutMs = 120_000;
const execTimeoutMs = 60_000;
const pollMs = 100;

async function waitUntil(what: string, timeoutMs: number, test: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await test())) {
    if (Date.now() > deadline) throw new Error(`${what} within ${timeoutMs / 1000} s.`);
    await delay(pollMs);
  }
}

/** A virtual machine of the lab. */
export class LabGuest {
  readonly name: string;
  readonly uuid: string;
  /** As made; a guest opened by name has none listed. */
  readonly disks: readonly Disk[];
  readonly #lab: GuestLab;

  constructor(lab: GuestLab, name: string, uuid: string, disks: readonly Disk[] = []) {
    this.#lab = lab;
    this.name = name;
    this.uuid = uuid;
    this.disks = disks;
  }

  /** The disk with this target, `vda` for example. */
  disk(target: string): Disk {
    const disk = this.disks.find((candidate) => candidate.target === target);
    if (disk === undefined) throw new Error(`${this.name} has no disk ${target}.`);
    return disk;
  }

  /** libvirt's word: `running`, `paused`, `shut off`, ... */
  async state(): Promise<string> {
    return (await this.#lab.virsh('domstate', this.uuid)).trim();
  }

  async start(): Promise<void> {
    await this.#lab.virsh('start', this.uuid);
  }

  /** Pulls the plug. */
  async destroy(): Promise<void> {
    await this.#lab.virsh('destroy', this.uuid);
  }

  /** Has the guest unmount its disks and power itself off; needs the agent. */
  async shutdown(timeoutMs = bootTimeoutMs): Promise<void> {
    await this.#lab.virsh('shutdown', this.uuid, '--mode', 'agent');
    await waitUntil(
      `${this.name} did not shut down`,
      timeoutMs,
      async () => (await this.state()) === 'shut off',
    );
  }

  async pause(): Promise<void> {
    await this.#lab.virsh('suspend', this.uuid);
  }

  async resume(): Promise<void> {
    await this.#lab.virsh('resume', this.uuid);
  }

  /** The pid of the guest's QEMU, or undefined when it does not run. */
  async qemuPid(): Promise<number | undefined> {
    try {
      return Number(await readFile(join(this.#lab.dir, 'r/libvirt/qemu/run', `${this.name}.pid`), 'utf8'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Ends QEMU with SIGKILL, as a crash of the host would. */
  async killQemu(): Promise<void> {
    const pid = await this.qemuPid();
    if (pid === undefined) throw new Error(`${this.name} does not run.`);
    process.kill(pid, 'SIGKILL');
  }

  /** Waits until the guest agent answers. */
  async waitForAgent(timeoutMs = bootTimeoutMs): Promise<void> {
    let reason = '';
    const answers = async () => {
      try {
        await this.agent('guest-ping');
        return true;
      } catch (error) {
        if (!(error instanceof RunError) || error.kind !== 'failed') throw error;
        reason = error.result.stderr.trim();
        return false;
      }
    };
    try {
      await waitUntil(`The agent of ${this.name} did not answer`, timeoutMs, answers);
    } catch (error) {
      const printed = (await this.consoleLog()).slice(-1000);
      throw new Error(`${messageOf(error)} ${reason}; its console: ${printed}`, { cause: error });
    }
  }

  /** Waits until the guest's disks are mounted and its counter runs, agent or not. Counts boots since it was made. */
  async waitForBoot(boots = 1, timeoutMs = bootTimeoutMs): Promise<void> {
    await waitUntil(`${this.name} did not boot`, timeoutMs, async () => {
      return (await this.consoleLog()).split('lab: ready').length > boots;
    });
  }

  /** Sends one command to the guest agent and gives what it returns. */
  async agent(command: string, args?: Record<string, unknown>): Promise<unknown> {
    const request = JSON.stringify({ execute: command, ...(args === undefined ? {} : { arguments: args }) });
    const answer = await this.#lab.virsh('qemu-agent-command', this.uuid, '--timeout', '30', request);
    return (JSON.parse(answer) as { return: unknown }).return;
  }

  /** Runs a program in the guest to its end. */
  async exec(argv: readonly [string, ...string[]], timeoutMs = execTimeoutMs): Promise<GuestExecResult> {
    const [path, ...arg] = argv;
    const { pid } = (await this.agent('guest-exec', { path, arg, 'capture-output': true })) as {
      pid: number;
    };
    type Status = { exited: boolean; exitcode?: number; 'out-data'?: string; 'err-data'?: string };
    let status: Status = { exited: false };
    await waitUntil(`${path} in ${this.name} did not end`, timeoutMs, async () => {
      status = (await this.agent('guest-exec-status', { pid })) as Status;
      return status.exited;
    });
    const text = (data?: string) => Buffer.from(data ?? '', 'base64').toString('utf8');
    return {
      code: status.exitcode ?? -1,
      stdout: text(status['out-data']),
      stderr: text(status['err-data']),
    };
  }

  /** Writes a file in the guest and makes it durable there. */
  async writeFile(path: string, data: string | Uint8Array): Promise<void> {
    const handle = await this.agent('guest-file-open', { path, mode: 'w' });
    const bytes = Buffer.from(data);
    const chunkBytes = 48 * 1024;
    for (let offset = 0; offset < bytes.length; offset += chunkBytes) {
      const chunk = bytes.subarray(offset, offset + chunkBytes).toString('base64');
      await this.agent('guest-file-write', { handle, 'buf-b64': chunk });
    }
    await this.agent('guest-file-flush', { handle });
    await this.agent('guest-file-close', { handle });
    const synced = await this.exec(['/bin/sync']);
    if (synced.code !== 0) throw new Error(`sync in ${this.name} failed: ${synced.stderr}`);
  }

  /** Whether the agent has the guest's file systems frozen. */
  async isFrozen(): Promise<boolean> {
    return (await this.agent('guest-fsfreeze-status')) === 'frozen';
  }

  /** Everything the guest's boots have printed so far. */
  async consoleLog(): Promise<string> {
    const definition = await this.#lab.virsh('dumpxml', this.uuid);
    const path = definition.match(/<serial type='file'>\s*<source path='([^']+)'/)?.[1];
    if (path === undefined) throw new Error(`${this.name} has no console log.`);
    try {
      return await readFile(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw error;
    }
  }
}

/** Makes the disks and the domain of a guest, and starts it unless it is to be off. */
export async function createGuest(input: {
  lab: GuestLab;
  image: GuestImage;
  options: GuestOptions;
}): Promise<LabGuest> {
  const { lab, image, options } = input;
  const { name, counter = false, agent = true } = options;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) throw new Error(`'${name}' is no name for a guest.`);
  const disks: Disk[] = [];
  for (const [index, spec] of options.disks.entries()) {
    disks.push(await createDisk(lab.dir, name, spec, index, counter));
  }
  const uuid = randomUUID();
  const nvram = options.firmware === 'efi' ? join(lab.dir, 'disks', `${name}.nvram.fd`) : undefined;
  if (nvram !== undefined) {
    await createNvram(nvram);
    chownSync(nvram, lab.owner.uid, lab.owner.gid);
  }
  const xml = writeGuestXml({
    name,
    uuid,
    image,
    memoryMiB: options.memoryMiB ?? 160,
    disks,
    agent,
    counter,
    ...(nvram === undefined ? {} : { nvram }),
    consoleLog: join(lab.dir, 'log', `${name}.console.log`),
  });
  const definition = join(lab.dir, 'log', `${name}.xml`);
  await writeFile(definition, xml);
  await lab.virsh('define', definition);
  const guest = new LabGuest(lab, name, uuid, disks);
  if (options.state !== 'off') await guest.start();
  return guest;
}
