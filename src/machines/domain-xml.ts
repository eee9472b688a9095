import { HoldfastError, messageOf } from '../errors/index.ts';
import {
  buildXml,
  descendants,
  element,
  elements,
  find,
  parseXml,
  textOf,
  type XmlElement,
} from './xml-tree.ts';

/** An image in a chain, as the XML describes it. `path` is undefined for what is no local file or device. */
export interface ChainLink {
  type: string;
  format: string | undefined;
  path: string | undefined;
}

/** One `<disk>` as written. */
export interface DiskXml {
  target: string;
  bus: string;
  type: string;
  device: string;
  path: string | undefined;
  format: string | undefined;
  readOnly: boolean;
  shareable: boolean;
  transient: boolean;
  cache: string | undefined;
  /** Anything in the disk or its chain that says its content is encrypted. */
  encrypted: boolean;
  /** The guest's disk is a part of the image (`<slice>`); layers over it would not line up. */
  sliced: boolean;
  /** A block job that libvirt shows on it (copy, active commit). */
  mirror: boolean;
  /** The active image first; ends early where the XML does. */
  chain: ChainLink[];
  /** Whether the XML says that the last link has no backing image (an empty `<backingStore/>`). */
  chainComplete: boolean;
}

/** What the rest of this room reads out of a domain definition. */
export interface DomainXml {
  uuid: string;
  name: string;
  memoryBytes: number;
  vcpus: number;
  architecture: string | undefined;
  firmware: 'bios' | 'efi';
  osType: string | undefined;
  disks: DiskXml[];
  nvramPath: string | undefined;
  /** Whether libvirt emulates a TPM for it, whose state is a directory on the host. */
  emulatedTpm: boolean;
  agentChannel: 'absent' | 'disconnected' | 'connected';
  /** Addresses of SCSI devices passed through as `<hostdev>`: disks that no snapshot sees. */
  scsiHostDevices: number;
}

/** @throws DomainXmlInvalid when it is no domain definition */
export function parseDomain(xml: string): XmlElement {
  let root: XmlElement;
  try {
    root = parseXml(xml);
  } catch (error) {
    throw new HoldfastError('DomainXmlInvalid', `The VM's definition can't be read: ${messageOf(error)}.`, {
      cause: error,
    });
  }
  if (root.name !== 'domain')
    throw new HoldfastError(
      'DomainXmlInvalid',
      `The VM's definition begins with <${root.name}>, not <domain>.`,
    );
  return root;
}

export function describeDomain(xml: string): DomainXml {
  const root = parseDomain(xml);
  const devices = find(root, 'devices');
  const os = find(root, 'os');
  const loader = find(os, 'loader');
  const efi =
    os?.attributes.firmware === 'efi' ||
    loader?.attributes.type === 'pflash' ||
    find(os, 'nvram') !== undefined;
  const agent = elements(devices ?? element('devices'), 'channel')
    .map((channel) => find(channel, 'target'))
    .find((target) => target?.attributes.name === 'org.qemu.guest_agent.0');
  return {
    uuid: (textOf(find(root, 'uuid')) ?? '').toLowerCase(),
    name: textOf(find(root, 'name')) ?? '',
    memoryBytes: memoryBytes(find(root, 'memory')),
    vcpus: Number(textOf(find(root, 'vcpu')) ?? '1'),
    architecture: find(os, 'type')?.attributes.arch,
    firmware: efi ? 'efi' : 'bios',
    osType: osTypeOf(root),
    disks: elements(devices ?? element('devices'), 'disk').map(describeDisk),
    nvramPath: nvramPath(find(os, 'nvram')),
    emulatedTpm: elements(devices ?? element('devices'), 'tpm').some(
      (tpm) => find(tpm, 'backend')?.attributes.type === 'emulator',
    ),
    agentChannel:
      agent === undefined ? 'absent' : agent.attributes.state === 'connected' ? 'connected' : 'disconnected',
    scsiHostDevices: elements(devices ?? element('devices'), 'hostdev').filter((hostdev) =>
      ['scsi', 'scsi_host'].includes(hostdev.attributes.type ?? ''),
    ).length,
  };
}

function nvramPath(nvram: XmlElement | undefined): string | undefined {
  // since libvirt 8.5 the store may also be given as <source file='…'/>
  const path = textOf(nvram) || find(nvram, 'source')?.attributes.file;
  return path === undefined || path === '' ? undefined : path;
}

function describeDisk(disk: XmlElement): DiskXml {
  const chain: ChainLink[] = [];
  let source: XmlElement | undefined = disk;
  let chainComplete = false;
  while (source !== undefined) {
    const format =
      source === disk ? find(disk, 'driver')?.attributes.type : find(source, 'format')?.attributes.type;
    chain.push({ type: source.attributes.type ?? 'file', format, path: sourcePath(source) });
    const next: XmlElement | undefined = find(source, 'backingStore');
    chainComplete = next !== undefined && next.children.length === 0;
    source = chainComplete ? undefined : next;
  }
  return {
    target: find(disk, 'target')?.attributes.dev ?? '',
    bus: find(disk, 'target')?.attributes.bus ?? '',
    type: disk.attributes.type ?? 'file',
    device: disk.attributes.device ?? 'disk',
    path: chain[0]?.path,
    format: chain[0]?.format,
    readOnly: find(disk, 'readonly') !== undefined,
    shareable: find(disk, 'shareable') !== undefined,
    transient: find(disk, 'transient') !== undefined,
    cache: find(disk, 'driver')?.attributes.cache,
    encrypted: [...descendants(disk)].some((child) => child.name === 'encryption'),
    sliced: find(disk, 'source', 'slices') !== undefined,
    mirror: find(disk, 'mirror') !== undefined,
    chain,
    chainComplete,
  };
}

function sourcePath(holder: XmlElement): string | undefined {
  const source = find(holder, 'source');
  if (holder.attributes.type === 'block') return source?.attributes.dev;
  if ((holder.attributes.type ?? 'file') === 'file') return source?.attributes.file;
  return undefined;
}

function memoryBytes(memory: XmlElement | undefined): number {
  const unit = memory?.attributes.unit ?? 'KiB';
  const factors: Record<string, number> = {
    b: 1,
    bytes: 1,
    KB: 1e3,
    k: 1024,
    KiB: 1024,
    MB: 1e6,
    M: 1024 ** 2,
    MiB: 1024 ** 2,
    GB: 1e9,
    G: 1024 ** 3,
    GiB: 1024 ** 3,
    TB: 1e12,
    T: 1024 ** 4,
    TiB: 1024 ** 4,
  };
  return Number(textOf(memory) ?? '0') * (factors[unit] ?? 1024);
}

/** The id that libosinfo-aware tools leave in the metadata: `http://debian.org/debian/12`. */
function osTypeOf(root: XmlElement): string | undefined {
  const metadata = find(root, 'metadata');
  if (metadata === undefined) return undefined;
  for (const child of descendants(metadata)) {
    if (/(^|:)os$/.test(child.name) && child.attributes.id !== undefined) return child.attributes.id;
  }
  return undefined;
}

/** The `<domainsnapshot>` that puts each of `overlays` on top of its disk and leaves `others` out. */
export function snapshotXml(
  overlays: readonly { target: string; path: string }[],
  others: readonly string[],
): string {
  const disks = [
    ...overlays.map(({ target, path }) =>
      element(
        'disk',
        { name: target, snapshot: 'external', type: 'file' },
        element('driver', { type: 'qcow2' }),
        element('source', { file: path }),
      ),
    ),
    ...others.map((target) => element('disk', { name: target, snapshot: 'no' })),
  ];
  return buildXml(element('domainsnapshot', {}, element('disks', {}, ...disks)));
}

/** An image with the type libvirt needs to open it. */
export interface ImageSource {
  path: string;
  format: string;
  type: 'file' | 'block';
}

/**
 * The definition with the images of some disks replaced: `chains` gives, by target, the whole chain from the active
 * image to the base. It is written out explicitly, so that libvirt need not probe any image. Everything else of the
 * definition, other options of these disks' drivers included, stays as it is.
 */
export function replaceChains(xml: string, chains: ReadonlyMap<string, readonly ImageSource[]>): string {
  const root = parseDomain(xml);
  const left = new Set(chains.keys());
  for (const disk of elements(find(root, 'devices') ?? element('devices'), 'disk')) {
    const target = find(disk, 'target')?.attributes.dev ?? '';
    const chain = chains.get(target);
    if (chain === undefined) continue;
    left.delete(target);
    setChain(disk, chain);
  }
  if (left.size > 0) throw new Error(`no disk ${[...left].join(', ')} in the definition`);
  return buildXml(root);
}

/** Gives `<disk>` these images; what `<source>` holds beside the path (start-up policy, seclabels) stays. */
export function setChain(disk: XmlElement, chain: readonly ImageSource[]): void {
  const [top, ...below] = chain;
  if (top === undefined) throw new Error('a disk needs an image');
  disk.attributes.type = top.type;
  const driver = find(disk, 'driver');
  if (driver === undefined) disk.children.unshift(element('driver', { name: 'qemu', type: top.format }));
  else driver.attributes.type = top.format;
  const backing = backingStore(below);
  const old = disk.children.findIndex((child) => 'name' in child && child.name === 'source');
  const source = sourceElement(top);
  const before = find(disk, 'source');
  if (before !== undefined) {
    const { file: _file, dev: _dev, index: _index, ...rest } = before.attributes;
    source.attributes = { ...source.attributes, ...rest };
    source.children = before.children;
  }
  const children = disk.children.filter(
    (child) => !('name' in child && (child.name === 'source' || child.name === 'backingStore')),
  );
  const at = Math.min(old < 0 ? 1 : old, children.length);
  children.splice(at, 0, source, backing);
  disk.children = children;
}

const sourceElement = ({ type, path }: ImageSource) =>
  element('source', type === 'block' ? { dev: path } : { file: path });

function backingStore(chain: readonly ImageSource[]): XmlElement {
  const [top, ...below] = chain;
  if (top === undefined) return element('backingStore');
  return element(
    'backingStore',
    { type: top.type },
    element('format', { type: top.format }),
    sourceElement(top),
    backingStore(below),
  );
}
