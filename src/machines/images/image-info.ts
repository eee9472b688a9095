import { dirname, isAbsolute, resolve } from 'node:path';
import { HoldfastError } from '../../errors/index.ts';
import { readBacking } from './backing-header.ts';
import { runImageTool } from './failures.ts';
import { formatOf, requireAbsolute } from './image-spec.ts';
import type { ImageInfo, ImageLayer } from './image-types.ts';

const infoTimeoutMs = 30_000;

/** libvirt's own limit for the depth of a chain. */
const maxChainLength = 200;

/** The parts we use of what `qemu-img info --output=json` prints. */
interface QemuImageInfo {
  format: string;
  'virtual-size': number;
  'actual-size'?: number;
  'cluster-size'?: number;
  'dirty-flag'?: boolean;
  encrypted?: boolean;
  'backing-filename'?: string;
  'full-backing-filename'?: string;
  'backing-filename-format'?: string;
  snapshots?: { name: string }[];
  'format-specific'?: {
    data?: {
      'extended-l2'?: boolean;
      'lazy-refcounts'?: boolean;
      corrupt?: boolean;
      'data-file'?: string;
      bitmaps?: { name: string }[];
    };
  };
}

/**
 * Reads the header of an image, also while a VM uses it. Nothing below it is opened.
 *
 * Give the format wherever it is known: without it QEMU probes, and a guest that owns a raw disk decides what the
 * probe finds.
 */
export async function imageInfo(
  path: string,
  options: { format?: string; signal?: AbortSignal } = {},
): Promise<ImageInfo> {
  requireAbsolute(path);
  const format = options.format === undefined ? [] : ['-f', formatOf(path, options.format)];
  const { stdout } = await runImageTool(
    ['qemu-img', 'info', '-U', '--output=json', ...format, path],
    'read the header of',
    path,
    { timeoutMs: infoTimeoutMs, ...(options.signal && { signal: options.signal }) },
  );
  const info = JSON.parse(stdout) as QemuImageInfo;
  const details = info['format-specific']?.data;
  return {
    path,
    format: info.format,
    virtualSizeBytes: info['virtual-size'],
    allocatedBytes: info['actual-size'] ?? 0,
    clusterSizeBytes: info['cluster-size'],
    extendedL2: details?.['extended-l2'] ?? false,
    lazyRefcounts: details?.['lazy-refcounts'] ?? false,
    backing: backingOf(path, info['backing-filename'], info['backing-filename-format']),
    dataFile: details?.['data-file'],
    encrypted: info.encrypted ?? false,
    dirty: info['dirty-flag'] ?? false,
    corrupt: details?.corrupt ?? false,
    bitmaps: (details?.bitmaps ?? []).map((bitmap) => bitmap.name),
    snapshots: (info.snapshots ?? []).map((snapshot) => snapshot.name),
  };
}

function backingOf(path: string, name: string | undefined, format: string | undefined): ImageInfo['backing'] {
  if (name === undefined) return undefined;
  // QEMU takes `word:...` for a protocol, unless a slash comes first; such a name is kept as it is.
  const isProtocol = /^[^/]*:/.test(name);
  const absolute = isProtocol || isAbsolute(name) ? name : resolve(dirname(path), name);
  return { path: absolute, format };
}

/**
 * The chain of an image as the headers have it, top first, down to the base.
 * @throws DiskImageNotSupported where it leaves local raw and qcow2 files, or a header leaves the format to be guessed
 */
export async function imageChain(
  path: string,
  options: { format: string; signal?: AbortSignal },
): Promise<ImageLayer[]> {
  const chain: ImageLayer[] = [];
  let next: ImageLayer | undefined = { path, format: formatOf(path, options.format) };
  while (next !== undefined) {
    const layer: ImageLayer = next;
    if (chain.some((earlier) => earlier.path === layer.path))
      throw notSupported(path, 'its chain is a circle');
    if (chain.length === maxChainLength)
      throw notSupported(path, `its chain has more than ${maxChainLength} images`);
    chain.push(layer);
    next = layer.format === 'raw' ? undefined : await backingLayer(layer, options.signal);
  }
  return chain;
}

async function backingLayer(layer: ImageLayer, signal?: AbortSignal): Promise<ImageLayer | undefined> {
  requireAbsolute(layer.path);
  const named = await readBacking(layer.path);
  const { backing, dataFile } =
    named === undefined
      ? await imageInfo(layer.path, { format: layer.format, ...(signal && { signal }) })
      : { backing: backingOf(layer.path, named.name, named.format), dataFile: undefined };
  if (dataFile !== undefined) throw notSupported(layer.path, 'its data is in another file');
  if (backing === undefined) return undefined;
  if (!isAbsolute(backing.path))
    throw notSupported(layer.path, `its backing ${backing.path} is no local file`);
  if (backing.format === undefined) {
    throw new HoldfastError(
      'DiskImageNotSupported',
      `${layer.path} does not tell the format of its backing image ${backing.path}.`,
      {
        target: layer.path,
        action:
          'Write the format into the image while the VM is off: qemu-img rebase -u -b BACKING -F FORMAT IMAGE.',
      },
    );
  }
  return { path: backing.path, format: formatOf(backing.path, backing.format) };
}

function notSupported(path: string, why: string): HoldfastError {
  return new HoldfastError('DiskImageNotSupported', `${path} can't be used: ${why}.`, { target: path });
}
