import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import {
  createClient,
  type HoldfastClient,
  type Job,
  type RecoveryPoint,
} from '../../src/api/client/index.ts';
import { type Lab, type LabGuest, startLab } from '../lab/index.ts';
import { type CommandLine, commandLine } from './command-line.ts';
import { betweenMerges, digestOf, frozenLayer, imageAt } from './images.ts';
import { type ServiceProcess, startServiceProcess } from './service-process.ts';

const vault = 'Main';
const vaultAddress = { resourceGroup: 'default', vault };
const addressOf = ({ name }: LabGuest) => ({ ...vaultAddress, vm: name, vmResourceGroup: 'default' });

const jobTimeoutMs = 200_000;

/** What a running service leaves in its home for its own machine. */
interface LocalFile {
  endpoint: string;
  token: string;
  caFile: string;
}

export interface ProductOptions {
  /** Prepares the lab before the service starts. @returns where the vault's store goes; default: below the home */
  prepare?: (lab: Lab) => Promise<string>;
  /** Starts the service; for one with other settings. */
  program?: readonly [string, ...string[]];
}

/** What `restore disks` made: the image of each disk, by target. */
export type RestoredDisks = Map<string, string>;

/** The whole product as a user has it: a service process, the command line, and a libvirt with guests. */
export class Product implements AsyncDisposable {
  readonly lab: Lab;
  readonly home: string;
  readonly cli: CommandLine;
  readonly #program: readonly [string, ...string[]] | undefined;
  #service: ServiceProcess | undefined;
  /** Digest of the frozen image of every point that was recorded, by `point/target`. */
  readonly #frozen = new Map<string, string>();
  #restores = 0;

  private constructor(lab: Lab, options: ProductOptions) {
    this.lab = lab;
    this.home = join(lab.dir, 'home');
    this.cli = commandLine(this.home);
    this.#program = options.program;
  }

  /** A lab, a service that knows it as host `lab`, and a vault. */
  static async start(options: ProductOptions = {}): Promise<Product> {
    await using starting = new AsyncDisposableStack();
    const lab = starting.use(await startLab());
    const product = starting.use(new Product(lab, options));
    const storePath = await options.prepare?.(lab);
    await product.startService();
    const overlays = join(lab.dir, 'disks');
    await product.cli.json('host', 'add', 'lab', '--uri', lab.uri, '--overlay-directory', overlays);
    const store = storePath === undefined ? [] : ['--store', storePath];
    await product.cli.json('vault', 'create', vault, ...store);
    starting.move();
    return product;
  }

  get service(): ServiceProcess {
    if (this.#service === undefined) throw new Error('The service is down.');
    return this.#service;
  }

  async startService(): Promise<void> {
    this.#service = await startServiceProcess(this.home, this.#program);
  }

  async killService(): Promise<void> {
    await this.service.kill();
    this.#service = undefined;
  }

  async stopService(): Promise<void> {
    expect(await this.service.stop()).toBe(0);
    this.#service = undefined;
  }

  async protect(guest: LabGuest, ...options: string[]): Promise<void> {
    await this.cli.json('item', 'enable', ...this.itemOf(guest), ...options);
  }

  /** Options that name the protected VM. */
  itemOf(guest: LabGuest): string[] {
    return ['--vault', vault, '--vm', guest.name];
  }

  /** The API of the service that runs now. */
  async client(): Promise<HoldfastClient> {
    const local = JSON.parse(await readFile(join(this.home, 'run', 'local.json'), 'utf8')) as LocalFile;
    const { endpoint, token, caFile } = local;
    return createClient({ endpoint, token, ca: await readFile(caFile, 'utf8') });
  }

  /** Starts a backup. @returns the job's id */
  async startBackup(guest: LabGuest): Promise<string> {
    const client = await this.client();
    const request = { properties: { objectType: 'IaasVMBackupRequest' as const } };
    return client.operations.jobOf(await client.items.backup(addressOf(guest), request));
  }

  async job(jobId: string): Promise<Job> {
    return (await this.client()).jobs.get(vaultAddress, jobId);
  }

  /** Waits for the end of a job, whatever it is. */
  async jobEnd(jobId: string): Promise<Job> {
    const deadline = Date.now() + jobTimeoutMs;
    for (;;) {
      const job = await this.job(jobId);
      if (job.properties.endTime !== undefined) return job;
      if (Date.now() > deadline)
        throw new Error(`job ${jobId} does not end: ${JSON.stringify(job)}\n${this.service.log()}`);
      await delay(100);
    }
  }

  /** The newest jobs first. */
  async jobs(operation: Job['properties']['operation']): Promise<Job[]> {
    return (await this.client()).jobs.list(vaultAddress, { operation });
  }

  /** Takes a backup that has to complete, records its frozen images, and gives its point. */
  async backUp(guest: LabGuest): Promise<RecoveryPoint> {
    const job = await this.jobEnd(await this.startBackup(guest));
    expect(job.properties, JSON.stringify(job.properties)).toMatchObject({ status: 'Completed' });
    const [point] = await this.points(guest);
    if (point === undefined) throw new Error('The backup left no recovery point.');
    await this.record(guest, point);
    return point;
  }

  /** Newest first. */
  async points(guest: LabGuest): Promise<RecoveryPoint[]> {
    return (await this.client()).recoveryPoints.list(addressOf(guest));
  }

  /** Notes what the frozen images of a point hold, to compare restores with after they are gone. */
  async record(guest: LabGuest, point: RecoveryPoint): Promise<void> {
    for (const { target } of point.properties.holdfast.disks) {
      const digest = await betweenMerges(`the frozen ${target} of ${point.name}`, async () => {
        const frozen = await frozenLayer(this.lab, guest, target, point.name);
        if (frozen === undefined) throw new Error(`point ${point.name} has no frozen layer of ${target}`);
        return digestOf(frozen);
      });
      this.#frozen.set(`${point.name}/${target}`, digest);
    }
  }

  /** Notes the frozen images of every point on the host that has not been noted yet. */
  async recordAll(guest: LabGuest): Promise<void> {
    for (const point of await this.points(guest)) {
      const targets = point.properties.holdfast.disks.map(({ target }) => target);
      if (targets.some((target) => !this.#frozen.has(`${point.name}/${target}`)) && isIn(point, 'snapshot'))
        await this.record(guest, point);
    }
  }

  /** A directory that is not there yet, for a restore. */
  newDirectory(): string {
    return join(this.lab.dir, `restored-${++this.#restores}`);
  }

  /** Starts a restore of disks into a new directory and waits for its end, whatever it is. */
  async tryRestoreDisks(
    guest: LabGuest,
    pointId: string,
    ...options: string[]
  ): Promise<{ job: Job; directory: string }> {
    const directory = this.newDirectory();
    const at = ['--recovery-point', pointId, '--to', directory, '--no-wait'];
    const started = await this.cli.json<Job>('restore', 'disks', ...this.itemOf(guest), ...at, ...options);
    return { job: await this.jobEnd(started.name), directory };
  }

  async restoreDisks(
    guest: LabGuest,
    pointId: string,
    tier: 'vault' | 'snapshot',
    ...options: string[]
  ): Promise<RestoredDisks> {
    const { job, directory } = await this.tryRestoreDisks(guest, pointId, '--tier', tier, ...options);
    expect(job.properties, JSON.stringify(job.properties)).toMatchObject({ status: 'Completed' });
    const names = await readdir(directory);
    expect(names.filter((name) => name.startsWith('.'))).toEqual([]);
    return new Map(
      names.flatMap((name) => {
        const target = /-(\w+)\.(?:raw|qcow2)$/.exec(name)?.[1];
        return target === undefined ? [] : [[target, join(directory, name)] as const];
      }),
    );
  }

  /** Restores a point and compares every disk, byte for byte, with the frozen image it came from. */
  async expectRestores(
    guest: LabGuest,
    point: RecoveryPoint,
    tier: 'vault' | 'snapshot' = 'vault',
  ): Promise<RestoredDisks> {
    const disks = await this.restoreDisks(guest, point.name, tier);
    expect([...disks.keys()].sort()).toEqual(
      point.properties.holdfast.disks.map(({ target }) => target).sort(),
    );
    for (const [target, path] of disks) {
      const expected = this.#frozen.get(`${point.name}/${target}`);
      expect(expected, `the frozen ${target} of ${point.name} was recorded`).toBeDefined();
      expect(await digestOf(imageAt(path)), `${target} of ${point.name} from the ${tier}`).toBe(expected);
    }
    return disks;
  }

  /** Processes of ours that serve images; there are none when no job runs. */
  async imageServers(): Promise<string[]> {
    return (await this.lab.leftovers()).filter((what) => what.includes('qemu-nbd'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service?.[Symbol.asyncDispose]();
  }

  /** Ends the service and the lab. */
  async end(): Promise<void> {
    await this[Symbol.asyncDispose]();
    await this.lab[Symbol.asyncDispose]();
  }
}

export function isIn(point: RecoveryPoint, tier: 'vault' | 'snapshot'): boolean {
  const type = tier === 'vault' ? 'HardenedRP' : 'InstantRP';
  return point.properties.recoveryPointTierDetails.some(
    (detail) => detail.type === type && detail.status === 'Valid',
  );
}

/** The number the guest's counter stands at on a disk. */
export async function counterIn(guest: LabGuest, target: string): Promise<number> {
  const { stdout, code, stderr } = await guest.exec(['/bin/cat', `/mnt/${target}/counter`]);
  if (code !== 0) throw new Error(`no counter on ${target} of ${guest.name}: ${stderr}`);
  return Number(stdout);
}

/** Waits until the guest's counter moves: it runs, and its file system takes writes. */
export async function expectCounting(guest: LabGuest, target: string): Promise<void> {
  const before = await counterIn(guest, target);
  const deadline = Date.now() + 30_000;
  while ((await counterIn(guest, target)) <= before) {
    if (Date.now() > deadline) throw new Error(`the counter of ${guest.name} stands still at ${before}`);
    await delay(100);
  }
}

/** Writes this much that does not compress to a file of the guest, durably. */
export async function writeNoise(guest: LabGuest, path: string, mebibytes: number): Promise<void> {
  const input = ['if=/dev/urandom', `of=${path}`, 'bs=1M', `count=${mebibytes}`, 'conv=fsync'];
  const { code, stderr } = await guest.exec(['/bin/dd', ...input]);
  if (code !== 0) throw new Error(`writing ${path} in ${guest.name} failed: ${stderr}`);
}

/** Code of what a job says went wrong. */
export function errorOf(job: Job): string | undefined {
  return job.properties.errorDetails?.[0]?.errorTitle;
}
