import { chmod, readdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canUseBlockDevices, findFirmware, type Lab, readCounter, startLab } from '../../tests/lab/index.ts';
import type { Host } from './host.ts';
import {
  contentOfPoint,
  counterIn,
  digests,
  frozenContent,
  imageContent,
  openLabHost,
  overlaysIn,
} from './testing/lab-host.ts';

let lab: Lab;
let host: Host;

beforeAll(async () => {
  lab = await startLab();
  host = await openLabHost(lab);
});

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

const wanted = { excludedDisks: [], consistency: 'application-or-file-system' } as const;
const sizeBytes = 16 * 1024 * 1024;

describe('a point of a running guest', () => {
  it('holds both disks of one moment, and its changes are exactly what differs from the point before', async () => {
    const guest = await lab.makeGuest({
      name: 'run',
      disks: [
        { format: 'qcow2', sizeBytes },
        { format: 'raw', sizeBytes },
      ],
      counter: true,
    });
    await guest.waitForAgent();
    await guest.waitForBoot();
    expect(await host.findObstacles(guest.uuid, [])).toEqual([]);

    const one = await host.takePoint({ machineUuid: guest.uuid, pointId: 'one', ...wanted });
    expect(one).toMatchObject({
      consistency: 'file-system',
      consistencyReason: undefined,
      powerState: 'running',
    });
    expect(one.frozenMs).toBeGreaterThan(0);
    expect(one.disks.map(({ target, originalFormat }) => [target, originalFormat])).toEqual([
      ['vda', 'qcow2'],
      ['vdb', 'raw'],
    ]);
    expect(await guest.isFrozen()).toBe(false);
    const contentOne = await contentOfPoint(host, guest.uuid, 'one');
    expect(digests(contentOne)).toEqual(digests(await frozenContent(host, guest.uuid)));

    await guest.writeFile('/mnt/vdb/note', 'written after the first point');
    const two = await host.takePoint({
      machineUuid: guest.uuid,
      pointId: 'two',
      ...wanted,
      consistency: 'crash',
    });
    expect(two).toMatchObject({ consistency: 'crash', consistencyReason: undefined, frozenMs: 0 });
    expect(two.disks.map(({ originalFormat }) => originalFormat)).toEqual(['qcow2', 'raw']);
    const frozenTwo = await frozenContent(host, guest.uuid);
    const delta = { since: 'one', earlier: contentOne };
    const changed = await contentOfPoint(host, guest.uuid, 'two', delta);
    expect(digests(changed)).toEqual(digests(frozenTwo));
    expect(digests(frozenTwo)).not.toEqual(digests(contentOne));

    for (const content of [contentOne, frozenTwo]) {
      const counters = await Promise.all(
        ['vda', 'vdb'].map((target) => counterIn(content.get(target) ?? Buffer.alloc(0), readCounter)),
      );
      expect(Math.abs((counters[0] ?? 0) - (counters[1] ?? 9))).toBeLessThanOrEqual(1);
    }

    const { disks } = await host.getMachine(guest.uuid);
    for (const disk of disks.filter((each) => each.device === 'disk')) {
      const overlay = await stat(disk.path ?? '');
      expect([overlay.mode & 0o777, overlay.uid]).toEqual([0o600, lab.owner.uid]);
      expect(disk.chain.map(({ format }) => format).slice(0, 2)).toEqual(['qcow2', 'qcow2']);
    }
    // asking again gives the same point, not another layer
    expect(await host.takePoint({ machineUuid: guest.uuid, pointId: 'two', ...wanted })).toEqual(two);
    expect(await host.listPoints(guest.uuid)).toEqual(['one', 'two']);

    await guest.pause();
    const request = { machineUuid: guest.uuid, pointId: 'three', ...wanted, excludedDisks: ['vdb'] };
    const paused = await host.takePoint(request);
    expect(paused.disks.map(({ target }) => target)).toEqual(['vda']);
    expect(paused).toMatchObject({ consistency: 'crash', powerState: 'paused' });
    expect(paused.consistencyReason).toMatch(/paused/);
    await guest.resume();
    await guest.waitForAgent();
    // the layers of the excluded disk are older than those of the other; all of them go
    await host.releaseMachine(guest.uuid);
    expect(await overlaysIn(lab)).toEqual([]);
    await guest.destroy();
  });

  it('is crash-consistent, and says why, when no agent answers', async () => {
    const guest = await lab.makeGuest({
      name: 'mute',
      disks: [{ format: 'qcow2', sizeBytes }],
      agent: false,
    });
    const full = await openLabHost(lab, { minimumFreeBytes: 2 ** 62 });
    await expect(
      full.takePoint({ machineUuid: guest.uuid, pointId: 'one', ...wanted }),
    ).rejects.toMatchObject({
      code: 'UserErrorHostStorageFull',
    });
    expect(await overlaysIn(lab)).toEqual([]);
    const point = await host.takePoint({ machineUuid: guest.uuid, pointId: 'one', ...wanted });
    expect(point).toMatchObject({ consistency: 'crash', frozenMs: 0 });
    expect(point.consistencyReason).toMatch(/agent/);
    await guest.destroy();
  });

  it('leaves nothing behind, and no guest frozen, when libvirt refuses the snapshot', async () => {
    const guest = await lab.makeGuest({ name: 'refuse', disks: [{ format: 'qcow2', sizeBytes }] });
    await guest.waitForAgent();
    const directory = dirname(guest.disk('vda').path);
    const before = await readdir(directory);

    let frozen = false;
    const broken = await openLabHost(lab, {
      async onStep(step) {
        if (step !== 'frozen') return;
        frozen = await guest.isFrozen();
        // QEMU can't open a directory's file that it may not read
        const overlay = (await readdir(directory)).find((name) => !before.includes(name));
        await chmod(`${directory}/${overlay}`, 0);
      },
    });
    await expect(
      broken.takePoint({ machineUuid: guest.uuid, pointId: 'one', ...wanted }),
    ).rejects.toMatchObject({
      code: 'UserErrorCrpReportedUserError',
    });
    expect(frozen).toBe(true);
    expect(await guest.isFrozen()).toBe(false);
    expect(await readdir(directory)).toEqual(before);
    expect(await host.listPoints(guest.uuid)).toEqual([]);
    // and the next attempt succeeds
    const point = await host.takePoint({ machineUuid: guest.uuid, pointId: 'one', ...wanted });
    expect(point.consistency).toBe('file-system');
    await guest.destroy();
  });
});

describe('a guest that can not be thawed', () => {
  it('raises an alert at once, is reported by each reconciliation, and thawed by the first that can', async () => {
    const guest = await lab.makeGuest({ name: 'stuck', disks: [{ format: 'qcow2', sizeBytes }] });
    await guest.waitForAgent();
    const alerts: string[] = [];
    const watched = await openLabHost(lab, {
      onAlert: ({ code, machineUuid }) => alerts.push(`${code} ${machineUuid}`),
      async onStep(step) {
        if (step === 'frozen') await guest.pause(); // nobody can reach its agent now
      },
    });
    const point = await watched.takePoint({ machineUuid: guest.uuid, pointId: 'one', ...wanted });
    expect(point.consistency).toBe('crash');
    expect(alerts).toEqual([`UserErrorGuestNotThawed ${guest.uuid}`]);
    const next = await openLabHost(lab);
    expect((await next.reconcile()).notThawed).toEqual(['stuck']);
    // Both would go on trying to thaw it.
    for (const trying of [watched, next]) await trying[Symbol.asyncDispose]();
    await guest.resume();
    expect(await guest.isFrozen()).toBe(true);
    expect((await host.reconcile()).notThawed).toEqual([]);
    expect(await guest.isFrozen()).toBe(false);
    await host.releaseMachine(guest.uuid);
    await guest.destroy();
  });
});

describe('a point of a machine that is off', () => {
  it('freezes its disks, lets it start on the layers, and reads the same afterwards', async (context) => {
    const block = await canUseBlockDevices();
    const guest = await lab.makeGuest({
      name: 'off',
      state: 'off',
      disks: [
        { format: 'raw', sizeBytes },
        { format: block ? 'block' : 'qcow2', sizeBytes },
      ],
      ...((await findFirmware()) === undefined ? {} : { firmware: 'efi' as const }),
    });
    const withBlocks = await openLabHost(lab, { overlayDirectory: `${lab.dir}/disks` });
    const point = await withBlocks.takePoint({ machineUuid: guest.uuid, pointId: 'one', ...wanted });
    expect(point).toMatchObject({ consistency: 'crash', powerState: 'shut off', machineName: 'off' });
    const content = await contentOfPoint(host, guest.uuid, 'one');
    const image = await imageContent(guest.disk('vda').path, 'raw');
    expect(content.get('vda')?.equals(image)).toBe(true);
    await guest.start();
    await guest.waitForAgent();
    await guest.writeFile('/mnt/vda/new', 'x'.repeat(10_000));
    expect(digests(await contentOfPoint(host, guest.uuid, 'one'))).toEqual(digests(content));
    if (!block) context.annotate('no loop devices here: the block device was a file');
    if ((await findFirmware()) !== undefined)
      expect(Buffer.from(point.definition.nvramBase64 ?? '', 'base64').length).toBeGreaterThan(60_000);
    await guest.destroy();
    await withBlocks.takePoint({ machineUuid: guest.uuid, pointId: 'two', ...wanted });
    const two = await contentOfPoint(host, guest.uuid, 'two', { since: 'one', earlier: content });
    expect(two.get('vda')?.includes('x'.repeat(4000))).toBe(true);
    await withBlocks.releaseMachine(guest.uuid);
    const released = await imageContent(guest.disk('vda').path, 'raw');
    expect(two.get('vda')?.equals(released)).toBe(true);
    await guest.start();
    await guest.waitForAgent();
    await guest.destroy();
  });
});
