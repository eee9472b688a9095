import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Job, RecoveryPoint, Replica } from '../../src/api/client/index.ts';
import type { LabGuest } from '../lab/index.ts';
import { Product, writeNoise } from '../support/product.ts';

let product: Product;
let guest: LabGuest;

beforeAll(async () => {
  product = await Product.start();
  guest = await product.lab.makeGuest({
    name: 'twice',
    disks: [{ format: 'qcow2', sizeBytes: 2 ** 30, content: { noise: randomBytes(8 * 2 ** 20) } }],
  });
  await guest.waitForAgent();
  await guest.waitForBoot();
  await product.protect(guest);
});

afterAll(async () => {
  await product?.end();
});

const replica = async () => (await product.cli.json<Replica>('vault', 'replica', 'show', 'Main')).properties;

/** The end of the newest replication. */
async function replicated(): Promise<Job> {
  const [newest] = await product.jobs('Replicate');
  if (newest === undefined) throw new Error('nothing was replicated');
  return product.jobEnd(newest.name);
}

it('has every point in a second store, and restores it from there when the first one is gone', async () => {
  const points: RecoveryPoint[] = [await product.backUp(guest)];
  await product.cli.json('vault', 'replica', 'set', 'Main', '--store', join(product.lab.dir, 'second'));
  await replicated();
  await writeNoise(guest, '/mnt/vda/more', 4);
  points.push(await product.backUp(guest));
  await expect.poll(async () => (await replica()).lag.recoveryPoints, { timeout: 60_000 }).toBe(0);
  const job = await replicated();
  expect(job.properties.status).toBe('Completed');
  const task = (await product.job(job.name)).properties.extendedInfo?.tasksList[0];
  // The second point costs what the guest has changed, not the disk again.
  const readBytes = task?.holdfast?.progress?.readBytes ?? Number.NaN;
  expect(readBytes).toBeGreaterThan(4 * 2 ** 20);
  expect(readBytes).toBeLessThan(16 * 2 ** 20);

  await product.killService();
  const stores = join(product.home, 'stores');
  for (const name of await readdir(stores)) await rm(join(stores, name), { recursive: true });
  await product.startService();
  expect(await replica()).toMatchObject({ status: 'Ready', recoveryPoints: 2 });
  for (const point of points) {
    await product.expectRestores(guest, point);
    const { job: named, directory } = await product.tryRestoreDisks(guest, point.name, '--from', 'primary');
    expect(named.properties.status).toBe('Failed');
    expect(await readdir(directory)).toEqual([]);
  }
});
