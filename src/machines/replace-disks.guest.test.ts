import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Lab, type LabGuest, startLab } from '../../tests/lab/index.ts';
import type { Host } from './host.ts';
import {
  contentOfPoint,
  crashAt,
  digests,
  imageContent,
  openLabHost,
  overlaysIn,
} from './testing/lab-host.ts';

let lab: Lab;
let host: Host;
let guest: LabGuest;

const sizeBytes = 16 * 1024 * 1024;

beforeAll(async () => {
  lab = await startLab();
  host = await openLabHost(lab);
  guest = await lab.makeGuest({
    name: 'replaced',
    state: 'off',
    disks: [
      { format: 'qcow2', sizeBytes, content: { noise: randomBytes(2 ** 20) } },
      { format: 'raw', sizeBytes, content: { noise: randomBytes(2 ** 20) } },
    ],
  });
});

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

/** What the machine would see of its disks. */
async function contentNow(): Promise<Map<string, Buffer>> {
  const content = new Map<string, Buffer>();
  for (const { target, path = '', format = '' } of (await host.getMachine(guest.uuid)).disks)
    content.set(target, await imageContent(path, format));
  return content;
}

const request = (pointId: string, replaced: readonly string[] = ['vda', 'vdb']) =>
  ({ machineUuid: guest.uuid, pointId, excludedDisks: [], consistency: 'crash', replaced }) as const;

it('gives disks other content at once, keeps what they had, and is a point like any other', async () => {
  const first = await contentNow();
  await host.takePoint({ ...request('first') });
  // At odd places, and zeros over what is not written.
  const pieces = [
    [4096 + 512, randomBytes(70_000)],
    [5 * 2 ** 20 + 1, randomBytes(3)],
    [sizeBytes - 1000, randomBytes(1000)],
  ] as const;
  const wanted = Buffer.alloc(sizeBytes);
  for (const [offset, bytes] of pieces) bytes.copy(wanted, offset);
  await host.replaceDisks({
    ...request('before'),
    async fill(open) {
      for (const target of ['vda', 'vdb']) {
        await using disk = await open(target);
        for (const [offset, bytes] of pieces) await disk.write(offset, bytes);
        await disk.finish();
        await expect(open(target)).rejects.toThrow(/not to be filled/);
      }
      // The machine has its own disks as long as this goes on.
      expect(digests(await contentNow())).toEqual(digests(first));
    },
  });
  const both = digests(new Map(['vda', 'vdb'].map((target) => [target, wanted])));
  expect(digests(await contentNow())).toEqual(both);
  expect(await host.listPoints(guest.uuid)).toEqual(['first', 'before']);
  for (const pointId of ['first', 'before'])
    expect(digests(await contentOfPoint(host, guest.uuid, pointId))).toEqual(digests(first));
  // The next backup finds what has changed, the zeros included.
  await host.takePoint({ ...request('next') });
  const delta = { since: 'before', earlier: first };
  expect(digests(await contentOfPoint(host, guest.uuid, 'next', delta))).toEqual(both);
  // Back to what it had, from the snapshot, of one disk alone.
  await host.replaceDisks({
    ...request('again', ['vda']),
    async fill(open) {
      await using disk = await open('vda');
      await disk.write(0, first.get('vda') ?? Buffer.alloc(0));
      await disk.finish();
    },
  });
  expect(digests(await contentNow())).toEqual({ ...both, vda: digests(first).vda });
});

it('leaves the machine as it was when it runs, has no such disk, is changed meanwhile, or nobody fills it', async () => {
  const before = digests(await contentNow());
  const points = await host.listPoints(guest.uuid);
  const overlays = await overlaysIn(lab);
  const fails = (pointId: string, replaced: readonly string[], fill: () => Promise<void>) =>
    expect(host.replaceDisks({ ...request(pointId, replaced), fill })).rejects;
  await fails('none', ['vdx'], async () => {}).toMatchObject({ code: 'InvalidInput' });
  await fails('empty', ['vda'], async () => {}).toThrow(/nobody has filled vda/);
  await fails('broken', ['vda'], async () => {
    throw new Error('the vault is gone');
  }).toThrow('the vault is gone');
  await expect(
    host.replaceDisks({
      ...request('started', ['vda']),
      async fill(open) {
        await using disk = await open('vda');
        // While the new content is written, what is below it is locked.
        await expect(guest.start()).rejects.toThrow(/lock/);
        await disk.finish();
        await guest.start();
      },
    }),
  ).rejects.toMatchObject({ code: 'UserErrorVmNotShutDown' });
  await fails('running', ['vda'], async () => {}).toMatchObject({ code: 'UserErrorVmNotShutDown' });
  await guest.destroy();
  expect(await host.listPoints(guest.uuid)).toEqual(points);
  expect(await overlaysIn(lab)).toEqual(overlays);
  expect(digests(await contentNow()).vdb).toBe(before.vdb);
});

it('is done, or has not begun, after a crash at any step', async () => {
  const kept = await host.listPoints(guest.uuid);
  let byte = 1;
  // The others are those of any point.
  for (const place of ['filled', 'defined', 'point written']) {
    const before = digests(await contentNow());
    const pointId = `at-${place.replace(' ', '-')}`;
    await crashAt(lab, place, { replace: ++byte, point: pointId }, guest.uuid);
    const report = await host.reconcile();
    expect([place, report.unknownFiles]).toEqual([place, []]);
    const isDone = place !== 'filled';
    if (isDone) kept.push(pointId);
    const after = isDone
      ? { ...before, ...digests(new Map([['vda', Buffer.alloc(sizeBytes, byte)]])) }
      : before;
    expect([place, digests(await contentNow())]).toEqual([place, after]);
    expect([place, await host.listPoints(guest.uuid)]).toEqual([place, kept]);
    if (isDone) expect(digests(await contentOfPoint(host, guest.uuid, pointId))).toEqual(before);
  }
  const last = digests(await contentNow());
  await host.releaseMachine(guest.uuid);
  expect(await overlaysIn(lab)).toEqual([]);
  expect(digests(await contentNow())).toEqual(last);
});
