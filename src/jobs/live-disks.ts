import { chmod, chown, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../errors/index.ts';
import { type NbdExport, serveNbd } from '../nbd/index.ts';
import type { DiskReader, Store } from '../store/index.ts';
import { BlockCache } from './block-cache.ts';

/** What a guest reads comes in blocks of this size; with the store's small chunks, four at a time. */
const blockBytes = 256 * 1024;
/** Kept per disk: 16 MiB. */
const cachedBlocks = 64;
/** A pull reads in order, and the store's threads are busy with this many blocks at once. */
const blocksAhead = 6;

/** The longest path a Unix socket can have, in bytes. */
const longestSocketPath = 107;

/**
 * Where the disks of a live restore are served: beside them, for whoever may use the one may use the other.
 * @throws InvalidInput when no socket can have a path as long
 */
export function liveSocketPath(directory: string, jobId: string): string {
  const path = join(directory, `.holdfast-${jobId.slice(0, 8)}.sock`);
  if (Buffer.byteLength(path) <= longestSocketPath) return path;
  throw new HoldfastError('InvalidInput', `${directory} is too deep for a live restore.`, {
    target: directory,
    action: `Name a directory of at most ${longestSocketPath - Buffer.byteLength(path) + Buffer.byteLength(directory)} bytes, or restore without --live.`,
  });
}

/**
 * Serves disks of a stored point, each by its target, until it is disposed. While it is, nothing of them is collected.
 * @throws what reading the point's record throws; StoreDamaged when it lacks a disk
 */
export async function serveLiveDisks(request: {
  store: Store;
  itemId: string;
  pointId: string;
  targets: readonly string[];
  socketPath: string;
  /** Who may connect beside us; undefined: the service's own user. */
  owner: { uid: number; gid: number } | undefined;
  onError(error: unknown): void;
}): Promise<AsyncDisposable> {
  const { store, socketPath, owner } = request;
  await using scope = new AsyncDisposableStack();
  const record = await store.readPoint(request.itemId, request.pointId);
  const exports = new Map<string, NbdExport>();
  for (const target of request.targets) {
    const disk = record.disks.find((candidate) => candidate.name === target)?.disk;
    if (disk === undefined)
      throw new HoldfastError(
        'StoreDamaged',
        `Recovery point ${request.pointId} has no disk ${target} in the vault.`,
      );
    exports.set(target, exportOf(scope.use(store.openDisk(disk)), disk.chunkSizeBytes));
  }
  await rm(socketPath, { force: true }); // of a process of ours that died
  scope.use(await serveNbd({ path: socketPath, exports, onError: request.onError }));
  await chmod(socketPath, 0o600);
  if (owner !== undefined && process.geteuid?.() === 0) await chown(socketPath, owner.uid, owner.gid);
  return scope.move();
}

function exportOf(reader: DiskReader, chunkSizeBytes: number): NbdExport {
  const cache = new BlockCache(reader, {
    blockBytes: Math.max(blockBytes, chunkSizeBytes),
    blocks: cachedBlocks,
    ahead: blocksAhead,
  });
  return {
    sizeBytes: reader.sizeBytes,
    preferredBlock: chunkSizeBytes,
    read: (offset, length) => cache.read(offset, length),
    allocated: (offset, length) => reader.extentsWithin(offset, length),
  };
}
