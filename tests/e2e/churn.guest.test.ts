import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RecoveryPoint } from '../../src/api/client/index.ts';
import { run } from '../../src/platform/index.ts';
import type { LabGuest } from '../lab/index.ts';
import { bytesInLayer, expectSameContent, frozenLayer, imageAt } from '../support/images.ts';
import { Product } from '../support/product.ts';

const gib = 2 ** 30;
const block = 4096;

/** Disks of one guest: an 8 GiB one with a file system, and two that the test writes to as devices. */
const mounted = 'vda';
const small = 'vdb';
const large = 'vdc';

let product: Product;
let guest: LabGuest;

beforeAll(async () => {
  product = await Product.start();
  guest = await product.lab.makeGuest({
    name: 'idle',
    disks: [
      { format: 'qcow2', sizeBytes: 8 * gib, content: { noise: randomBytes(48 * 2 ** 20) } },
      { format: 'qcow2', sizeBytes: 8 * gib, content: 'blank' },
      { format: 'qcow2', sizeBytes: 64 * gib, content: 'blank' },
    ],
  });
  await guest.waitForAgent();
  await guest.waitForBoot();
  for (const target of [small, large]) await writeBlocks(target, [0, 1000, 500_000, 2_000_000], 1024);
  await product.protect(guest);
  await backUp();
});

afterAll(async () => {
  await product?.end();
});

/** Writes `count` blocks of noise at each place (in blocks) of a disk, past any file system, and syncs. */
async function writeBlocks(target: string, places: readonly number[], count: number): Promise<void> {
  const commands = places.map(
    (place) =>
      `dd if=/dev/urandom of=/dev/${target} bs=${block} seek=${place} count=${count} conv=notrunc,fsync`,
  );
  const { code, stderr } = await guest.exec(['/bin/sh', '-ec', commands.join('\n')]);
  if (code !== 0) throw new Error(stderr);
}

async function backUp(): Promise<RecoveryPoint> {
  const job = await product.jobEnd(await product.startBackup(guest));
  expect(job.properties.status).toBe('Completed');
  const [point] = await product.points(guest);
  if (point === undefined) throw new Error('The backup left no recovery point.');
  return point;
}

function costOf(point: RecoveryPoint, target: string) {
  const disk = point.properties.holdfast.disks.find((candidate) => candidate.target === target);
  const { readBytes = Number.NaN, newBytes = Number.NaN, storedBytes = Number.NaN } = disk ?? {};
  return { readBytes, newBytes, storedBytes, basis: disk?.basis };
}

/** What the guest changed on a disk up to this point, in whole 4 KiB blocks, without asking Holdfast. */
async function changedBytes(point: RecoveryPoint, target: string): Promise<number> {
  const frozen = await frozenLayer(product.lab, guest, target, point.name);
  if (frozen === undefined) throw new Error(`no frozen layer of ${target}`);
  return bytesInLayer(frozen);
}

/** Bytes of everything in the vault's store. */
async function storeBytes(): Promise<number> {
  const { stdout } = await run(['du', '-sb', join(product.home, 'stores')], { timeoutMs: 30_000 });
  return Number.parseInt(stdout, 10);
}

it('reads and stores next to nothing when the guest did next to nothing', async () => {
  const before = await storeBytes();
  const point = await backUp();
  for (const target of [mounted, small, large]) {
    const changed = await changedBytes(point, target);
    const cost = costOf(point, target);
    expect(cost.basis).toMatch(/^delta since/);
    // Freezing alone makes a mounted file system write a block or two.
    expect(changed, target).toBeLessThanOrEqual(target === mounted ? 16 * block : 0);
    expect(cost.readBytes, target).toBeLessThanOrEqual(1.1 * changed);
    expect(cost.storedBytes, target).toBeLessThanOrEqual(target === mounted ? 32 * block : 0);
  }
  expect((await storeBytes()) - before).toBeLessThanOrEqual(2 ** 17);
});

it('reads and stores the churn of a disk and no more, however large the disk is', async () => {
  const report = ['if=/dev/urandom', 'of=/mnt/vda/report', 'bs=1M', 'count=16', 'conv=fsync'];
  expect((await guest.exec(['/bin/dd', ...report])).code).toBe(0);
  const scattered = Array.from({ length: 64 }, (_, i) => i * 30_011 + 7);
  for (const target of [small, large]) {
    await writeBlocks(target, scattered, 1);
    await writeBlocks(target, [700_000], 2048);
  }
  const written = { [mounted]: 16 * 2 ** 20, [small]: 2112 * block, [large]: 2112 * block };
  const before = await storeBytes();
  const point = await backUp();
  let allChanged = 0;
  for (const [target, bytes] of Object.entries(written)) {
    const changed = await changedBytes(point, target);
    const cost = costOf(point, target);
    expect(changed, target).toBeGreaterThanOrEqual(bytes);
    expect(cost.readBytes, target).toBeGreaterThanOrEqual(bytes);
    expect(cost.readBytes, target).toBeLessThanOrEqual(1.1 * changed);
    // Noise can't be made smaller; what comes on top is the map, and the neighbours of scattered blocks in their chunks.
    expect(cost.storedBytes, target).toBeLessThanOrEqual(1.1 * changed);
    allChanged += changed;
  }
  expect((await storeBytes()) - before).toBeLessThanOrEqual(1.1 * allChanged);
  const [ofSmall, ofLarge] = [costOf(point, small), costOf(point, large)];
  expect(ofLarge.readBytes).toBe(ofSmall.readBytes);
  expect(ofLarge.newBytes).toBeLessThanOrEqual(1.01 * ofSmall.newBytes);
  expect(ofLarge.storedBytes).toBeLessThanOrEqual(1.01 * ofSmall.storedBytes);

  const disks = await product.restoreDisks(guest, point.name, 'vault', '--format', 'qcow2');
  expect([...disks.keys()].sort()).toEqual([mounted, small, large]);
  for (const [target, path] of disks) {
    const frozen = await frozenLayer(product.lab, guest, target, point.name);
    if (frozen === undefined) throw new Error(`no frozen layer of ${target}`);
    await expectSameContent(frozen, imageAt(path));
    expect((await stat(path)).blocks * 512, 'a sparse file').toBeLessThan(2 ** 29);
  }
});
