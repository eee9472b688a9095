import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isHoldfastError, messageOf } from '../errors/index.ts';
import { type DiskXml, describeDomain } from './domain-xml.ts';
import type { HostContext } from './host-context.ts';
import { type ImageLayer, imageChain } from './images/index.ts';
import type { Ledger } from './ledger.ts';
import { isImageFormat } from './machine-view.ts';

/** Who refers to an image file. */
export interface ImageUser {
  /** UUID of a machine, or undefined for an overlay that no machine uses yet. */
  machineUuid: string | undefined;
  /** For a sentence: `VM 'x'`, or the overlay's path. */
  name: string;
}

/**
 * Every image file that a machine of this host or a recorded clone stands on, with who does: from the definitions,
 * live and persistent, and from the images' own headers below what those list.
 */
export async function imageUsers(host: HostContext): Promise<Map<string, ImageUser[]>> {
  const users = new Map<string, ImageUser[]>();
  const add = (path: string, user: ImageUser) => {
    const there = users.get(path) ?? [];
    if (!there.some((other) => other.name === user.name)) users.set(path, [...there, user]);
  };
  for (const uuid of await host.virsh.uuids()) {
    for (const inactive of [false, true]) {
      let domain: ReturnType<typeof describeDomain>;
      try {
        domain = describeDomain(await host.virsh.xml(uuid, { inactive }));
      } catch (error) {
        // gone since the listing, or a transient one without a persistent definition
        if (inactive || isHoldfastError(error, 'UserErrorVmNotFoundV2')) continue;
        throw error;
      }
      const user = { machineUuid: uuid, name: `VM '${domain.name}'` };
      for (const disk of domain.disks) for (const path of await pathsOf(host, disk)) add(path, user);
    }
  }
  for (const uuid of await host.ledgers.machines()) {
    for (const clone of (await host.ledgers.read(uuid))?.clones ?? []) {
      const path = await locateClone(clone);
      if (path === undefined) continue;
      const user = { machineUuid: undefined, name: path };
      for (const below of await chainPaths(host, { path, format: 'qcow2' })) add(below, user);
    }
  }
  return users;
}

async function pathsOf(host: HostContext, disk: DiskXml): Promise<string[]> {
  const listed = disk.chain.flatMap(({ path }) => (path === undefined ? [] : [path]));
  const last = disk.chain.at(-1);
  if (disk.chainComplete || last?.path === undefined || last.format === 'raw' || !isImageFormat(last.format))
    return listed;
  return [...listed, ...(await chainPaths(host, { path: last.path, format: last.format }))];
}

async function chainPaths(host: HostContext, top: ImageLayer): Promise<string[]> {
  try {
    return (await imageChain(top.path, { format: top.format })).map((layer) => layer.path);
  } catch (error) {
    // A broken image of some VM must not keep all others from merging; a running user still holds QEMU's locks.
    host.log.warn({ path: top.path }, `can't follow an image's chain: ${messageOf(error)}`);
    return [top.path];
  }
}

/** Where a clone's file is now: it may have been renamed inside its directory. Undefined when it is gone. */
export async function locateClone(clone: Ledger['clones'][number]): Promise<string | undefined> {
  const isIt = async (path: string) => {
    const found = await stat(path, { bigint: true }).catch(ignoreMissing);
    return found !== undefined && String(found.dev) === clone.device && String(found.ino) === clone.inode;
  };
  if (await isIt(clone.path)) return clone.path;
  const directory = dirname(clone.path);
  for (const name of (await readdir(directory).catch(ignoreMissing)) ?? []) {
    const path = join(directory, name);
    if (await isIt(path)) return path;
  }
  return undefined;
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
}
