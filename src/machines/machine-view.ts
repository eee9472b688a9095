import { stat } from 'node:fs/promises';
import { HoldfastError } from '../errors/index.ts';
import { type DiskXml, type DomainXml, describeDomain, type ImageSource } from './domain-xml.ts';
import type { HostContext } from './host-context.ts';
import { type ImageFormat, type ImageLayer, imageChain } from './images/index.ts';
import type { ImageIdentity } from './ledger.ts';
import type { DomainStatus } from './virsh.ts';

/** A machine at one moment: what libvirt says, and both of its definitions. */
export interface MachineView {
  status: DomainStatus;
  /** Whether it has a QEMU, whose images only QEMU may change. */
  active: boolean;
  /** The running definition, or the persistent one when it is off. */
  domain: DomainXml;
  /** With secrets: this is what is edited and defined again. */
  inactiveXml: string;
}

/** @throws UserErrorVmNotFoundV2, HostUnreachable */
export async function viewMachine(
  host: HostContext,
  uuid: string,
  signal?: AbortSignal,
): Promise<MachineView> {
  const { status, xml, inactiveXml } = await host.virsh.look(uuid, signal);
  const active = isActive(status);
  return { status, active, domain: describeDomain(active ? xml : inactiveXml), inactiveXml };
}

export function isActive(status: DomainStatus): boolean {
  return status.state !== 'shut off';
}

export function isImageFormat(format: string | undefined): format is ImageFormat {
  return format === 'raw' || format === 'qcow2';
}

/**
 * The images of a disk, active one first. What the XML lists is the truth; below its end the images' own headers are
 * followed, as libvirt does at start.
 * @throws UserErrorDiskTypeNotSupported, or DiskImageNotSupported, DiskImageNotFound for what can't be followed
 */
export async function chainOf(disk: DiskXml, signal?: AbortSignal): Promise<ImageLayer[]> {
  const listed = disk.chain.map(({ path, format }) => {
    if (path !== undefined && isImageFormat(format)) return { path, format };
    throw new HoldfastError(
      'UserErrorDiskTypeNotSupported',
      `Disk ${disk.target} stands on an image that is no local raw or qcow2 file (${path ?? disk.type}, format ${format ?? 'not given'}).`,
      { target: disk.target },
    );
  });
  const last = listed.at(-1);
  if (last === undefined || disk.chainComplete || last.format === 'raw') return listed;
  const rest = await imageChain(last.path, { format: last.format, ...(signal && { signal }) });
  return [...listed, ...rest.slice(1)];
}

/** The chains of all disks that can have one, by target. Others (drives, network disks) are left out. */
export async function chainsOf(view: MachineView, signal?: AbortSignal): Promise<Map<string, ImageLayer[]>> {
  const chains = new Map<string, ImageLayer[]>();
  for (const disk of view.domain.disks) {
    if (disk.device !== 'disk' || !disk.chain.every(({ path, format }) => path && isImageFormat(format)))
      continue;
    chains.set(disk.target, await chainOf(disk, signal));
  }
  return chains;
}

/** What the image at `path` is now; undefined when there is none. */
export async function identify(layer: ImageLayer): Promise<ImageIdentity | undefined> {
  try {
    const found = await stat(layer.path, { bigint: true });
    const block = found.isBlockDevice();
    return {
      path: layer.path,
      format: layer.format,
      kind: block ? 'block' : 'file',
      device: String(block ? found.rdev : found.dev),
      inode: block ? '0' : String(found.ino),
      sizeBytes: block ? '0' : String(found.size),
      modifiedNs: block ? '0' : String(found.mtimeNs),
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export function sameIdentity(a: ImageIdentity, b: ImageIdentity | undefined): boolean {
  return (
    b !== undefined &&
    a.path === b.path &&
    a.kind === b.kind &&
    a.device === b.device &&
    a.inode === b.inode &&
    a.sizeBytes === b.sizeBytes &&
    a.modifiedNs === b.modifiedNs
  );
}

/** Asks the file system about many identities at once; the answer is a plain predicate for the planners. */
export async function findChanged(
  identities: readonly ImageIdentity[],
): Promise<(identity: ImageIdentity) => boolean> {
  const changed = new Set<ImageIdentity>();
  for (const identity of identities) {
    if (!sameIdentity(identity, await identify(identity))) changed.add(identity);
  }
  return (identity) => changed.has(identity);
}

/** The images as libvirt has to be told of them. */
export async function sourcesOf(chain: readonly ImageLayer[]): Promise<ImageSource[]> {
  const sources: ImageSource[] = [];
  for (const layer of chain) {
    const found = await stat(layer.path);
    sources.push({ ...layer, type: found.isBlockDevice() ? 'block' : 'file' });
  }
  return sources;
}
