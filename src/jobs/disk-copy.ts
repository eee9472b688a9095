import { HoldfastError } from '../errors/index.ts';
import type { DiskTarget, Host } from '../machines/index.ts';
import type { Store } from '../store/index.ts';
import type { RunningTask } from './job-context.ts';
import { createProgressSum, type ProgressSum } from './progress.ts';

/** One disk of a restore: what it is, and the file it ends in. */
export interface RestoredDisk {
  target: string;
  sizeBytes: number;
  format: 'raw' | 'qcow2';
  path: string;
}

interface CopyRequest {
  createDisk: Host['createDisk'];
  /** `partial` is the file that is written; the caller gives it its name. */
  plan: readonly (RestoredDisk & { partial: string })[];
  task: RunningTask;
  nowMs: () => number;
  signal: AbortSignal;
}

/** Bytes per read from a snapshot's layers. */
const readBytes = 2 * 2 ** 20;
/** Reads and writes that may be under way at once. */
const inFlight = 8;

interface Piece {
  offset: number;
  length: number;
  read(): Promise<Uint8Array>;
}

/** Writes the disks of a stored point to new image files. Every byte is checked against its content id on the way. */
export async function copyFromVault(
  request: CopyRequest & { store: Store; itemId: string; pointId: string },
): Promise<void> {
  const record = await request.store.readPoint(request.itemId, request.pointId);
  // Open readers keep what they read from being collected, even if the point expires meanwhile.
  using readers = new DisposableStack();
  await copyDisks(request, (target) => {
    const disk = record.disks.find((candidate) => candidate.name === target)?.disk;
    if (disk === undefined)
      throw new HoldfastError(
        'StoreDamaged',
        `Recovery point ${request.pointId} has no disk ${target} in the vault.`,
      );
    const reader = readers.use(request.store.openDisk(disk));
    return {
      extents: () => reader.extents(request.signal),
      async *pieces() {
        for await (const { offset, data } of reader.stream({ signal: request.signal })) {
          yield { offset, length: data.length, read: async () => data };
        }
      },
    };
  });
}

/** Writes the disks of a frozen point on the host to new image files. */
export async function copyFromSnapshot(
  request: CopyRequest & { host: Host; machineUuid: string; pointId: string },
): Promise<void> {
  const { machineUuid, pointId, signal } = request;
  await using reader = await request.host.openPoint({ machineUuid, pointId }, signal);
  await copyDisks(request, (target) => {
    const disk = reader.disks.find((candidate) => candidate.target === target);
    if (disk === undefined)
      throw new HoldfastError(
        'RecoveryPointNotOnHost',
        `Recovery point ${pointId} has no disk ${target} on the host.`,
      );
    async function* dataExtents() {
      if (disk === undefined) return;
      for await (const extent of disk.extents(signal)) if (!extent.zero) yield extent;
    }
    return {
      extents: dataExtents,
      async *pieces() {
        for await (const extent of dataExtents()) {
          for (let at = 0; at < extent.length; at += readBytes) {
            const offset = extent.offset + at;
            const length = Math.min(readBytes, extent.length - at);
            yield { offset, length, read: () => disk.read(offset, length, signal) };
          }
        }
      },
    };
  });
}

interface CopySource {
  extents(): AsyncIterable<{ length: number }>;
  pieces(): AsyncIterable<Piece>;
}

async function copyDisks(request: CopyRequest, sourceOf: (target: string) => CopySource): Promise<void> {
  const progress = createProgressSum(request.nowMs);
  request.task.reportProgress(() => progress.snapshot());
  const sources = request.plan.map((disk) => ({ disk, source: sourceOf(disk.target) }));
  let total = 0;
  for (const { source } of sources) for await (const extent of source.extents()) total += extent.length;
  progress.setTotal(total);
  for (const { disk, source } of sources) {
    await using target = await request.createDisk(
      { path: disk.partial, format: disk.format, sizeBytes: disk.sizeBytes },
      request.signal,
    );
    await copyPieces(source.pieces(), target, disk.target, progress, request.signal);
    await target.finish();
  }
}

/** Keeps several pieces under way; the first failure ends the copy after the others have settled. */
async function copyPieces(
  pieces: AsyncIterable<Piece>,
  target: DiskTarget,
  name: string,
  progress: ProgressSum,
  signal: AbortSignal,
): Promise<void> {
  const running = new Set<Promise<void>>();
  let failure: { error: unknown } | undefined;
  let bytes = 0;
  const copy = async (piece: Piece) => {
    const data = await piece.read();
    await target.write(piece.offset, data, signal);
    bytes += data.length;
    progress.update(name, { processedBytes: bytes, readBytes: bytes, newBytes: 0, storedBytes: bytes });
  };
  try {
    for await (const piece of pieces) {
      signal.throwIfAborted();
      const work: Promise<void> = copy(piece)
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => running.delete(work));
      running.add(work);
      if (running.size >= inFlight) await Promise.race(running);
      if (failure !== undefined) break;
    }
  } finally {
    await Promise.all(running);
  }
  if (failure !== undefined) throw failure.error;
}
