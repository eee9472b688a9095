import { open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from '../../platform/index.ts';
import { runImageTool, toImageFailure } from './failures.ts';
import { imageSpec, requireAbsolute } from './image-spec.ts';
import type { CheckResult, CreateOverlayRequest, ImageLayer } from './image-types.ts';
import { createNewFile } from './new-file.ts';

const headerTimeoutMs = 60_000;
/** For work that grows with the image; the caller's signal is what usually ends it. */
const contentTimeoutMs = 24 * 3_600_000;

/**
 * Creates an empty overlay, durably. The backing image is neither opened nor locked: it may be a running VM's.
 * When it throws, the file is not there; when the process dies, an unfinished one may be.
 * @throws DiskImageExists, DiskImageNotFound, UserErrorHostStorageFull
 */
export async function createOverlay(request: CreateOverlayRequest, signal?: AbortSignal): Promise<void> {
  requireAbsolute(request.backingPath);
  try {
    await stat(request.backingPath);
  } catch (error) {
    throw toImageFailure('create an overlay over', request.backingPath, error);
  }
  await using file = await createNewFile(request.path, request.owner);
  const features = request.extendedL2 ? 'extended_l2=on,cluster_size=128k' : 'cluster_size=64k';
  const backing = ['-u', '-b', request.backingPath, '-F', request.backingFormat] as const;
  const options = ['-o', `${features},lazy_refcounts=off`] as const;
  await runImageTool(
    [
      'qemu-img',
      'create',
      '-q',
      '-f',
      'qcow2',
      ...options,
      ...backing,
      file.nameForPrograms,
      `${request.sizeBytes}`,
    ],
    'create',
    request.path,
    { timeoutMs: headerTimeoutMs, ...(signal && { signal }) },
  );
  try {
    await file.keep();
  } catch (error) {
    throw toImageFailure('create', request.path, error);
  }
}

/**
 * Points the header of an overlay to another backing image (or none), durably. Its content is not adapted: what the
 * guest sees changes unless the new backing reads the same.
 */
export async function rebaseUnsafe(
  request: { path: string; backing: ImageLayer | undefined },
  signal?: AbortSignal,
): Promise<void> {
  requireAbsolute(request.path);
  const { backing } = request;
  if (backing !== undefined) requireAbsolute(backing.path);
  const target = backing === undefined ? ['-b', ''] : ['-b', backing.path, '-F', backing.format];
  await runImageTool(
    ['qemu-img', 'rebase', '-q', '-u', '-f', 'qcow2', ...target, request.path],
    'change the backing of',
    request.path,
    { timeoutMs: headerTimeoutMs, ...(signal && { signal }) },
  );
  await syncImage(request.path);
}

/**
 * Merges the top of `layers` (top first, whole chain) into the one below, durably, growing that to the top's size.
 * No VM may be running on the chain. The top keeps its content, so that a merge cut short can be done again; delete
 * it afterwards.
 * @throws DiskImageInUse, UserErrorHostStorageFull
 */
export async function commitImage(
  request: { layers: readonly ImageLayer[]; bandwidthBytesPerSecond?: number },
  signal?: AbortSignal,
): Promise<void> {
  const [top, below] = request.layers;
  if (top === undefined || below === undefined) throw new TypeError('a merge takes two images');
  const rate = request.bandwidthBytesPerSecond;
  const limit = rate === undefined ? [] : ['-r', `${Math.max(1, Math.floor(rate))}`];
  const spec = await imageSpec(request.layers, { locking: true });
  await runImageTool(['qemu-img', 'commit', '-q', '-d', ...limit, spec], 'merge', top.path, {
    timeoutMs: contentTimeoutMs,
    ...(signal && { signal }),
  });
  await syncImage(below.path);
}

/**
 * Checks the structure of an image. Of one in use by a running VM it may report errors that are not there.
 * @throws DiskImageNotSupported for raw images, which have no structure
 */
export async function checkImage(layer: ImageLayer, signal?: AbortSignal): Promise<CheckResult> {
  const spec = await imageSpec([layer], { locking: false });
  const { stdout } = await runImageTool(
    ['qemu-img', 'check', '-U', '--output=json', spec],
    'check',
    layer.path,
    {
      timeoutMs: contentTimeoutMs,
      ...(signal && { signal }),
      accept: [checkStatus.corruptions, checkStatus.leaks],
    },
  );
  const report = JSON.parse(stdout) as { corruptions?: number; leaks?: number };
  return { corruptions: report.corruptions ?? 0, leaks: report.leaks ?? 0 };
}

/** What qemu-img exits with when it has found something and printed its report. */
const checkStatus = { corruptions: 2, leaks: 3 } as const;

async function syncImage(path: string): Promise<void> {
  try {
    await using file = await open(path, 'r');
    await file.sync();
    await syncDirectory(dirname(path));
  } catch (error) {
    throw toImageFailure('make durable', path, error);
  }
}
