import { HoldfastError } from '../errors/index.ts';
import type { Host } from '../machines/index.ts';
import { alignedMemory } from '../platform/index.ts';
import type { OnGap, Store } from '../store/index.ts';
import type { RunningTask } from './job-context.ts';
import { createProgressSum } from './progress.ts';

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

/** Bytes per read from a snapshot's layers, and pieces that are read and written at once. */
const readBytes = 2 * 2 ** 20;
const inFlight = 4;

/**
 * Writes the disks of a stored point to new image files. Every byte is checked against its content id on the way. With
 * `onGap`, what cannot be read is left out, and so zeros, and told to what it returns for the disk.
 */
export async function copyFromVault(
  request: CopyRequest & {
    store: Store;
    itemId: string;
    pointId: string;
    onGap?: ((target: string) => OnGap) | undefined;
  },
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
      // Those that cannot be read are told once, when they are copied.
      extents: () => reader.extents(request.signal, request.onGap && (() => {})),
      copyTo: (write) => {
        const onGap = request.onGap?.(target);
        return reader.copyTo(write, { signal: request.signal, ...(onGap === undefined ? {} : { onGap }) });
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
      async copyTo(write) {
        // As many as there are pieces under way; from memory like this, files are read and written directly.
        const free: Buffer[] = [];
        await eachOf(piecesOf(dataExtents()), signal, async ({ offset, length }) => {
          const memory = free.pop() ?? Buffer.from(alignedMemory(readBytes), 0, readBytes);
          await write(offset, await disk.read(offset, length, signal, memory.subarray(0, length)));
          free.push(memory);
        });
      },
    };
  });
}

interface CopySource {
  extents(): AsyncIterable<{ length: number }>;
  /** Hands everything that is not zeros to `write`, several pieces at once; nothing is under way when it has settled. */
  copyTo(write: (offset: number, data: Uint8Array) => Promise<void>): Promise<void>;
}

async function copyDisks(request: CopyRequest, sourceOf: (target: string) => CopySource): Promise<void> {
  const progress = createProgressSum(request.nowMs);
  request.task.reportProgress(() => progress.snapshot());
  const sources = request.plan.map((disk) => ({ disk, source: sourceOf(disk.target) }));
  const totals = new Map<string, number>();
  for (const { disk, source } of sources) {
    let bytes = 0;
    for await (const extent of source.extents()) bytes += extent.length;
    totals.set(disk.target, bytes);
  }
  progress.setTotal(
    totals.values().reduce((all, bytes) => all + bytes, 0),
    totals,
  );
  for (const { disk, source } of sources) {
    await using target = await request.createDisk(
      { path: disk.partial, format: disk.format, sizeBytes: disk.sizeBytes },
      request.signal,
    );
    let bytes = 0;
    await source.copyTo(async (offset, data) => {
      await target.write(offset, data, request.signal);
      bytes += data.length;
      progress.update(disk.target, {
        processedBytes: bytes,
        readBytes: bytes,
        newBytes: 0,
        storedBytes: bytes,
      });
    });
    await target.finish();
  }
}

async function* piecesOf(extents: AsyncIterable<{ offset: number; length: number }>) {
  for await (const { offset, length } of extents)
    for (let at = 0; at < length; at += readBytes)
      yield { offset: offset + at, length: Math.min(readBytes, length - at) };
}

/** Keeps several items under way; the first failure ends it after the others have settled. */
async function eachOf<Item>(
  items: AsyncIterable<Item>,
  signal: AbortSignal,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  let failure: { error: unknown } | undefined;
  try {
    for await (const item of items) {
      signal.throwIfAborted();
      const done: Promise<void> = work(item)
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => running.delete(done));
      running.add(done);
      if (running.size >= inFlight) await Promise.race(running);
      if (failure !== undefined) break;
    }
  } finally {
    await Promise.all(running);
  }
  if (failure !== undefined) throw failure.error;
}
