import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { LabGuest } from '../lab/index.ts';
import { chainOf } from '../support/images.ts';
import { mergeBegins } from '../support/merges.ts';
import { errorOf, expectCounting, isIn, Product, writeNoise } from '../support/product.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { until } from '../support/until.ts';

const rounds = 5;
const random = seededRandom();

let product: Product;
let guest: LabGuest;
/** How long a backup takes here, from the request to its end. */
let backupMs: number;

beforeAll(async () => {
  product = await Product.start();
  guest = await product.lab.makeGuest({
    name: 'victim',
    counter: true,
    disks: [
      { format: 'qcow2', sizeBytes: 160 * 2 ** 20, content: { noise: randomBytes(80 * 2 ** 20) } },
      { format: 'raw', sizeBytes: 96 * 2 ** 20, content: { noise: randomBytes(32 * 2 ** 20) } },
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
  await writeNoise(guest, '/mnt/vda/churn', 48);
  await writeNoise(guest, '/mnt/vdb/churn', 16);
}

/** Kills the service this long after it was asked for a backup, and starts it again. */
async function killDuringBackup(afterMs: number): Promise<void> {
  const asked = product.startBackup(guest).catch(() => undefined);
  await delay(afterMs);
  await product.killService();
  await asked;
  await product.startService();
}

it(`survives kill -9 at any moment of a backup (SEED=${random.seed})`, async () => {
  const ends: string[] = [];
  for (let round = 0; round < rounds; round++) {
    await writeMuch();
    const known = new Set((await product.jobs('Backup')).map((job) => job.name));
    const afterMs = ((round + random.next()) / rounds) * backupMs;
    const where = `round ${round}, killed after ${Math.round(afterMs)} of ${Math.round(backupMs)} ms, SEED=${random.seed}`;
    await killDuringBackup(afterMs);

    for (const { name } of await product.jobs('Backup')) {
      const job = await product.jobEnd(name);
      if (known.has(name)) continue;
      const { status } = job.properties;
      ends.push(status);
      if (status === 'Failed') expect(errorOf(job), where).toBe('JobInterrupted');
      else expect(['Completed', 'CompletedWithWarnings'], where).toContain(status);
    }
    expect(await product.imageServers(), where).toEqual([]);
    expect(await guest.state(), where).toBe('running');
    expect(await guest.isFrozen(), where).toBe(false);
    await expectCounting(guest, 'vda');
    await product.recordAll(guest);
    await product.backUp(guest);
  }
  expect(ends.length, 'some of the kills hit a backup').toBeGreaterThan(rounds / 2);
  expect(await guest.exec(['/bin/dmesg'])).not.toMatchObject({
    stdout: expect.stringMatching(/EXT4-fs error|I\/O error/),
  });
});

it('thaws a guest that its death left frozen, as soon as it is back', async () => {
  let leftFrozen = false;
  for (let attempt = 0; attempt < 5 && !leftFrozen; attempt++) {
    const jobId = await product.startBackup(guest);
    const client = await product.client();
    const hasEnded = async () =>
      (await client.jobs.get({ resourceGroup: 'default', vault: 'Main' }, jobId)).properties.endTime !==
      undefined;
    while (!(await guest.isFrozen()) && !(await hasEnded()));
    await product.killService();
    leftFrozen = await guest.isFrozen();
    await product.startService();
    if (leftFrozen) await until('the guest is thawed', async () => !(await guest.isFrozen()));
    await product.jobEnd(jobId);
    await product.recordAll(guest);
  }
  expect(leftFrozen, 'a kill hit a frozen guest').toBe(true);
  await expectCounting(guest, 'vda');
  await product.backUp(guest);
});

it('restores every point that is listed, after all that, as it was frozen', async () => {
  const points = await product.points(guest);
  expect(points.length).toBeGreaterThan(rounds);
  for (const point of points) {
    expect(isIn(point, 'vault') || isIn(point, 'snapshot')).toBe(true);
    if (isIn(point, 'vault')) await product.expectRestores(guest, point, 'vault');
    else await product.expectRestores(guest, point, 'snapshot');
  }
});

it('gives the VM its own images back when it is killed while layers are merged', async () => {
  const stopping = product.cli.run('item', 'stop', ...product.itemOf(guest), '--no-wait');
  await mergeBegins(product.lab, guest, ['vda', 'vdb']);
  await product.killService();
  await stopping;
  await product.startService();
  const [job] = await product.jobs('DisableBackup');
  expect((await product.jobEnd(job?.name ?? '')).properties.status).toBe('Completed');
  for (const disk of guest.disks) {
    expect((await chainOf(product.lab, guest, disk.target)).map(({ path }) => path)).toEqual([disk.path]);
  }
  await expectCounting(guest, 'vdb');
  for (const point of (await product.points(guest)).slice(0, 2)) await product.expectRestores(guest, point);
});
