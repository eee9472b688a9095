import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RunError, run } from '../../src/platform/index.ts';
import type { Lab, LabGuest } from '../lab/index.ts';
import { until } from './until.ts';

const timeoutMs = 120_000;

/** An image file and the format to read it in. */
export interface Image {
  path: string;
  format: string;
}

/** The format an image of this name has; the lab and Holdfast both name their files by it. */
export const imageAt = (path: string): Image => ({
  path,
  format: path.endsWith('.qcow2') ? 'qcow2' : 'raw',
});

/**
 * Reads the images of a VM, again while layers of it are being merged: after a failed backup the next one's maintenance
 * gives its layers up, and QEMU lets nobody open a chain through a layer it merges, and removes files between two steps.
 * The whole reading is repeated, the look at the chain included.
 */
export async function betweenMerges<T>(what: string, read: () => Promise<T>): Promise<T> {
  const found: T[] = [];
  await until(`${what} could be read`, async () => {
    try {
      found.push(await read());
      return true;
    } catch (error) {
      if (error instanceof RunError && /Failed to get|No such file/.test(error.result.stderr)) return false;
      throw error;
    }
  });
  return found[0] as T;
}

/** SHA-256 of a disk's whole content as a guest sees it, and its size; told by qemu-img, not by our own readers. */
export async function digestOf({ path, format }: Image): Promise<string> {
  const directory = await mkdtemp('/var/tmp/holdfast-digest-');
  try {
    const raw = join(directory, 'raw');
    await run(['qemu-img', 'convert', '-q', '-U', '-f', format, '-O', 'raw', path, raw], { timeoutMs });
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(raw, { highWaterMark: 2 ** 20 })) hash.update(chunk);
    return hash.digest('hex');
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The images of one disk of a guest, the active one first. */
export async function chainOf(lab: Lab, guest: LabGuest, target: string): Promise<Image[]> {
  const list = await lab.virsh('domblklist', guest.uuid);
  const active = new RegExp(`^ *${target} +(/.*)$`, 'm').exec(list)?.[1];
  if (active === undefined) throw new Error(`${guest.name} has no disk ${target}.`);
  const { format } = imageAt(active);
  const { stdout } = await run(
    ['qemu-img', 'info', '-U', '--backing-chain', '--output=json', '-f', format, active],
    { timeoutMs },
  );
  return (JSON.parse(stdout) as { filename: string; format: string }[]).map((image) => ({
    path: image.filename,
    format: image.format,
  }));
}

/**
 * The frozen image of a recovery point: what lies directly under the overlay that was put on the disk when the point
 * was taken. Undefined when the disk has no overlay of that point (any more).
 */
export async function frozenLayer(
  lab: Lab,
  guest: LabGuest,
  target: string,
  pointId: string,
): Promise<Image | undefined> {
  const chain = await chainOf(lab, guest, target);
  const at = chain.findIndex(({ path }) => path.endsWith(`.${pointId}.qcow2`));
  return at < 0 ? undefined : chain[at + 1];
}

/** @throws {RunError} when qemu-img finds the content of two images different */
export async function expectSameContent(one: Image, other: Image): Promise<void> {
  const command = ['compare', '-q', '-U', '-f', one.format, '-F', other.format, one.path, other.path];
  await run(['qemu-img', ...command], { timeoutMs });
}

/** Bytes that an overlay itself holds, by its own grain; told by qemu-img. */
export async function bytesInLayer({ path, format }: Image): Promise<number> {
  const { stdout } = await run(['qemu-img', 'map', '-U', '-f', format, '--output=json', path], { timeoutMs });
  const extents = JSON.parse(stdout) as { depth: number; data: boolean; length: number }[];
  return extents.reduce((sum, { depth, data, length }) => sum + (depth === 0 && data ? length : 0), 0);
}
