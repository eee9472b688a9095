import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, startLab } from '../../tests/lab/index.ts';
import type { Host } from './host.ts';
import {
  contentOfPoint,
  crashAt,
  digests,
  imageContent,
  openLabHost,
  overlaysIn,
  wayOfPoint,
} from './testing/lab-host.ts';
import { Virsh } from './virsh.ts';

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
const gone = '11111111-2222-4333-8444-555555555555';
type Guest = Awaited<ReturnType<Lab['makeGuest']>>;

function take(guest: Guest, pointId: string) {
  return host.takePoint({ machineUuid: guest.uuid, pointId, excludedDisks: [], consistency: 'crash' });
}

async function takeAfterWrite(guest: Guest, pointId: string): Promise<void> {
  for (const target of ['vda', 'vdb'])
    await guest.writeFile(`/mnt/${target}/${pointId}`, pointId.repeat(3000));
  await take(guest, pointId);
}

describe('expiry', () => {
  it('merges three points of a running guest from the bottom and ends where protection began', async () => {
    const guest = await lab.makeGuest({ name: 'exp', disks });
    await guest.waitForAgent();
    for (const pointId of ['one', 'two', 'three']) await takeAfterWrite(guest, pointId);
    const three = digests(await contentOfPoint(host, guest.uuid, 'three'));
    // the bytes of frozen images come straight from their files, under a guest that runs on
    expect(await wayOfPoint(host, guest.uuid, 'three')).toBe('files');
    expect(await wayOfPoint(host, guest.uuid, 'three', 'two')).toBe('files');

    // the middle one waits for the one below it
    expect(await host.expirePoints(guest.uuid, ['two'], {})).toEqual({
      merged: [],
      waiting: [{ pointId: 'two', reason: expect.stringContaining('one') }],
    });
    // all machines of the host are asked at once, and one that is gone is no failure
    const virsh = new Virsh(lab.uri, lab.dir);
    const definitions = await virsh.definitions([guest.uuid, gone]);
    expect([...definitions].map(([uuid, found]) => [uuid, found.length])).toEqual([
      [guest.uuid, 2],
      [gone, 0],
    ]);
    expect(definitions.get(guest.uuid)).toEqual([
      (await virsh.xml(guest.uuid)).trim(),
      (await virsh.xml(guest.uuid, { inactive: true })).trim(),
    ]);
    await expect(
      new Virsh('qemu+unix:///session?socket=/none', lab.dir).definitions([gone]),
    ).rejects.toMatchObject({
      code: 'HostUnreachable',
    });

    // a reader keeps the layer it reads
    const reader = await host.openPoint({ machineUuid: guest.uuid, pointId: 'one' });
    const held = await host.expirePoints(guest.uuid, ['one'], {});
    expect(held.merged).toEqual([]);
    expect(held.waiting[0]?.reason).toMatch(/being read/);
    await reader[Symbol.asyncDispose]();

    const done = await host.expirePoints(guest.uuid, [], { bandwidthBytesPerSecond: 50_000_000 });
    expect(done).toEqual({ merged: ['one', 'two'], waiting: [] });
    expect(await host.listPoints(guest.uuid)).toEqual(['three']);
    expect(digests(await contentOfPoint(host, guest.uuid, 'three'))).toEqual(three);
    await expect(host.openPoint({ machineUuid: guest.uuid, pointId: 'one' })).rejects.toMatchObject({
      code: 'RecoveryPointNotOnHost',
    });
    // the newest stays as the boundary, and the next point's changes are counted from it
    expect((await host.expirePoints(guest.uuid, ['three'], {})).waiting).toHaveLength(1);
    const content = await contentOfPoint(host, guest.uuid, 'three');
    await takeAfterWrite(guest, 'four');
    const four = await contentOfPoint(host, guest.uuid, 'four', { since: 'three', earlier: content });
    expect(digests(four)).toEqual(digests(await contentOfPoint(host, guest.uuid, 'four')));

    await host.releaseMachine(guest.uuid);
    const machine = await host.getMachine(guest.uuid);
    expect(machine.disks.map((disk) => disk.path).slice(0, 2)).toEqual(guest.disks.map((disk) => disk.path));
    expect(await overlaysIn(lab)).toEqual([]);
    expect(await host.listPoints(guest.uuid)).toEqual([]);
    const inactive = await lab.virsh('dumpxml', guest.uuid, '--inactive');
    expect(inactive).not.toContain('holdfast-');
    expect((await guest.exec(['/bin/cat', '/mnt/vdb/four'])).stdout).toBe('four'.repeat(3000));
    await guest.destroy();
  });

  it('goes on wherever its process was killed, with the VM off or running', async () => {
    const guest = await lab.makeGuest({ name: 'expcrash', disks });
    await guest.waitForAgent();
    const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    for (const pointId of ids) await takeAfterWrite(guest, pointId);
    const newest = digests(await contentOfPoint(host, guest.uuid, 'h'));
    const steps = {
      running: ['given up', 'merging', 'merge started', 'merge noted'],
      off: ['merging', 'content merged', 'header changed', 'merged'],
    };
    for (const [state, places] of Object.entries(steps)) {
      if (state === 'off') await guest.shutdown();
      for (const place of places) {
        const [oldest] = await host.listPoints(guest.uuid);
        if (oldest === undefined || oldest === 'h') break;
        await crashAt(lab, place, { expire: [oldest] }, guest.uuid);
        // a merge may go on without us, so the one disk whose layers it changes is not read from the files
        const isMerging = place !== 'given up' && place !== 'merge noted';
        expect([place, await wayOfPoint(host, guest.uuid, 'h')]).toEqual([
          place,
          isMerging ? 'both' : 'files',
        ]);
        await host.reconcile();
        const { merged } = await host.expirePoints(guest.uuid, [oldest], {});
        expect([place, merged]).toEqual([place, [oldest]]);
        expect([place, digests(await contentOfPoint(host, guest.uuid, 'h'))]).toEqual([place, newest]);
      }
    }
    expect(await host.listPoints(guest.uuid)).toEqual(['h']);
    for (const place of ['releasing', 'merging', 'content merged', 'merged', 'merge noted']) {
      await crashAt(lab, place, 'release', guest.uuid).catch((error: unknown) => {
        if (!String(error).includes('never came')) throw error;
      });
      await host.reconcile();
    }
    await host.releaseMachine(guest.uuid);
    expect(await overlaysIn(lab)).toEqual([]);
    await guest.start();
    await guest.waitForAgent();
    for (const pointId of ids)
      expect((await guest.exec(['/bin/cat', `/mnt/vda/${pointId}`])).stdout).toBe(pointId.repeat(3000));
    await guest.destroy();
  });

  it('survives the death of QEMU in the middle of a merge', async () => {
    const guest = await lab.makeGuest({
      name: 'qkill',
      disks: [{ format: 'qcow2', sizeBytes: 32 * 1024 * 1024 }],
    });
    await guest.waitForAgent();
    await take(guest, 'one');
    const filled = await guest.exec([
      '/bin/dd',
      'if=/dev/urandom',
      'of=/mnt/vda/big',
      'bs=1M',
      'count=12',
      'conv=fsync',
    ]);
    expect(filled.code).toBe(0);
    await take(guest, 'two');
    const two = digests(await contentOfPoint(host, guest.uuid, 'two'));
    const killing = await openLabHost(lab, {
      async onStep(step) {
        if (step === 'merge started') await guest.killQemu();
      },
    });
    await killing.expirePoints(guest.uuid, ['one'], { bandwidthBytesPerSecond: 1_000_000 }).catch(() => {});
    expect((await host.reconcile()).notThawed).toEqual([]);
    expect(digests(await contentOfPoint(host, guest.uuid, 'two'))).toEqual(two);
    await guest.start();
    expect((await host.expirePoints(guest.uuid, ['one'], {})).waiting).toEqual([]);
    expect(digests(await contentOfPoint(host, guest.uuid, 'two'))).toEqual(two);
    await guest.destroy();
    await host.releaseMachine(guest.uuid);
    const image = await imageContent(guest.disk('vda').path, 'qcow2');
    expect(image.length).toBe(32 * 1024 * 1024);
  });
});
