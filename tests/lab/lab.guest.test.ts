import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../src/platform/index.ts';
import {
  canUseBlockDevices,
  checkFileSystem,
  findFirmware,
  type Lab,
  type LabGuest,
  readCounter,
  readFileInImage,
  startLab,
} from './index.ts';
import { findLabProcesses, findLoopDevices } from './leftovers.ts';

/** Disks of the guests below: one of each kind that this machine can have. */
const twoDisks = [{ format: 'qcow2', content: { 'data/note.txt': 'as made\n' } }, { format: 'raw' }] as const;

describe('a running guest', () => {
  let lab: Lab;
  let guest: LabGuest;
  beforeAll(async () => {
    lab = await startLab();
    guest = await lab.makeGuest({ name: 'two-disks', disks: twoDisks, counter: true });
    await guest.waitForAgent();
    await guest.waitForBoot();
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  const guestCounter = async (target: string) =>
    Number((await guest.exec(['/bin/cat', `/mnt/${target}/counter`])).stdout);

  test('has what its disks were made with, and runs programs', async () => {
    expect(await guest.exec(['/bin/cat', '/mnt/vda/data/note.txt'])).toEqual({
      code: 0,
      stdout: 'as made\n',
      stderr: '',
    });
    const failing = await guest.exec(['/bin/sh', '-c', 'echo said >&2; false']);
    expect(failing).toEqual({ code: 1, stdout: '', stderr: 'said\n' });
  });

  test('keeps every byte of a file written through the agent', async () => {
    const bytes = Uint8Array.from({ length: 200_000 }, (_, index) => (index * 31 + (index >> 8)) & 255);
    await guest.writeFile('/mnt/vdb/bytes', bytes);
    const { stdout } = await guest.exec(['/bin/sha256sum', '/mnt/vdb/bytes']);
    const expected = await crypto.subtle.digest('SHA-256', bytes);
    expect(stdout.split(' ')[0]).toBe(Buffer.from(expected).toString('hex'));
  });

  test('stands still while frozen, and counts on after the thaw', async () => {
    await lab.virsh('domfsfreeze', guest.uuid);
    expect(await guest.isFrozen()).toBe(true);
    // The agent runs no programs while frozen, so the counters are read from the images.
    const counters = () => Promise.all(guest.disks.map((disk) => readCounter(disk.path)));
    const frozen = await counters();
    await delay(500); // many rounds of the counter, were it not stopped
    expect(await counters()).toEqual(frozen);
    await lab.virsh('domfsthaw', guest.uuid);
    expect(await guest.isFrozen()).toBe(false);
    await expect.poll(() => guestCounter('vda'), { timeout: 30_000 }).toBeGreaterThan((frozen[0] ?? 0) + 1);
  });

  test('has freeze hooks that are called around a freeze, and can refuse it', async () => {
    const hook = '/etc/qemu/fsfreeze-hook.d/test';
    await guest.writeFile(hook, '#!/bin/sh\necho "$1" >>/tmp/hook-calls\n');
    await guest.exec(['/bin/chmod', '755', hook]);
    await lab.virsh('domfsfreeze', guest.uuid);
    await lab.virsh('domfsthaw', guest.uuid);
    expect((await guest.exec(['/bin/cat', '/tmp/hook-calls'])).stdout).toBe('freeze\nthaw\n');
    await guest.writeFile(hook, '#!/bin/sh\n[ "$1" = thaw ]\n');
    await expect(lab.virsh('domfsfreeze', guest.uuid)).rejects.toThrow(/hook/);
    expect(await guest.isFrozen()).toBe(false);
    await guest.exec(['/bin/rm', hook]);
  });

  test('gives counters equal or one apart in an atomic snapshot, and takes the layers back', async () => {
    const before = await guestCounter('vda');
    const specs: string[] = [];
    for (const disk of guest.disks) {
      const overlay = join(lab.dir, 'disks', `layer-${disk.target}.qcow2`);
      const options = `extended_l2=on,cluster_size=128k,backing_file=${disk.path},backing_fmt=${disk.format}`;
      await run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-o', options, overlay], { timeoutMs: 20_000 });
      await run(['chown', `${lab.owner.uid}:${lab.owner.gid}`, overlay], { timeoutMs: 5_000 });
      specs.push('--diskspec', `${disk.target},file=${overlay},driver=qcow2,snapshot=external`);
    }
    const flags = ['--disk-only', '--atomic', '--no-metadata', '--reuse-external'];
    await lab.virsh('snapshot-create-as', guest.uuid, 'point', ...flags, ...specs);

    const [first = 0, second = 0] = await Promise.all(guest.disks.map((disk) => readCounter(disk.path)));
    expect(first).toBeGreaterThanOrEqual(before);
    expect([0, 1]).toContain(first - second);
    for (const disk of guest.disks) await checkFileSystem(disk.path);
    const note = await readFileInImage(guest.disk('vda').path, '/data/note.txt');
    expect(note.toString()).toBe('as made\n');

    for (const disk of guest.disks) {
      await lab.virsh('blockcommit', guest.uuid, disk.target, '--active', '--pivot', '--wait');
    }
    const list = await lab.virsh('domblklist', guest.uuid);
    for (const disk of guest.disks) expect(list).toContain(disk.path);
    const after = await guestCounter('vda');
    await expect.poll(() => guestCounter('vda'), { timeout: 30_000 }).toBeGreaterThan(after);
  });

  test('runs on while libvirtd is killed and started again', async () => {
    const pid = await guest.qemuPid();
    await lab.killLibvirtd();
    expect(lab.libvirtdPid).toBeUndefined();
    await expect(lab.virsh('list')).rejects.toThrow(/connect/i);
    await lab.restartLibvirtd();
    expect(await guest.state()).toBe('running');
    expect(await guest.qemuPid()).toBe(pid);
    await guest.waitForAgent();
  });

  test('can be paused and resumed', async () => {
    await guest.pause();
    expect(await guest.state()).toBe('paused');
    await guest.resume();
    expect(await guest.state()).toBe('running');
  });

  test('is off after its QEMU was killed, boots again, and counts on from where it was', async () => {
    const before = await guestCounter('vda');
    await guest.killQemu();
    await expect.poll(() => guest.state(), { timeout: 20_000 }).toBe('shut off');
    const disk = guest.disk('vda');
    expect(await readCounter(disk.path)).toBeGreaterThanOrEqual(before);
    await guest.start();
    await guest.waitForBoot(2);
    await guest.waitForAgent();
    expect(await guestCounter('vda')).toBeGreaterThanOrEqual(before);
    await guest.shutdown();
    await checkFileSystem(disk.path);
  });
});

describe('other guests', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab();
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  test('may have no agent, a backing chain, and be off at first', async () => {
    const guest = await lab.makeGuest({
      name: 'chained',
      agent: false,
      state: 'off',
      disks: [
        { format: 'qcow2', backingChain: ['raw', 'qcow2'], content: { kept: 'yes' } },
        { format: 'raw', content: 'blank' },
      ],
    });
    expect(await guest.state()).toBe('shut off');
    expect((await readFileInImage(guest.disk('vda').path, '/kept')).toString()).toBe('yes');
    await guest.start();
    await guest.waitForBoot();
    expect(await guest.consoleLog()).toContain('lab: mounted vda');
    await expect(guest.agent('guest-ping')).rejects.toThrow(/agent/i);
    await guest.destroy();
  });

  test('boot from UEFI firmware, each with its own variables', async ({ skip }) => {
    skip(findFirmware() === undefined, 'the package ovmf is not installed');
    const guest = await lab.makeGuest({ name: 'uefi', firmware: 'efi', disks: [{ format: 'qcow2' }] });
    await guest.waitForAgent();
    expect(existsSync(join(lab.dir, 'disks/uefi.nvram.fd'))).toBe(true);
    await guest.destroy();
  });

  test('may stand on a block device', async ({ skip }) => {
    skip(!(await canUseBlockDevices()), 'no loop devices here');
    const guest = await lab.makeGuest({
      name: 'block',
      disks: [{ format: 'block', content: { on: 'a device' } }],
    });
    expect(statSync(guest.disk('vda').path).isBlockDevice()).toBe(true);
    await guest.waitForAgent();
    expect((await guest.exec(['/bin/cat', '/mnt/vda/on'])).stdout).toBe('a device');
    await guest.destroy();
  });
});

describe('the end of a lab', () => {
  test('leaves no process, no loop device and no directory', async () => {
    const lab = await startLab();
    const block = await canUseBlockDevices();
    const disks = [{ format: 'qcow2' } as const, ...(block ? [{ format: 'block' } as const] : [])];
    const guest = await lab.makeGuest({ name: 'short-lived', disks });
    expect((await lab.leftovers()).join('\n')).toContain('domain short-lived');
    const device = guest.disks.find((disk) => disk.format === 'block')?.path;
    await lab[Symbol.asyncDispose]();
    expect(await lab.leftovers()).toEqual([]);
    expect(existsSync(lab.dir)).toBe(false);
    if (device !== undefined) expect(statSync(device).uid).toBe(0);
  });

  test('comes also when its process is killed', async () => {
    const program = `
      const { startLab, canUseBlockDevices } = await import(${JSON.stringify(join(import.meta.dirname, 'index.ts'))});
      const lab = await startLab();
      const format = (await canUseBlockDevices()) ? 'block' : 'raw';
      const guest = await lab.makeGuest({ name: 'orphan', disks: [{ format }] });
      console.log(JSON.stringify({ dir: lab.dir, pids: [lab.libvirtdPid, await guest.qemuPid()] }));
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const { dir, pids } = JSON.parse(line) as { dir: string; pids: number[] };
    const alive = async () => (await findLabProcesses(dir, [])).map(({ pid }) => pid);
    expect(await alive()).toEqual(expect.arrayContaining(pids));
    child.kill('SIGKILL');
    await expect.poll(() => existsSync(dir), { timeout: 30_000 }).toBe(false);
    await expect.poll(alive, { timeout: 10_000 }).toEqual([]);
    expect(await findLoopDevices(dir)).toEqual([]);
  });
});
