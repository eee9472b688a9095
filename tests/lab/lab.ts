import { type ChildProcess, spawn } from 'node:child_process';
import { chownSync, realpathSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGuest, type GuestOptions, LabGuest } from './guest.ts';
import { type GuestImage, prepareGuestImage } from './guest-image.ts';
import { findLabProcesses, findLoopDevices } from './leftovers.ts';
import { detachLoopDevices } from './loop-devices.ts';
import { LibvirtSession, labOwner, makeOwnedDirectory, type Owner } from './session.ts';

/**
 * The longest socket path libvirt makes below the lab's directory, for a domain with a long name and a three-digit
 * id; the kernel takes 107 bytes in all.
 */
const longestSocketName =
  '/c/libvirt/qemu/channel/target/domain-100-aaaaaaaaaaaaaaaaaaaa/org.qemu.guest_agent.0';

export interface LabOptions {
  /** Directory to make the lab in. Default: the system's directory for temporary files. */
  dir?: string;
}

/** A libvirt of one's own, with guests, that leaves nothing behind. */
export class Lab implements AsyncDisposable {
  /** Everything the lab has is in here; owned by `owner`, closed to others. */
  readonly dir: string;
  readonly owner: Owner = labOwner;
  readonly #session: LibvirtSession;
  readonly #image: GuestImage;
  readonly #reaper: ChildProcess;
  #disposed = false;

  constructor(dir: string, session: LibvirtSession, image: GuestImage, reaper: ChildProcess) {
    this.dir = dir;
    this.#session = session;
    this.#image = image;
    this.#reaper = reaper;
  }

  /** What Holdfast is given to reach this libvirt. */
  get uri(): string {
    return this.#session.uri;
  }

  /** For programs of the lab's user: makes `qemu:///session` mean this libvirt. */
  get env(): Record<string, string> {
    return { ...this.#session.env };
  }

  /** Undefined while libvirtd is down. */
  get libvirtdPid(): number | undefined {
    return this.#session.pid;
  }

  /** Runs `virsh` here and returns what it prints. */
  virsh(...args: string[]): Promise<string> {
    return this.#session.virsh(...args);
  }

  /** Ends libvirtd with SIGKILL; the guests run on. */
  killLibvirtd(): Promise<void> {
    return this.#session.kill();
  }

  /** Starts libvirtd again, after ending it in an orderly way if it is up; it finds the running guests. */
  async restartLibvirtd(): Promise<void> {
    await this.#session.stop();
    await this.#session.start();
  }

  /** Creates disks and defines (and by default starts) a guest; it may still be booting when this returns. */
  makeGuest(options: GuestOptions): Promise<LabGuest> {
    return createGuest({ lab: this, image: this.#image, options });
  }

  /** A guest that something else defined here, for example a restored one. */
  async openGuest(name: string): Promise<LabGuest> {
    const uuid = (await this.virsh('domuuid', name)).trim();
    return new LabGuest(this, name, uuid);
  }

  /** Whatever of the lab is alive, in words: processes, domains, loop devices. Empty after disposal. */
  async leftovers(): Promise<string[]> {
    const except = this.#reaper.pid === undefined || this.#disposed ? [] : [this.#reaper.pid];
    const processes = await findLabProcesses(this.dir, except);
    const domains = this.libvirtdPid === undefined ? '' : await this.virsh('list', '--all', '--name');
    return [
      ...processes.map(({ pid, commandLine }) => `process ${pid}: ${commandLine.slice(0, 200)}`),
      ...domains.split('\n').flatMap((name) => (name.trim() === '' ? [] : [`domain ${name.trim()}`])),
      ...(await findLoopDevices(this.dir)).map((device) => `loop device ${device}`),
    ];
  }

  /** Ends guests, libvirtd and whatever else runs here, and removes the directory. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.#session.stop();
    await endProcesses(this.dir, this.#reaper.pid);
    await detachLoopDevices(this.dir);
    await rm(this.dir, { recursive: true, force: true });
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    if (this.#reaper.exitCode === null && this.#reaper.signalCode === null) {
      this.#reaper.ref();
      this.#reaper.once('exit', () => resolve());
      this.#reaper.stdin?.end('done\n');
      await gone;
    }
  }
}

/** Kills the programs that a lab runs; a person's shell or editor in the directory is left alone. */
async function endProcesses(directory: string, reaperPid: number | undefined): Promise<void> {
  const except = reaperPid === undefined ? [] : [reaperPid];
  for (let round = 0; round < 100; round++) {
    const processes = await findLabProcesses(directory, except);
    const programs = processes.filter(({ program }) => /^(qemu-|libvirtd$|virtlogd$)/.test(program));
    if (programs.length === 0) return;
    for (const { pid } of programs) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Programs in ${directory} do not end.`);
}

/**
 * Starts a private libvirt. It and all its guests end with this process, even when that is killed: libvirtd by the
 * kernel's parent-death signal, the guests and the directory by a small watcher that sees a pipe close.
 */
export async function startLab(options: LabOptions = {}): Promise<Lab> {
  const parent = realpathSync(options.dir ?? tmpdir());
  if (Buffer.byteLength(join(parent, 'hf-123456') + longestSocketName) > 107)
    throw new Error(`The path of ${parent} is too long for the sockets of a lab.`);
  const image = await prepareGuestImage();
  const dir = await mkdtemp(join(parent, 'hf-'));
  chownSync(dir, labOwner.uid, labOwner.gid);
  const reaper = spawn('sh', [join(import.meta.dirname, 'reaper.sh'), dir], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // A lab must not keep its process alive by itself, nor break it should the watcher be gone.
  reaper.unref();
  reaper.stdin.on('error', () => {});
  const session = new LibvirtSession(dir);
  const boot = join(dir, 'boot');
  const own = { kernel: join(boot, 'vmlinuz'), initramfs: join(boot, 'initramfs.gz') };
  const lab = new Lab(dir, session, own, reaper);
  try {
    // The checkout may be closed to the lab's user, so the guests boot from copies.
    await makeOwnedDirectory(boot);
    await makeOwnedDirectory(join(dir, 'disks'));
    await copyFile(image.kernel, own.kernel);
    await copyFile(image.initramfs, own.initramfs);
    await session.start();
    return lab;
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}
