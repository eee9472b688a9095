import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { messageOf } from '../errors/index.ts';
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
 * live and persistent, and from the images' own headers below what those list. A host has many machines and a machine
 * many layers, so this takes two calls of virsh, and reads the header chain of an image once.
 * @param except UUID of a machine that does not count
 */
export async function imageUsers(
  host: HostContext,
  { except }: { except?: string } = {},
): Promise<Map<string, ImageUser[]>> {
  const users = new Map<string, ImageUser[]>();
  const add = (path: string, user: ImageUser) => {
    const there = users.get(path) ?? [];
    if (!there.some((other) => other.name === user.name)) users.set(path, [...there, user]);
  };
  const chains: Chains = new Map();
  const others = (await host.virsh.uuids()).filter((uuid) => uuid !== except);
  for (const [uuid, definitions] of await host.virsh.definitions(others))
    for (const xml of definitions) {
      const domain = describeDomain(xml);
      const user = { machineUuid: uuid, name: `VM '${domain.name}'` };
      for (const disk of domain.disks) for (const path of await pathsOf(host, disk, chains)) add(path, user);
    }
  for (const uuid of await host.ledgers.machines()) {
    for (const clone of (await host.ledgers.read(uuid))?.clones ?? []) {
      const path = await locateClone(clone);
      if (path === undefined) continue;
      const user = { machineUuid: undefined, name: path };
      for (const below of await chainPaths(host, { path, format: 'qcow2' }, chains)) add(below, user);
    }
  }
  return users;
}

/** Header chains that were followed already, by the path of the top. */
type Chains = Map<string, readonly string[]>;

async function pathsOf(host: HostContext, disk: DiskXml, chains: Chains): Promise<readonly string[]> {
  const listed = disk.chain.flatMap(({ path }) => (path === undefined ? [] : [path]));
  const last = disk.chain.at(-1);
  if (disk.chainComplete || last?.path === undefined || last.format === 'raw' || !isImageFormat(last.format))
    return listed;
  return [...listed, ...(await chainPaths(host, { path: last.path, format: last.format }, chains))];
}

async function chainPaths(host: HostContext, top: ImageLayer, chains: Chains): Promise<readonly string[]> {
  const known = chains.get(top.path);
  if (known !== undefined) return known;
  let paths: readonly string[];
  try {
    paths = (await imageChain(top.path, { format: top.format })).map((layer) => layer.path);
  } catch (error) {
    // A broken image of some VM must not keep all others from merging; a running user still holds QEMU's locks.
    host.log.warn({ path: top.path }, `can't follow an image's chain: ${messageOf(error)}`);
    paths = [top.path];
  }
  chains.set(top.path, paths);
  return paths;
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
