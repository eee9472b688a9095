import { open } from 'node:fs/promises';
import type { DiskTarget } from '../types.ts';
import { startDiskServer } from './disk-server.ts';
import { toImageFailure } from './failures.ts';
import { imageSpec } from './image-spec.ts';
import type { ImageLayer } from './image-types.ts';

/** Zeros that are asked for at once: enough for a disk to be cleared in few requests, and to stop in between. */
const zeroesAtOnce = 2 ** 30;

/**
 * Opens an overlay that no machine uses, to give it content of its own: at first it reads as zeros, whatever is below. The
 * images below are opened as well, and by that kept from being written. Disposing unfinished leaves the overlay as far as
 * it came: it is its maker's to delete.
 * @param chain the overlay first, then all that is below it
 * @throws DiskImageInUse, UserErrorHostStorageFull, DiskImageNotFound, HostToolMissing
 */
export async function openOverlayTarget(
  chain: readonly ImageLayer[],
  sizeBytes: number,
  signal?: AbortSignal,
): Promise<DiskTarget> {
  const [{ path } = { path: '' }] = chain;
  const spec = await imageSpec(chain, { locking: true });
  const server = await startDiskServer({ spec, path, writable: true, contexts: [] }, signal);
  const withName = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw toImageFailure(what, path, error);
    }
  };
  try {
    for (let at = 0; at < sizeBytes; at += zeroesAtOnce) {
      const length = Math.min(zeroesAtOnce, sizeBytes - at);
      await withName('write to', () => server.client.writeZeroes(at, length, signal ? { signal } : {}));
    }
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return {
    path,
    sizeBytes,
    write: (offset, data, writeSignal) =>
      withName('write to', () => server.client.write(offset, data, writeSignal)),
    finish: () =>
      withName('finish', async () => {
        await server.client.flush();
        await server.stop();
        await using file = await open(path, 'r');
        await file.sync();
      }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
