import type { NbdClient } from '../../nbd/index.ts';
import { type DiskServer, startDiskServer } from './disk-server.ts';
import { toImageFailure } from './failures.ts';
import { imageSpec } from './image-spec.ts';
import type { ImageLayer } from './image-types.ts';

export interface OpenImageRequest {
  /** Top first. Below the last one nothing is opened, whatever its header says. */
  layers: readonly ImageLayer[];
  /** Default false. */
  writable?: boolean;
  /**
   * Whether QEMU's locks keep others from writing. Default: only for a writable image. Frozen layers under a running
   * guest are read without, so that the guest's own block jobs never meet a lock of ours.
   */
  locking?: boolean;
  /** NBD meta contexts for block status. */
  contexts?: readonly string[];
}

/** An image open through a qemu-nbd of its own, which ends with it, and with this process however that ends. */
export interface OpenedImage extends AsyncDisposable {
  readonly client: NbdClient;
  readonly sizeBytes: number;
  /** Leaves and waits until the image is closed; throws when that did not go cleanly. */
  close(): Promise<void>;
  /** The room's error for what a call of `client` has thrown. */
  failure(doing: string, error: unknown): unknown;
  readonly pid: number | undefined;
}

/** @throws HostToolMissing, DiskImageNotFound, DiskImageInUse, DiskImageDamaged, DiskImageUnavailable */
export async function openImage(request: OpenImageRequest, signal?: AbortSignal): Promise<OpenedImage> {
  const path = request.layers[0]?.path ?? '';
  const writable = request.writable ?? false;
  const spec = await imageSpec(request.layers, { locking: request.locking ?? writable });
  const contexts = request.contexts ?? [];
  const server: DiskServer = await startDiskServer({ spec, path, writable, contexts }, signal);
  return {
    client: server.client,
    sizeBytes: server.client.sizeBytes,
    pid: server.pid,
    close: () => server.stop(),
    failure: (doing, error) => toImageFailure(doing, path, error, server.said.trim()),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
