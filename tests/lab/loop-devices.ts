import { appendFileSync, chownSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { RunError, run } from '../../src/platform/index.ts';
import { findLoopDevices } from './leftovers.ts';
import { labOwner } from './session.ts';

const timeoutMs = 20_000;

/** Whether this machine lets us make block devices out of files: root, with free loop devices. */
export async function canUseBlockDevices(): Promise<boolean> {
  if (process.getuid?.() !== 0) return false;
  try {
    const { stdout } = await run(['losetup', '--find'], { timeoutMs });
    return (await stat(stdout.trim())).isBlockDevice();
  } catch (error) {
    if (error instanceof RunError || (error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Makes a block device over `file`, for the lab's user. Its former owner is noted in the lab's file `loops`. */
export async function attachLoopDevice(directory: string, file: string): Promise<string> {
  if (!(await canUseBlockDevices()))
    throw new Error('Block devices are not possible here: no root, or no free loop device.');
  const { stdout } = await run(['losetup', '--find', '--show', file], { timeoutMs });
  const device = stdout.trim();
  const { uid, gid } = statSync(device);
  appendFileSync(join(directory, 'loops'), `${device} ${uid}:${gid}\n`);
  chownSync(device, labOwner.uid, labOwner.gid);
  return device;
}

/** Detaches the lab's loop devices and gives them back to their former owners. */
export async function detachLoopDevices(directory: string): Promise<void> {
  const attached = new Set(await findLoopDevices(directory));
  if (attached.size === 0) return;
  const owners = await readFile(join(directory, 'loops'), 'utf8');
  for (const line of owners.trim().split('\n')) {
    const [, device, uid, gid] = line.match(/^(\S+) (\d+):(\d+)$/) ?? [];
    if (device === undefined || !attached.delete(device)) continue;
    await run(['losetup', '--detach', device], { timeoutMs });
    chownSync(device, Number(uid), Number(gid));
  }
}
