import { isHoldfastError, messageOf } from '../errors/index.ts';
import type { FrozenDiskReader, FrozenPointReader, Host } from '../machines/index.ts';
import type { DiskRoot, PointRecord, PointWriter, Store } from '../store/index.ts';
import type { RunningTask } from './job-context.ts';
import { createProgressSum } from './progress.ts';

/** What one disk's way to the vault came to. */
export interface DiskTransfer {
  target: string;
  sizeBytes: number;
  /** `delta since <point>` or `full: <reason>`. */
  basis: string;
  readBytes: number;
  newBytes: number;
  storedBytes: number;
}

export interface TransferRequest {
  host: Host;
  store: Store;
  itemId: string;
  machineUuid: string;
  pointId: string;
  /** The item's newest point in the vault, if its layers may serve as the base of a delta. */
  since: string | undefined;
  createdAt: string;
  /** Stored with the point; see `PointRecord.metadata`. */
  metadata: Record<string, unknown>;
  task: RunningTask;
  nowMs: () => number;
  signal: AbortSignal;
}

/**
 * Brings a frozen point into the store: the changed extents of its layers where an earlier point is there to build
 * on, everything otherwise. When the earlier point turns out damaged in the store, the point is read in full, which
 * writes the damaged content anew.
 */
export async function transferPoint(request: TransferRequest): Promise<DiskTransfer[]> {
  const base = request.since === undefined ? undefined : await readBase(request, request.since);
  try {
    return await transfer(request, base);
  } catch (error) {
    if (base === undefined || !isHoldfastError(error, 'StoreDamaged')) throw error;
    await request.task.say(
      `reading everything: the vault's copy of the last point is damaged (${messageOf(error)})`,
    );
    return await transfer(request, undefined);
  }
}

async function readBase(request: TransferRequest, since: string): Promise<PointRecord | undefined> {
  try {
    return await request.store.readPoint(request.itemId, since);
  } catch (error) {
    if (isHoldfastError(error, 'StoreDamaged', 'RecoveryPointNotInStore')) return undefined;
    throw error;
  }
}

async function transfer(request: TransferRequest, base: PointRecord | undefined): Promise<DiskTransfer[]> {
  const { host, store, signal } = request;
  await using reader = await host.openPoint(
    {
      machineUuid: request.machineUuid,
      pointId: request.pointId,
      ...(base === undefined ? {} : { since: base.pointId }),
    },
    signal,
  );
  await using writer = await store.beginPoint({ pointId: request.pointId, itemId: request.itemId, signal });
  const progress = createProgressSum(request.nowMs);
  request.task.reportProgress(() => progress.snapshot());
  const totals = await totalsOf(reader, signal);
  progress.setTotal(
    totals.values().reduce((all, bytes) => all + bytes, 0),
    totals,
  );
  const disks: { name: string; disk: DiskRoot }[] = [];
  const transfers: DiskTransfer[] = [];
  for (const disk of reader.disks) {
    const baseDisk = base?.disks.find((candidate) => candidate.name === disk.target)?.disk;
    const written = await writeDisk(writer, disk, baseDisk, request, (counters) =>
      progress.update(disk.target, counters),
    );
    progress.update(disk.target, written);
    disks.push({ name: disk.target, disk: written.disk });
    transfers.push({
      target: disk.target,
      sizeBytes: disk.sizeBytes,
      basis: disk.basis.kind === 'delta' ? `delta since ${disk.basis.since}` : `full: ${disk.basis.reason}`,
      readBytes: disk.bytesRead,
      newBytes: written.newBytes,
      storedBytes: written.storedBytes,
    });
  }
  await writer.commit({ createdAt: request.createdAt, disks, metadata: request.metadata });
  return transfers;
}

/** By disk, the bytes that are to be read. */
async function totalsOf(reader: FrozenPointReader, signal: AbortSignal): Promise<Map<string, number>> {
  const totals = new Map<string, number>();
  for (const disk of reader.disks) {
    let bytes = 0;
    for await (const extent of disk.extents(signal)) bytes += extent.length;
    totals.set(disk.target, bytes);
  }
  return totals;
}

async function writeDisk(
  writer: PointWriter,
  disk: FrozenDiskReader,
  baseDisk: DiskRoot | undefined,
  request: TransferRequest,
  onProgress: Parameters<typeof writer.writeDisk>[0]['onProgress'] & {},
) {
  if (disk.basis.kind === 'delta' && baseDisk === undefined)
    throw new Error(`disk ${disk.target} has a delta but no base in the store`);
  return writer.writeDisk({
    sizeBytes: disk.sizeBytes,
    extents: disk.extents(request.signal),
    source: disk,
    ...(disk.basis.kind === 'delta' && baseDisk !== undefined ? { base: baseDisk } : {}),
    onProgress,
    signal: request.signal,
  });
}
