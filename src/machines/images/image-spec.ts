import { stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { HoldfastError } from '../../errors/index.ts';
import { toImageFailure } from './failures.ts';
import type { ImageFormat, ImageLayer } from './image-types.ts';

/** An absolute path can't be taken for a protocol (`nbd:...`) or an option, whatever else is in it. */
export function requireAbsolute(path: string): void {
  if (!isAbsolute(path) || path.includes('\0')) {
    throw new HoldfastError('InvalidInput', `The path of an image must be absolute: '${path}'.`, {
      target: path,
    });
  }
}

/** @throws DiskImageNotSupported for formats we do not handle */
export function formatOf(path: string, format: string): ImageFormat {
  if (format === 'raw' || format === 'qcow2') return format;
  throw new HoldfastError('DiskImageNotSupported', `${path} has the format ${format}, not raw or qcow2.`, {
    target: path,
  });
}

interface BlockNode {
  driver: ImageFormat;
  file: { driver: 'file' | 'host_device'; filename: string; locking?: 'off' };
  backing?: BlockNode | null;
}

/**
 * The file name argument by which QEMU opens exactly these images, top first, and nothing else: every driver is named,
 * and below the last one there is nothing, whatever its header says.
 */
export async function imageSpec(
  layers: readonly ImageLayer[],
  options: { locking: boolean },
): Promise<string> {
  let node: BlockNode | undefined;
  for (const layer of layers.toReversed()) {
    if (node !== undefined && layer.format === 'raw') {
      throw new TypeError(`a raw image can't have one below it: ${layer.path}`);
    }
    const file: BlockNode['file'] = { driver: await fileDriver(layer.path), filename: layer.path };
    if (!options.locking) file.locking = 'off';
    node = { driver: layer.format, file, ...(layer.format === 'qcow2' && { backing: node ?? null }) };
  }
  if (node === undefined) throw new TypeError('no image to open');
  return `json:${JSON.stringify(node)}`;
}

async function fileDriver(path: string): Promise<'file' | 'host_device'> {
  requireAbsolute(path);
  try {
    return (await stat(path)).isBlockDevice() ? 'host_device' : 'file';
  } catch (error) {
    throw toImageFailure('open', path, error);
  }
}
