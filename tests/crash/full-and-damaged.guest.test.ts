import { globSync } from 'node:fs';
import { open, readdir, rename, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { RecoveryPoint } from '../../src/api/client/index.ts';
import type { LabGuest } from '../lab/index.ts';
import { errorOf, expectCounting, isIn, Product } from '../support/product.ts';
import { quickProgram } from '../support/service-process.ts';
import { mountSmallFileSystem, type SmallFileSystem } from '../support/small-file-system.ts';
import { until } from '../support/until.ts';

const mib = 2 ** 20;

let product: Product;
let guest: LabGuest;
let store: SmallFileSystem;
let disks: SmallFileSystem;
let home: SmallFileSystem;
const mounts: SmallFileSystem[] = [];

beforeAll(async () => {
  product = await Product.start({
    program: quickProgram,
    prepare: async (lab) => {
      disks = await mountSmallFileSystem(join(lab.dir, 'disks'), 1024, lab.owner);
      home = await mountSmallFileSystem(join(lab.dir, 'home'), 64);
      store = await mountSmallFileSystem(join(lab.dir, 'store'), 512);
      mounts.push(disks, home, store);
      return join(store.path, 'vault');
    },
  });
  guest = await product.lab.makeGuest({
    name: 'victim',
    counter: true,
    disks: [
      { format: 'qcow2', sizeBytes: 24 * mib },
      { format: 'raw', sizeBytes: 48 * mib, content: 'blank' },
    ],
  });
  await guest.waitForAgent();
  await guest.waitForBoot();
  await overwrite();
  await product.protect(guest);
  await product.backUp(guest);
});

afterAll(async () => {
  await product?.[Symbol.asyncDispose]();
  for (const mount of mounts) await mount[Symbol.asyncDispose]();
  await product?.end();
});

// A test that fails with something full says so itself, and nothing of it is left to those after it.
afterEach(async () => {
  for (const full of [disks, home, store]) await full.free();
});

/** Writes noise over the same 32 MiB of the second disk each time, so that no point shares that content with another. */
async function overwrite(): Promise<void> {
  const how = ['if=/dev/urandom', 'of=/dev/vdb', 'bs=1M', 'count=32', 'conv=notrunc,fsync'];
  const { code, stderr } = await guest.exec(['/bin/dd', ...how]);
  if (code !== 0) throw new Error(stderr);
}

const packs = () => new Set(globSync('packs/*/*.pack', { cwd: join(store.path, 'vault') }));

/** Takes a backup after fresh writes, and tells which packs hold what was new in it. */
async function backUpFresh(): Promise<{ point: RecoveryPoint; written: string[] }> {
  await overwrite();
  const before = packs();
  const point = await product.backUp(guest);
  const written = [...packs()].filter((name) => !before.has(name));
  expect(written.length).toBeGreaterThan(0);
  return { point, written: written.map((name) => join(store.path, 'vault', name)) };
}

async function largestOf(paths: readonly string[]): Promise<{ path: string; size: number }> {
  const sizes = await Promise.all(paths.map(async (path) => ({ path, size: (await stat(path)).size })));
  const [largest] = sizes.sort((a, b) => b.size - a.size);
  if (largest === undefined) throw new Error('no pack was written');
  return largest;
}

/** The point can't be restored from the vault: an error says so, and no file of the attempt is left. */
async function expectDamaged(point: RecoveryPoint): Promise<void> {
  const { job, directory } = await product.tryRestoreDisks(guest, point.name, '--tier', 'vault');
  expect(job.properties.status).toBe('Failed');
  expect(errorOf(job)).toBe('StoreDamaged');
  expect(await readdir(directory)).toEqual([]);
}

it('keeps its points and the guest when the store is full, and goes on when there is room', async () => {
  const before = await product.points(guest);
  await overwrite();
  await store.fill(6);
  const job = await product.jobEnd(await product.startBackup(guest));
  expect(job.properties.status).toBe('CompletedWithWarnings');
  expect(errorOf(job)).toBe('StoreFull');
  expect(job.properties.errorDetails?.[0]?.recommendations.join(' ')).toMatch(/space/);
  await expectCounting(guest, 'vda');
  expect(await guest.isFrozen()).toBe(false);
  for (const point of before) await product.expectRestores(guest, point);

  // What did not get to the vault is still a recovery point.
  const [onHost] = await product.points(guest);
  if (onHost === undefined) throw new Error('no point');
  expect([isIn(onHost, 'snapshot'), isIn(onHost, 'vault')]).toEqual([true, false]);
  await product.record(guest, onHost);
  await product.expectRestores(guest, onHost, 'snapshot');

  await store.free();
  const point = await product.backUp(guest);
  // The next backup brought what had been missed before its own.
  for (const disk of point.properties.holdfast.disks) expect(disk.basis).toBe(`delta since ${onHost.name}`);
  const [, brought] = await product.points(guest);
  expect(brought !== undefined && isIn(brought, 'vault')).toBe(true);
  for (const each of [point, onHost, ...before]) await product.expectRestores(guest, each);
});

it('refuses a backup when there is no room for layers, before anything is touched', async () => {
  const points = await product.points(guest);
  await disks.fill(300);
  const seen = async () => [
    await product.lab.virsh('dumpxml', guest.uuid),
    await product.lab.virsh('dumpxml', guest.uuid, '--inactive'),
    await readdir(disks.path),
  ];
  const before = await seen();
  const job = await product.jobEnd(await product.startBackup(guest));
  expect(job.properties.status).toBe('Failed');
  expect(errorOf(job)).toBe('UserErrorHostStorageFull');
  expect(await seen()).toEqual(before);
  expect(await guest.isFrozen()).toBe(false);
  await expectCounting(guest, 'vda');
  expect(await product.points(guest)).toEqual(points);

  await disks.free();
  await product.expectRestores(guest, await product.backUp(guest));
});

it('leaves the guest and its points alone when there is no room for its own notes', async () => {
  const points = await product.points(guest);
  await home.fill();
  const before = await product.lab.virsh('dumpxml', guest.uuid, '--inactive');
  const refused = await product.cli.refusal('backup', 'now', ...product.itemOf(guest));
  expect(refused.exit).toBe(11);
  expect(await product.lab.virsh('dumpxml', guest.uuid, '--inactive')).toBe(before);
  expect(await guest.isFrozen()).toBe(false);
  expect(await product.points(guest)).toEqual(points);
  await home.free();
  await product.expectRestores(guest, await product.backUp(guest));
});

it('names the full home as the reason', async () => {
  await home.fill();
  try {
    const refused = await product.cli.refusal('backup', 'now', ...product.itemOf(guest));
    expect(refused.code).toBe('HomeFull');
  } finally {
    await home.free();
  }
});

it('ends a job whose notes found no room, at once or when there is room', async () => {
  await overwrite();
  const jobId = await product.startBackup(guest);
  await until('the layers are being read', async () => (await product.imageServers()).length > 0);
  await home.fill();
  await until('they are no longer read', async () => (await product.imageServers()).length === 0);
  // The catalog's log may hold pages it can write over, and then the end of the job is noted without any new room.
  await until('the end was recorded, or could not be', async () => {
    if (product.service.log().includes('could not record the end of a job')) return true;
    return (await product.job(jobId)).properties.endTime !== undefined;
  });
  expect(await guest.isFrozen()).toBe(false);
  await expectCounting(guest, 'vda');
  await home.free();
  const job = await product.jobEnd(jobId);
  // It got as far as it got; where it failed, it says why.
  if (job.properties.status !== 'Completed') expect(errorOf(job)).toBe('HomeFull');
  const point = await product.backUp(guest);
  await product.recordAll(guest);
  await product.expectRestores(guest, point);
});

it('says so when there is no room for a restore, and leaves nothing there', async () => {
  const target = await mountSmallFileSystem(join(product.lab.dir, 'target'), 12);
  mounts.push(target);
  const [point] = await product.points(guest);
  for (const tier of ['vault', 'snapshot']) {
    const to = ['--recovery-point', point?.name ?? '', '--tier', tier, '--to', target.path];
    const { code, stdout } = await product.cli.run('restore', 'disks', ...product.itemOf(guest), ...to);
    expect(code, tier).toBe(4);
    const job = JSON.parse(stdout);
    expect(errorOf(job), tier).toBe('UserErrorHostStorageFull');
    expect(await readdir(target.path), tier).toEqual([]);
  }
  expect(await product.imageServers()).toEqual([]);
});

it('finds a flipped byte before it is restored, and the next backup heals what it touches', async () => {
  const [earlier] = await product.points(guest);
  const { point, written } = await backUpFresh();
  const { path, size } = await largestOf(written);
  {
    await using file = await open(path, 'r+');
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, Math.floor(size / 2));
    byte[0] = (byte[0] ?? 0) ^ 0x10;
    await file.write(byte, 0, 1, Math.floor(size / 2));
  }
  await expectDamaged(point);
  if (earlier !== undefined) await product.expectRestores(guest, earlier);
  await product.expectRestores(guest, point, 'snapshot');

  // Nothing was written since: the damaged content is in this point too, and is stored anew.
  const next = await product.backUp(guest);
  await product.expectRestores(guest, next);
  await product.expectRestores(guest, point);
});

it.each([
  ['is cut short', async (path: string) => truncate(path, Math.floor((await stat(path)).size / 3))],
  ['is missing', async (path: string) => rename(path, join(store.path, 'taken-away'))],
])('loses only what a pack held when it %s, and the next backup goes on', async (_how, harm) => {
  const [earlier] = await product.points(guest);
  const { point, written } = await backUpFresh();
  const { path } = await largestOf(written);
  await product.stopService();
  await harm(path);
  await product.startService();
  await expectDamaged(point);
  if (earlier !== undefined) await product.expectRestores(guest, earlier);
  const next = await product.backUp(guest);
  await product.expectRestores(guest, next);
});
