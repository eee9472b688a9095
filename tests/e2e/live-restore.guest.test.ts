import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Job } from '../../src/api/client/index.ts';
import type { LabGuest } from '../lab/index.ts';
import { chainOf } from '../support/images.ts';
import { counterIn, expectCounting, Product } from '../support/product.ts';
import { until } from '../support/until.ts';

let product: Product;
let source: LabGuest;
const noise = randomBytes(96 * 2 ** 20);
const noiseDigest = createHash('sha256').update(noise).digest('hex');
let countedUntil: number;

beforeAll(async () => {
  product = await Product.start();
  source = await product.lab.makeGuest({
    name: 'source',
    counter: true,
    disks: [
      { format: 'qcow2', sizeBytes: 160 * 2 ** 20, content: { noise } },
      { format: 'raw', sizeBytes: 32 * 2 ** 20 },
    ],
  });
  await source.waitForAgent();
  await source.waitForBoot();
  await product.protect(source);
  await product.backUp(source);
  countedUntil = await counterIn(source, 'vdb');
});

afterAll(async () => {
  await product?.end();
});

/** Starts a live restore and waits until its VM runs. */
async function restoreLive(name: string): Promise<{ jobId: string; directory: string; guest: LabGuest }> {
  const directory = product.newDirectory();
  const place = ['--recovery-point', 'latest', '--name', name, '--directory', directory];
  const started = await product.cli.json<Job>(
    'restore',
    'vm',
    ...product.itemOf(source),
    ...place,
    '--live',
    '--no-wait',
  );
  await until(`${name} runs`, async () => {
    const { properties } = await product.job(started.name);
    expect(properties.status, JSON.stringify(properties)).toMatch(/^(InProgress|Completed)$/);
    // While it is being started it is listed as active already, and paused.
    const active = (await product.lab.virsh('list', '--name')).split('\n');
    return active.includes(name) && (await product.lab.virsh('domstate', name)).trim() === 'running';
  });
  return { jobId: started.name, directory, guest: await product.lab.openGuest(name) };
}

/** The VM has everything the source had, and its disks stand alone. */
async function expectWhole(guest: LabGuest): Promise<void> {
  await guest.waitForAgent();
  await until(`${guest.name} has mounted its disks`, async () => {
    const { code } = await guest.exec(['/bin/cat', '/mnt/vdb/counter']);
    return code === 0;
  });
  const { stdout } = await guest.exec(['/bin/sha256sum', '/mnt/vda/noise']);
  expect(stdout.slice(0, 64)).toBe(noiseDigest);
  expect(await counterIn(guest, 'vdb')).toBeLessThan(countedUntil + 1000);
  await expectCounting(guest, 'vda');
  for (const target of ['vda', 'vdb']) expect(await chainOf(product.lab, guest, target)).toHaveLength(1);
  expect(await product.lab.virsh('dumpxml', guest.uuid, '--inactive')).not.toMatch(/error_policy|nbd/);
}

it('runs a VM from the vault at once, through the death of the service, and ends independent of it', async () => {
  const { jobId, directory, guest } = await restoreLive('phoenix');
  await product.killService();
  await product.startService();
  const job = await product.jobEnd(jobId);
  expect(job.properties, JSON.stringify(job.properties)).toMatchObject({ status: 'Completed' });
  await product.stopService();
  await expectWhole(guest);
  expect((await readdir(directory)).filter((name) => name.startsWith('.'))).toEqual([]);
  await guest.destroy();
  await product.startService();
});

it('gives a VM that was switched off meanwhile its disks all the same', async () => {
  const { jobId, guest } = await restoreLive('sleeper');
  await guest.destroy();
  const job = await product.jobEnd(jobId);
  expect(job.properties, JSON.stringify(job.properties)).toMatchObject({ status: 'Completed' });
  await product.stopService();
  await guest.start();
  await expectWhole(guest);
  await guest.destroy();
  await product.startService();
});

it('refuses what a live restore cannot be, and touches nothing', async () => {
  for (const options of [['--tier', 'snapshot'], ['--format', 'raw'], ['--allow-damaged']]) {
    const directory = product.newDirectory();
    const result = await product.cli.run(
      'restore',
      'vm',
      ...product.itemOf(source),
      ...['--recovery-point', 'latest', '--name', 'never', '--directory', directory, '--live'],
      ...options,
    );
    expect(result.code).not.toBe(0);
    expect(result.stderr).toContain('A live restore');
    await expect(readdir(directory)).rejects.toMatchObject({ code: 'ENOENT' });
  }
});
