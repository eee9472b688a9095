import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, startLab } from '../../tests/lab/index.ts';
import { until } from '../../tests/support/until.ts';
import type { Host } from './host.ts';
import {
  contentOfPoint,
  crashAt,
  digests,
  frozenContent,
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

const sizeBytes = 16 * 1024 * 1024;
const disks = [
  { format: 'qcow2', sizeBytes },
  { format: 'raw', sizeBytes },
] as const;
const wanted = { excludedDisks: [], consistency: 'application-or-file-system' } as const;

describe('after a crash while a point is taken', () => {
  it('no guest stays frozen, earlier points stay whole and the next point succeeds', async () => {
    const guest = await lab.makeGuest({ name: 'crash', disks });
    await guest.waitForAgent();
    await host.takePoint({ machineUuid: guest.uuid, pointId: 'first', ...wanted });
    const first = digests(await contentOfPoint(host, guest.uuid, 'first'));
    const kept = ['first'];
    for (const place of ['intended', 'created', 'freezing', 'frozen', 'switched', 'point written', 'taken']) {
      const pointId = place.replace(' ', '-');
      await crashAt(lab, place, { take: pointId }, guest.uuid);
      if (place === 'frozen') expect(await guest.isFrozen()).toBe(true);
      const report = await host.reconcile();
      expect([place, report.notThawed, report.unknownFiles]).toEqual([place, [], []]);
      expect(await guest.isFrozen()).toBe(false);
      if (['switched', 'point written', 'taken'].includes(place)) {
        kept.push(pointId);
        expect(digests(await contentOfPoint(host, guest.uuid, pointId))).toEqual(
          digests(await frozenContent(host, guest.uuid)),
        );
      }
      expect([place, await host.listPoints(guest.uuid)]).toEqual([place, kept]);
      expect((await overlaysIn(lab)).length).toBe(kept.length * 2);
    }
    await guest.destroy();
    for (const place of ['created', 'defined', 'switched']) {
      await crashAt(lab, place, { take: `off-${place}` }, guest.uuid);
      await host.reconcile();
      if (place !== 'created') kept.push(`off-${place}`);
      expect(await host.listPoints(guest.uuid)).toEqual(kept);
    }
    await guest.start();
    await guest.waitForAgent();
    const last = await host.takePoint({ machineUuid: guest.uuid, pointId: 'last', ...wanted });
    expect(last.consistency).toBe('file-system');
    expect(digests(await contentOfPoint(host, guest.uuid, 'first'))).toEqual(first);
    await guest.destroy();
    await host.releaseMachine(guest.uuid);
    expect(await overlaysIn(lab)).toEqual([]);
  });

  it('of libvirtd or QEMU, the machine is as before and the next point succeeds', async () => {
    const guest = await lab.makeGuest({ name: 'daemon', disks });
    await guest.waitForAgent();
    await host.takePoint({ machineUuid: guest.uuid, pointId: 'first', ...wanted });
    const first = digests(await contentOfPoint(host, guest.uuid, 'first'));

    const deaf = await openLabHost(lab, {
      async onStep(step) {
        if (step === 'frozen') await lab.killLibvirtd();
      },
    });
    await expect(
      deaf.takePoint({ machineUuid: guest.uuid, pointId: 'deaf', ...wanted }),
    ).rejects.toMatchObject({
      code: 'HostUnreachable',
    });
    await lab.restartLibvirtd();
    await guest.waitForAgent().catch(() => {}); // a frozen guest's agent refuses what the wait asks
    expect((await host.reconcile()).notThawed).toEqual([]);
    expect(await guest.isFrozen()).toBe(false);
    expect(await host.listPoints(guest.uuid)).toEqual(['first']);

    const crashing = await openLabHost(lab, {
      async onStep(step) {
        if (step !== 'frozen') return;
        await guest.killQemu();
        // A snapshot that meets the death before libvirt does is refused, which is another story.
        await until('libvirt knows of the death', async () => (await guest.state()) === 'shut off');
      },
    });
    // libvirt then takes the snapshot of a machine that is off, which is as good as a crash leaves it
    const dead = await crashing.takePoint({ machineUuid: guest.uuid, pointId: 'dead', ...wanted });
    expect(dead.consistency).toBe('crash');
    expect((await host.reconcile()).notThawed).toEqual([]);
    expect(await host.listPoints(guest.uuid)).toEqual(['first', 'dead']);
    await guest.start();
    await guest.waitForAgent();
    const next = await host.takePoint({ machineUuid: guest.uuid, pointId: 'next', ...wanted });
    expect(next.consistency).toBe('file-system');
    expect(digests(await contentOfPoint(host, guest.uuid, 'first'))).toEqual(first);
    await guest.destroy();
    await host.releaseMachine(guest.uuid);
  });

  it('of libvirtd between QEMU and its own notes, what the guest wrote is there after its next start', async () => {
    const guest = await lab.makeGuest({ name: 'lost', disks: [{ format: 'qcow2', sizeBytes }] });
    await guest.waitForAgent();
    await crashAt(lab, 'frozen', { take: 'lost' }, guest.uuid);
    const monitor = async (execute: string, args: object) =>
      JSON.parse(
        await lab.virsh('qemu-monitor-command', guest.uuid, JSON.stringify({ execute, arguments: args })),
      );
    const { return: nodes } = await monitor('query-named-block-nodes', { flat: true });
    const top = (nodes as { drv: string; 'node-name': string }[]).find(({ drv }) => drv === 'qcow2');
    const overlay = (await overlaysIn(lab)).find((name) => name.includes('.lost.'));
    const file = { driver: 'file', filename: join(lab.dir, 'disks', overlay ?? '') };
    await monitor('blockdev-add', { driver: 'qcow2', 'node-name': 'behind', file, backing: null });
    await monitor('blockdev-snapshot', { node: top?.['node-name'], overlay: 'behind' });

    const report = await host.reconcile();
    expect(report.actions.join()).toContain("Can't tell");
    await guest.writeFile('/mnt/vda/precious', 'written behind the back of libvirt');
    await expect(
      host.takePoint({ machineUuid: guest.uuid, pointId: 'next', ...wanted }),
    ).rejects.toMatchObject({
      code: 'UserErrorVmNotInDesirableState',
    });
    await guest.destroy();
    await guest.start();
    await guest.waitForAgent();
    expect((await guest.exec(['/bin/cat', '/mnt/vda/precious'])).stdout).toMatch(/^written/);
    await host.takePoint({ machineUuid: guest.uuid, pointId: 'next', ...wanted });
    expect(await host.listPoints(guest.uuid)).toEqual(['lost', 'next']);
    await host.releaseMachine(guest.uuid);
    expect(await overlaysIn(lab)).toEqual([]);
    await guest.destroy();
  });
});
