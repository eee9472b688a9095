import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Job } from '../../src/api/client/index.ts';
import type { LabGuest } from '../lab/index.ts';
import { chainOf } from '../support/images.ts';
import { mergeBegins } from '../support/merges.ts';
import { expectCounting, isIn, Product, writeNoise } from '../support/product.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { quickProgram } from '../support/service-process.ts';
import { until } from '../support/until.ts';

const random = seededRandom();

let product: Product;
let guest: LabGuest;
let boots = 1;
/** How long a backup takes here, from the request to its end. */
let backupMs: number;

beforeAll(async () => {
  product = await Product.start({ program: quickProgram });
  guest = await product.lab.makeGuest({
    name: 'victim',
    counter: true,
    disks: [
      { format: 'qcow2', sizeBytes: 128 * 2 ** 20, content: { noise: randomBytes(64 * 2 ** 20) } },
      { format: 'raw', sizeBytes: 64 * 2 ** 20, content: { noise: randomBytes(16 * 2 ** 20) } },
    ],
  });
  await guest.waitForAgent();
  await guest.waitForBoot();
  await product.protect(guest);
  const from = performance.now();
  await product.backUp(guest);
  backupMs = performance.now() - from;
});

afterAll(async () => {
  await product?.end();
});

async function writeMuch(): Promise<void> {
  await writeNoise(guest, '/mnt/vda/churn', 40);
  await writeNoise(guest, '/mnt/vdb/churn', 12);
}

/** Pulls the plug of a running guest. */
async function crash(): Promise<void> {
  await guest.killQemu();
  await until('libvirt sees the crash', async () => (await guest.state()) === 'shut off');
}

async function startAgain(): Promise<void> {
  await guest.start();
  boots += 1;
  await guest.waitForAgent();
  await guest.waitForBoot(boots);
}

/** The guest runs and writes, the next backup is an incremental one, and it leaves no process behind. */
async function expectNextBackup(where: string): Promise<void> {
  // A libvirtd that has just started knows the guest before it has its agent.
  await guest.waitForAgent();
  expect(await guest.isFrozen(), where).toBe(false);
  await expectCounting(guest, 'vda');
  await product.recordAll(guest);
  const point = await product.backUp(guest);
  for (const disk of point.properties.holdfast.disks)
    expect(disk.basis, `${where}: ${disk.target}`).toMatch(/^delta since/);
  expect(await product.imageServers(), where).toEqual([]);
}

async function endOf(starting: Promise<string>): Promise<Job> {
  return product.jobEnd(await starting);
}

it.each([0.1, 0.35, 0.7])(
  `survives a crash of QEMU about %s of the way into a backup (SEED=${random.seed})`,
  async (part) => {
    await writeMuch();
    const afterMs = (part + 0.2 * (random.next() - 0.5)) * backupMs;
    const where = `killed after ${Math.round(afterMs)} of ${Math.round(backupMs)} ms, SEED=${random.seed}`;
    const starting = product.startBackup(guest);
    await delay(afterMs);
    await crash();
    const job = await endOf(starting);
    expect(['Completed', 'CompletedWithWarnings', 'Failed'], where).toContain(job.properties.status);
    expect(job.properties.errorDetails?.[0]?.errorTitle, where).not.toBe('InternalError');
    await startAgain();
    await expectNextBackup(where);
  },
);

it(`survives a crash of libvirtd in the middle of a backup (SEED=${random.seed})`, async () => {
  for (const part of [0.15, 0.5]) {
    await writeMuch();
    const afterMs = (part + 0.2 * (random.next() - 0.5)) * backupMs;
    const where = `libvirtd killed after ${Math.round(afterMs)} ms, SEED=${random.seed}`;
    const starting = product.startBackup(guest);
    await delay(afterMs);
    await product.lab.killLibvirtd();
    await product.lab.restartLibvirtd();
    const job = await endOf(starting);
    expect(['Completed', 'CompletedWithWarnings', 'Failed'], where).toContain(job.properties.status);
    await expectNextBackup(where);
  }
});

it('starts while libvirtd is down, says so, and backs up when it is back', async () => {
  await product.killService();
  await product.lab.killLibvirtd();
  await product.startService();
  const [host] = await product.cli.json<{ properties: { status: string } }[]>('host', 'list');
  expect(host).toMatchObject({ name: 'lab', properties: { status: 'Unreachable' } });
  const jobId = await product.startBackup(guest);
  await until('the backup waits for its host', async () => {
    const { properties } = await product.job(jobId);
    return properties.errorDetails?.[0]?.errorTitle === 'HostUnreachable';
  });
  expect((await product.job(jobId)).properties.status).toBe('InProgress');
  await product.lab.restartLibvirtd();
  expect((await product.jobEnd(jobId)).properties).toMatchObject({ status: 'Completed' });
  await expectNextBackup('after libvirtd came back');
});

it('survives a crash of QEMU while layers are merged', async () => {
  const stopping = product.cli.run('item', 'stop', ...product.itemOf(guest), '--no-wait');
  await mergeBegins(product.lab, guest, ['vda', 'vdb']);
  await crash();
  await stopping;
  const [job] = await product.jobs('DisableBackup');
  const ended = await product.jobEnd(job?.name ?? '');
  expect(['Completed', 'CompletedWithWarnings', 'Failed']).toContain(ended.properties.status);
  await startAgain();
  await expectCounting(guest, 'vdb');
  const points = (await product.points(guest)).filter((point) => isIn(point, 'vault'));
  expect(points.length).toBeGreaterThan(6);
  for (const point of points) await product.expectRestores(guest, point);

  // Asked again, it gives back what is left; then protection begins anew.
  await product.protect(guest);
  const point = await product.backUp(guest);
  await product.expectRestores(guest, point);
  const again = await product.cli.run('item', 'stop', ...product.itemOf(guest));
  expect(again.code, again.stdout + again.stderr).toBe(0);
  for (const disk of guest.disks)
    expect((await chainOf(product.lab, guest, disk.target)).map(({ path }) => path)).toEqual([disk.path]);
  await expectCounting(guest, 'vda');
});
