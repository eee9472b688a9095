import { open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from '../../platform/index.ts';
import { runImageTool, toImageFailure } from './failures.ts';
import { imageSpec, requireAbsolute } from './image-spec.ts';
import type { CheckResult, CreateOverlayRequest, FileOwner, ImageInfo, ImageLayer } from './image-types.ts';
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
  await createOver(request, ['-b', request.backingPath, '-F', request.backingFormat], signal);
}

/**
 * Creates an empty overlay over a disk that an NBD server offers on a Unix socket; the server need not be there yet.
 * Plain qcow2: QEMU 7.2 dies of a failed assertion when an overlay with extended L2 entries is pulled into.
 * @throws DiskImageExists, UserErrorHostStorageFull
 */
export async function createOverlayOverNbd(
  request: { path: string; sizeBytes: number; backing: NbdSource; owner?: FileOwner },
  signal?: AbortSignal,
): Promise<void> {
  const { path, sizeBytes, backing, owner } = request;
  const overlay = { path, sizeBytes, extendedL2: false, ...(owner && { owner }) };
  await createOver(overlay, ['-b', nbdSpec(backing), '-F', 'raw'], signal);
}

/** A disk that an NBD server offers. */
export interface NbdSource {
  socketPath: string;
  exportName: string;
}

const nbdSpecStart = 'json:{"driver":"raw","file":{"driver":"nbd",';

// As JSON, not as a URI: of a URI's escapes QEMU undoes those of the socket's path, and libvirt does not.
const nbdSpec = ({ socketPath, exportName }: NbdSource) =>
  `${nbdSpecStart}${JSON.stringify({ server: { type: 'unix', path: socketPath }, export: exportName }).slice(1)}}`;

/** Whether an image stands on a disk that an NBD server offers. */
export const standsOnNbd = ({ backing }: Pick<ImageInfo, 'backing'>) =>
  backing?.path.startsWith(nbdSpecStart) === true;

async function createOver(
  request: Pick<CreateOverlayRequest, 'path' | 'sizeBytes' | 'extendedL2' | 'owner'>,
  backing: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  await using file = await createNewFile(request.path, request.owner);
  const features = request.extendedL2 ? 'extended_l2=on,cluster_size=128k' : 'cluster_size=64k';
  const options = ['-o', `${features},lazy_refcounts=off`, '-u', ...backing];
  await runImageTool(
    ['qemu-img', 'create', '-q', '-f', 'qcow2', ...options, file.nameForPrograms, `${request.sizeBytes}`],
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
 * Copies into an overlay what it still reads from below, durably, and lets go of that. No VM may use it. It can be
 * stopped, or die, at any instant, and be done again.
 * @throws DiskImageInUse, UserErrorHostStorageFull
 */
export async function absorbBacking(path: string, signal?: AbortSignal): Promise<void> {
  requireAbsolute(path);
  await runImageTool(
    ['qemu-img', 'rebase', '-q', '-f', 'qcow2', '-b', '', path],
    'copy what is below of',
    path,
    { timeoutMs: contentTimeoutMs, ...(signal && { signal }) },
  );
  await syncImage(path);
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
