import { randomUUID } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findFirmware, type Lab, startLab } from '../../tests/lab/index.ts';
import type { Host } from './host.ts';
import { contentOfPoint, digests, imageContent, openLabHost, overlaysIn } from './testing/lab-host.ts';

let lab: Lab;
let host: Host;

beforeAll(async () => {
  lab = await startLab();
  host = await openLabHost(lab);
});

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

describe('an instant restore', () => {
  it('boots from frozen layers, pins them, and is then made independent of them', async () => {
    const sizeBytes = 16 * 1024 * 1024;
    const guest = await lab.makeGuest({
      name: 'src',
      disks: [
        { format: 'qcow2', sizeBytes },
        { format: 'raw', sizeBytes },
      ],
      ...((await findFirmware()) === undefined ? {} : { firmware: 'efi' as const }),
    });
    await guest.waitForAgent();
    await guest.writeFile('/mnt/vdb/then', 'the state to come back to');
    const take = (pointId: string) =>
      host.takePoint({
        machineUuid: guest.uuid,
        pointId,
        excludedDisks: [],
        consistency: 'application-or-file-system',
      });
    const point = await take('one');
    const content = digests(await contentOfPoint(host, guest.uuid, 'one'));
    await guest.writeFile('/mnt/vdb/then', 'overwritten later');
    await take('two');
    const source = await lab.virsh('dumpxml', guest.uuid);

    const directory = join(lab.dir, 'disks');
    const restored = ['vda', 'vdb'].map((target) => ({
      target,
      path: join(directory, `back-${target}.qcow2`),
      format: 'qcow2' as const,
    }));
    for (const { target, path } of restored)
      await host.createInstantDisk({ machineUuid: guest.uuid, pointId: 'one', target, path });
    await expect(
      host.createInstantDisk({
        machineUuid: guest.uuid,
        pointId: 'one',
        ...restored[0],
        target: 'vda',
        path: restored[0]?.path ?? '',
      }),
    ).rejects.toMatchObject({ code: 'DiskImageExists' });

    const request = {
      definition: point.definition,
      uuid: randomUUID(),
      disks: restored,
      connectNetwork: false,
      directory,
      start: true,
    };
    await expect(host.defineRestored({ ...request, name: 'src' })).rejects.toMatchObject({
      code: 'UserErrorTargetVmExists',
    });
    // pinned by the new disks alone, before any machine uses them
    const waits = await host.expirePoints(guest.uuid, ['one'], {});
    expect(waits).toEqual({
      merged: [],
      waiting: [{ pointId: 'one', reason: expect.stringContaining('stands on') }],
    });

    const machine = await host.defineRestored({ ...request, name: 'back' });
    expect(machine.uuid).not.toBe(guest.uuid);
    const back = await lab.openGuest('back');
    await back.waitForAgent();
    expect((await back.exec(['/bin/cat', '/mnt/vdb/then'])).stdout).toBe('the state to come back to');
    expect((await host.expirePoints(guest.uuid, ['one'], {})).merged).toEqual([]);

    let last = [0, 0];
    await host.flattenMachine(machine.uuid, {
      onProgress(done, total) {
        last = [done, total];
      },
    });
    expect(last[0]).toBe(last[1]);
    expect(last[1]).toBeGreaterThan(0);
    for (const disk of (await host.getMachine(machine.uuid)).disks.filter((each) => each.device === 'disk'))
      expect(disk.chain).toHaveLength(1);
    expect(await lab.virsh('dumpxml', machine.uuid, '--inactive')).not.toContain('holdfast-');
    expect(await host.expirePoints(guest.uuid, ['one'], {})).toEqual({ merged: ['one'], waiting: [] });
    expect((await back.exec(['/bin/cat', '/mnt/vdb/then'])).stdout).toBe('the state to come back to');

    // the source went on, untouched but for the merge
    const uuidLine = /<uuid>.*<\/uuid>/.exec(source)?.[0] ?? 'none';
    expect(await lab.virsh('dumpxml', guest.uuid)).toContain(uuidLine);
    expect((await guest.exec(['/bin/cat', '/mnt/vdb/then'])).stdout).toBe('overwritten later');
    if (point.definition.nvramBase64 !== undefined) {
      const nvram = join(directory, `${machine.uuid}_VARS.fd`);
      expect((await stat(nvram)).size).toBe((await readFile(nvram)).length);
      expect((await readFile(nvram)).length).toBe(Buffer.from(point.definition.nvramBase64, 'base64').length);
    }
    expect(Object.keys(content)).toEqual(['vda', 'vdb']);
    await back.destroy();
    await guest.destroy();
    await host.releaseMachine(guest.uuid);
    expect(await overlaysIn(lab)).toEqual([]);
    expect((await imageContent(guest.disk('vdb').path, 'raw')).length).toBe(sizeBytes);
  });

  it('leaves no machine behind when it can not start', async () => {
    const guest = await lab.makeGuest({
      name: 'plain',
      state: 'off',
      disks: [{ format: 'qcow2', sizeBytes: 8 << 20 }],
    });
    const point = await host.takePoint({
      machineUuid: guest.uuid,
      pointId: 'one',
      excludedDisks: [],
      consistency: 'crash',
    });
    const request = {
      definition: point.definition,
      uuid: randomUUID(),
      name: 'never',
      connectNetwork: false,
      directory: lab.dir,
      start: true,
    };
    const disks = [{ target: 'vda', path: join(lab.dir, 'missing.qcow2'), format: 'qcow2' as const }];
    await expect(host.defineRestored({ ...request, disks })).rejects.toMatchObject({
      code: 'UserErrorCrpReportedUserError',
    });
    expect(await lab.virsh('list', '--all', '--name')).not.toContain('never');

    // A machine that somebody deleted can still be restored from what it left on the host.
    await lab.virsh('undefine', guest.uuid);
    const content = await contentOfPoint(host, guest.uuid, 'one');
    const original = await imageContent(guest.disk('vda').path, 'qcow2');
    expect(content.get('vda')?.equals(original)).toBe(true);
    expect((await host.reconcile()).actions.join()).toContain("'plain'");
    expect((await host.expirePoints(guest.uuid, ['one'], {})).waiting[0]?.reason).toMatch(/gone/);
    expect(await overlaysIn(lab)).toHaveLength(1);
  });
});
