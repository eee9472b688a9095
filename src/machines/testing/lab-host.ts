import { hash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RunError, run } from '../../platform/index.ts';
import type { Host } from '../host.ts';
import { type LibvirtHostOptions, openLibvirtHost } from '../libvirt-host.ts';
import type { FrozenDiskReader } from '../types.ts';
import type { CrashOrder } from './crash-child.ts';
import { systemClock } from './system-clock.ts';

/** What the tests of this room share: a Holdfast host on a lab's libvirt, and the content of disks as bytes. */

/** What is needed of a lab here. */
export interface LabPlace {
  dir: string;
  uri: string;
}

export function stateDirectoryOf(lab: LabPlace): string {
  return join(lab.dir, 'holdfast');
}

export function openLabHost(lab: LabPlace, options: Partial<LibvirtHostOptions> = {}): Promise<Host> {
  return openLibvirtHost({
    uri: lab.uri,
    stateDirectory: stateDirectoryOf(lab),
    clock: systemClock,
    minimumFreeBytes: 1024 * 1024,
    ...options,
  });
}

/** What a reader of a whole point gives, or `earlier` with the changes that a delta reader gives. */
export async function contentOf(disk: FrozenDiskReader, earlier?: Buffer): Promise<Buffer> {
  const content = Buffer.alloc(disk.sizeBytes);
  earlier?.copy(content);
  for await (const { offset, length, zero } of disk.extents()) {
    if (zero) content.fill(0, offset, offset + length);
    else content.set(await disk.read(offset, length), offset);
  }
  return content;
}

/** Every disk of a point, by target, from readers; over `earlier` when they read the changes since `since`. */
export async function contentOfPoint(
  host: Host,
  machineUuid: string,
  pointId: string,
  delta?: { since: string; earlier: Map<string, Buffer> },
): Promise<Map<string, Buffer>> {
  await using point = await host.openPoint({ machineUuid, pointId, ...(delta && { since: delta.since }) });
  const content = new Map<string, Buffer>();
  for (const disk of point.disks) {
    if (delta !== undefined && disk.basis.kind !== 'delta')
      throw new Error(`${disk.target} is read in full: ${disk.basis.reason}`);
    content.set(disk.target, await contentOf(disk, delta?.earlier.get(disk.target)));
  }
  return content;
}

/** Reads a point, and tells how its bytes came: straight from the image files, or from a program of QEMU's. */
export async function wayOfPoint(
  host: Host,
  machineUuid: string,
  pointId: string,
  since?: string,
): Promise<'files' | 'served' | 'both'> {
  await using point = await host.openPoint({ machineUuid, pointId, ...(since !== undefined && { since }) });
  let [read, served] = [0, 0];
  for (const disk of point.disks) {
    await contentOf(disk);
    read += disk.bytesRead;
    served += disk.bytesServed;
  }
  if (served === 0 && read > 0) return 'files';
  return served === read ? 'served' : 'both';
}

/** What the guest would see of an image, told by qemu-img: an opinion that is not ours. */
export async function imageContent(path: string, format: string): Promise<Buffer> {
  const directory = await mkdtemp(join('/var/tmp', 'holdfast-image-'));
  const copy = join(directory, 'raw');
  try {
    await run(['qemu-img', 'convert', '-q', '-U', '-f', format, '-O', 'raw', path, copy], {
      timeoutMs: 60_000,
    });
    return await readFile(copy);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** The counter that a lab guest keeps on a disk, from the raw content of its file system. */
export async function counterIn(content: Buffer, read: (image: string) => Promise<number>): Promise<number> {
  const directory = await mkdtemp(join('/var/tmp', 'holdfast-image-'));
  const path = join(directory, 'raw');
  try {
    await writeFile(path, content);
    return await read(path);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Contents as digests: comparing whole disks byte by byte is slow, and printing them is worse. */
export function digests(content: ReadonlyMap<string, Buffer>): Record<string, string> {
  return Object.fromEntries([...content].map(([target, bytes]) => [target, hash('sha256', bytes)]));
}

/** The content of the image below the active one of every disk, which is what the newest point froze. */
export async function frozenContent(host: Host, uuid: string): Promise<Map<string, Buffer>> {
  const content = new Map<string, Buffer>();
  for (const disk of (await host.getMachine(uuid)).disks) {
    const frozen = disk.chain[1];
    if (frozen !== undefined) content.set(disk.target, await imageContent(frozen.path, frozen.format));
  }
  return content;
}

/** Names in the directory of a guest's disks that no lab made. */
export async function overlaysIn(lab: LabPlace): Promise<string[]> {
  return (await readdir(join(lab.dir, 'disks'))).filter((name) => name.includes('holdfast-')).sort();
}

/**
 * Has another process do `operation` and die of SIGKILL at the step.
 * @throws when it ended otherwise
 */
export async function crashAt(
  lab: LabPlace,
  dieAt: string,
  operation: CrashOrder['operation'],
  machineUuid: string,
): Promise<void> {
  const order: CrashOrder = {
    uri: lab.uri,
    stateDirectory: stateDirectoryOf(lab),
    machineUuid,
    operation,
    dieAt,
  };
  const script = join(import.meta.dirname, 'crash-child.ts');
  try {
    await run([process.execPath, script, JSON.stringify(order)], { timeoutMs: 120_000 });
  } catch (error) {
    if (error instanceof RunError && error.result.signal === 'SIGKILL') return;
    throw error;
  }
  throw new Error(`the step '${dieAt}' never came`);
}
