import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Job, RecoveryPoint } from '../../src/api/client/index.ts';
import {
  canUseBlockDevices,
  checkFileSystem,
  type LabGuest,
  readCounter,
  readFileInImage,
} from '../lab/index.ts';
import { chainOf, frozenLayer } from '../support/images.ts';
import {
  counterIn,
  expectCounting,
  isIn,
  Product,
  type RestoredDisks,
  writeNoise,
} from '../support/product.ts';

let product: Product;
let guest: LabGuest;
let targets: string[];
/** Oldest first. */
const points: RecoveryPoint[] = [];

const networkCard = `<interface type='user'><model type='virtio'/></interface>`;

beforeAll(async () => {
  product = await Product.start();
  const sizeBytes = 96 * 2 ** 20;
  guest = await product.lab.makeGuest({
    name: 'web',
    counter: true,
    state: 'off',
    disks: [
      { format: 'qcow2', sizeBytes, content: { noise: randomBytes(24 * 2 ** 20) } },
      { format: 'raw', sizeBytes, content: { noise: randomBytes(8 * 2 ** 20) } },
      ...((await canUseBlockDevices()) ? [{ format: 'block' as const, sizeBytes }] : []),
    ],
  });
  targets = guest.disks.map((disk) => disk.target);
  const card = join(product.lab.dir, 'card.xml');
  await writeFile(card, networkCard);
  await product.lab.virsh('attach-device', guest.uuid, card, '--config');
  await guest.start();
  await guest.waitForAgent();
  await guest.waitForBoot();
});

afterAll(async () => {
  await product?.end();
});

/** The guest counts on one disk after the other: at any moment they are equal, or an earlier one is ahead by one. */
async function expectCountersAgree(disks: RestoredDisks): Promise<void> {
  const counters: number[] = [];
  for (const target of targets) {
    const path = disks.get(target);
    if (path !== undefined) counters.push(await readCounter(path));
  }
  expect(counters.length).toBeGreaterThan(1);
  const [first = Number.NaN, last = Number.NaN] = [counters.at(0), counters.at(-1)];
  expect(counters, String(counters)).toEqual(counters.toSorted((a, b) => b - a));
  expect(first - last, String(counters)).toBeLessThanOrEqual(1);
  expect(last).toBeGreaterThan(0);
}

it('backs up a running guest three times, and every point is whole, on the host and in the vault', async () => {
  await product.protect(guest);
  for (const round of [1, 2, 3]) {
    if (round > 1) for (const target of targets) await writeNoise(guest, `/mnt/${target}/round-${round}`, 3);
    const job = await product.cli.json<Job>('backup', 'now', ...product.itemOf(guest));
    expect(job.properties).toMatchObject({ operation: 'Backup', status: 'Completed' });
    expect(await guest.isFrozen()).toBe(false);
    const listed = await product.cli.json<RecoveryPoint[]>(
      'recovery-point',
      'list',
      ...product.itemOf(guest),
    );
    expect(listed).toHaveLength(round);
    for (const point of listed.slice(0, 1)) {
      await product.record(guest, point);
      points.push(point);
    }
  }
  await expectCounting(guest, 'vda');
  expect(points.map((point) => point.properties.recoveryPointType)).toEqual(
    Array(3).fill('FileSystemConsistent'),
  );
  for (const [round, point] of points.entries()) {
    expect(point.properties.recoveryPointTierDetails).toMatchObject([
      { type: 'InstantRP', status: 'Valid' },
      { type: 'HardenedRP', status: 'Valid' },
    ]);
    for (const disk of point.properties.holdfast.disks) {
      if (round === 0) expect(disk.basis, disk.target).toMatch(/^full/);
      else expect(disk.basis, disk.target).toBe(`delta since ${points[round - 1]?.name}`);
    }
  }
  for (const point of points) {
    for (const tier of ['vault', 'snapshot'] as const) {
      const disks = await product.expectRestores(guest, point, tier);
      if (tier === 'vault') await expectCountersAgree(disks);
      for (const path of tier === 'vault' ? disks.values() : []) await checkFileSystem(path);
    }
  }
  expect(await product.imageServers()).toEqual([]);
});

it.each(['vault', 'snapshot'] as const)(
  'restores a VM from the %s that boots beside its source',
  async (tier) => {
    const [point] = points;
    const name = `web-${tier}`;
    const source = await product.lab.virsh('dumpxml', guest.uuid, '--security-info');
    const where = [
      '--recovery-point',
      point?.name ?? '',
      '--tier',
      tier,
      '--directory',
      product.newDirectory(),
    ];
    await product.cli.json('restore', 'vm', ...product.itemOf(guest), ...where, '--name', name, '--start');
    const restored = await product.lab.openGuest(name);
    await restored.waitForAgent();
    await expectCounting(restored, 'vdb');
    expect((await restored.exec(['/bin/ls', '/mnt/vda'])).stdout).not.toContain('round-2');

    expect(await product.lab.virsh('dumpxml', guest.uuid, '--security-info')).toBe(source);
    await expectCounting(guest, 'vda');
    const xml = await product.lab.virsh('dumpxml', name);
    expect(restored.uuid).not.toBe(guest.uuid);
    expect(xml).toContain("<link state='down'/>");
    const macOf = (text: string) => /<mac address='([^']+)'/.exec(text)?.[1];
    expect(macOf(xml)).toBeDefined();
    expect(macOf(xml)).not.toBe(macOf(source));
    await restored.destroy();

    // Once more under the same name, or over the same files: refused, and nothing changes.
    const again = await product.cli.refusal(
      ...['restore', 'vm', ...product.itemOf(guest), ...where, '--name', name],
    );
    expect(again).toMatchObject({ exit: 11, code: 'UserErrorTargetVmExists' });
  },
);

it('never restores over a file that is there', async () => {
  const [point] = points;
  const disks = await product.restoreDisks(guest, point?.name ?? '', 'vault', '--disk', 'vda');
  expect([...disks.keys()]).toEqual(['vda']);
  const path = disks.get('vda') ?? '';
  await writeFile(path, 'precious');
  const to = ['--recovery-point', point?.name ?? '', '--to', join(path, '..')];
  const refused = await product.cli.refusal('restore', 'disks', ...product.itemOf(guest), ...to);
  expect(refused).toMatchObject({ exit: 11, code: 'UserErrorTargetPathExists' });
  expect(refused.message).toContain(path);
  expect((await readdir(join(path, '..'))).filter((name) => !path.endsWith(name))).toEqual([
    expect.stringMatching(/\.xml$/),
  ]);
});

it('backs up a paused guest, which stays paused', async () => {
  await guest.pause();
  const point = await product.backUp(guest);
  expect(await guest.state()).toBe('paused');
  await guest.resume();
  expect(point.properties.recoveryPointType).toBe('CrashConsistent');
  await expectCountersAgree(await product.expectRestores(guest, point));
  await expectCounting(guest, 'vda');
});

it('backs up a guest that is off, and it starts on what was there', async () => {
  const counted = await counterIn(guest, 'vda');
  await guest.shutdown();
  const point = await product.backUp(guest);
  expect(await guest.state()).toBe('shut off');
  expect(point.properties.recoveryPointType).toBe('CrashConsistent');
  for (const disk of point.properties.holdfast.disks) expect(disk.basis).toMatch(/^delta since/);
  await expectCountersAgree(await product.expectRestores(guest, point));
  await guest.start();
  await guest.waitForAgent();
  await guest.waitForBoot(2);
  expect(await counterIn(guest, 'vda')).toBeGreaterThanOrEqual(counted);
  await expectCounting(guest, 'vda');
});

it('leaves an excluded disk alone', async () => {
  await product.protect(guest, '--exclude-disk', 'vdb');
  const before = await chainOf(product.lab, guest, 'vdb');
  const point = await product.backUp(guest);
  expect(await chainOf(product.lab, guest, 'vdb')).toEqual(before);
  expect(await frozenLayer(product.lab, guest, 'vda', point.name)).toBeDefined();
  const disks = await product.expectRestores(guest, point);
  expect([...disks.keys()].sort()).toEqual(targets.filter((target) => target !== 'vdb'));
  await product.protect(guest, '--include-all-disks');
});

it('gives the VM its own images back when protection stops, and keeps the points in the vault', async () => {
  const all = await product.points(guest);
  await product.cli.json('item', 'stop', ...product.itemOf(guest));
  for (const disk of guest.disks) {
    expect(await chainOf(product.lab, guest, disk.target)).toEqual([
      { path: disk.path, format: disk.format === 'qcow2' ? 'qcow2' : 'raw' },
    ]);
  }
  const files = await readdir(join(product.lab.dir, 'disks'));
  expect(files.filter((name) => name.includes('holdfast'))).toEqual([]);
  await expectCounting(guest, 'vda');
  const kept = await product.points(guest);
  expect(kept.map((point) => point.name)).toEqual(all.map((point) => point.name));
  expect(kept.filter((point) => isIn(point, 'snapshot') || !isIn(point, 'vault'))).toEqual([]);
  for (const point of points.slice(0, 1)) await product.expectRestores(guest, point);
  const refused = await product.cli.refusal('backup', 'now', ...product.itemOf(guest));
  expect(refused).toMatchObject({ exit: 11, code: 'UserErrorBcmDatasourceNotPresent' });
  // What the guest wrote on its layers is on its own disks now.
  await guest.shutdown();
  for (const disk of guest.disks) {
    await checkFileSystem(disk.path);
    expect((await readFileInImage(disk.path, '/round-3')).length, disk.target).toBe(3 * 2 ** 20);
  }
});

it('refuses a VM that is not there', async () => {
  const where = ['--vault', 'Main', '--vm', 'nobody'];
  for (const command of [
    ['item', 'enable', ...where],
    ['vm', 'show', 'nobody'],
  ])
    expect(await product.cli.refusal(...command)).toMatchObject({ exit: 10, code: 'UserErrorVmNotFoundV2' });
  for (const command of [
    ['backup', 'now', ...where],
    ['recovery-point', 'list', ...where],
    ['restore', 'disks', ...where, '--recovery-point', 'latest', '--to', join(product.lab.dir, 'never')],
  ])
    expect((await product.cli.refusal(...command)).exit, command.join(' ')).toBe(10);
  expect(existsSync(join(product.lab.dir, 'never'))).toBe(false);
});

it('refuses VMs it can not protect, with a code, and touches nothing', async () => {
  const plain = await product.lab.makeGuest({
    name: 'plain',
    state: 'off',
    agent: false,
    disks: [{ format: 'raw', sizeBytes: 8 * 2 ** 20 }],
  });
  const xml = await product.lab.virsh('dumpxml', plain.uuid);
  const cases = [
    { name: 'bare', code: 'UserErrorNoDiskToProtect', from: /<disk [\s\S]*<\/disk>/, to: '' },
    { name: 'shared', code: 'UserErrorDiskShareable', from: /<\/disk>/, to: '<shareable/></disk>' },
    { name: 'fleeting', code: 'UserErrorVmTransient', from: /^/, to: '' },
  ];
  for (const { name, code, from, to } of cases) {
    const file = join(product.lab.dir, `${name}.xml`);
    const changed = xml
      .replace(from, to)
      .replace(/<name>.*<\/name>/, `<name>${name}</name>`)
      .replace(/<uuid>.*<\/uuid>/, `<uuid>${randomUUID()}</uuid>`);
    await writeFile(file, changed);
    await product.lab.virsh(name === 'fleeting' ? 'create' : 'define', file);
    const seen = async () => [
      await product.lab.virsh('dumpxml', name),
      await readdir(join(product.lab.dir, 'disks')),
    ];
    const before = await seen();
    const refused = await product.cli.refusal('item', 'enable', '--vault', 'Main', '--vm', name);
    expect(refused, name).toMatchObject({ exit: 11, code });
    expect(refused.action).toMatch(/\w/);
    expect(await seen()).toEqual(before);
    const shown = await product.cli.json('vm', 'show', name);
    expect(shown).toMatchObject({ properties: { protection: { obstacles: [{ code }] } } });
  }
  const items = await product.cli.json<unknown[]>('item', 'list', '--vault', 'Main');
  expect(items).toHaveLength(1);
});
