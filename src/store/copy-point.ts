import { HoldfastError, isHoldfastError, messageOf } from '../errors/index.ts';
import type { PointWriter, Store } from './store.ts';
import type { CommitOptions, DiskExtent, DiskRoot, PointRecord, WriteProgress } from './types.ts';

export interface CopyPointRequest {
  itemId: string;
  pointId: string;
  /**
   * A point of the item that both stores may have: then only what has changed since is read. One that is gone, was not
   * copied from this source, or proves to be damaged only makes the copy slower. Default: none.
   */
  base?: string | undefined;
  /** Read back from the target before the point counts. Default `written`. */
  readBack?: CommitOptions['readBack'] & {};
  onProgress?: (progress: CopyProgress) => void;
  /** Waited for before so many bytes are read from the source: for a rate limit. */
  pace?: (bytes: number, signal: AbortSignal | undefined) => Promise<void>;
  signal?: AbortSignal;
}

/** Running totals of one point; they begin anew when it turns out that all of it has to be read. */
export interface CopyProgress extends WriteProgress {
  /** Bytes read back from the target so far. */
  checkedBytes: number;
}

export interface CopiedPoint extends CopyProgress {
  /** As it is in the target. */
  record: PointRecord;
  /** The point that only changes since were read of; undefined when everything was. */
  base: string | undefined;
  /** The target had it before; nothing was copied. */
  wasThere: boolean;
}

/**
 * Copies a point to another store, by content: the two may name chunks differently, or have chunks of different sizes.
 * Nothing of it is visible in the target before all of it is durable and has been read back. A copy that is stopped or
 * dies leaves packs that the next one finds by their content; a point that is there already is left as it is.
 *
 * What is taken over from a base is what this function copied there before: the copy's record says from which disks.
 * @throws StoreDamaged naming disk and range, when the source cannot be read @throws RecoveryPointNotInStore
 * @throws RecoveryPointExists when the target has another point of this id @throws StoreFull @throws StoreUnavailable
 */
export async function copyPoint(
  source: Store,
  target: Store,
  request: CopyPointRequest,
): Promise<CopiedPoint> {
  const { itemId, pointId, signal } = request;
  signal?.throwIfAborted();
  const point = await source.readPoint(itemId, pointId);
  const there = await takeFromTarget(target, itemId, pointId);
  if (there !== undefined) return alreadyCopied(source, point, there);
  const base = request.base === undefined ? undefined : await readBase(source, target, itemId, request.base);
  const attempt = new CopyAttempt(source, target, point, request);
  try {
    return await attempt.run(base);
  } catch (error) {
    // Damage of the target, or of the base's maps: without the base all of it is read, which writes anew what is bad.
    if (!isHoldfastError(error, 'StoreDamaged') || signal?.aborted) throw error;
    if (attempt.sourceDamage !== undefined) throw attempt.sourceDamage;
    return await new CopyAttempt(source, target, point, request).run(undefined);
  }
}

/** The newest point that may serve as a base for copying `point`: the target has it, from this source. */
export function baseForCopy(
  source: Store,
  point: Pick<PointRecord, 'itemId' | 'createdAt'>,
  sourcePoints: readonly PointRecord[],
  targetPoints: readonly PointRecord[],
): string | undefined {
  const kept = new Set(sourcePoints.map(({ pointId }) => pointId));
  const common = targetPoints.filter(
    ({ itemId, pointId, copyOf }) =>
      itemId === point.itemId && kept.has(pointId) && copyOf?.storeId === source.storeId,
  );
  // The newest before it differs least. Where all are newer (points are made up for), the oldest of those does.
  const times = (a: { createdAt: string }, b: { createdAt: string }) =>
    Temporal.Instant.compare(a.createdAt, b.createdAt);
  const ordered = common.toSorted(times);
  return (ordered.findLast((each) => times(each, point) <= 0) ?? ordered[0])?.pointId;
}

/** The target's point. A record that cannot be read there says nothing any more, and makes place for this one. */
async function takeFromTarget(
  target: Store,
  itemId: string,
  pointId: string,
): Promise<PointRecord | undefined> {
  try {
    return await readIfThere(target, itemId, pointId);
  } catch (error) {
    if (!isHoldfastError(error, 'StoreDamaged')) throw error;
    await target.deletePoint(itemId, pointId);
    return undefined;
  }
}

function alreadyCopied(source: Store, point: PointRecord, there: PointRecord): CopiedPoint {
  const { pointId, itemId } = point;
  if (there.copyOf?.storeId !== source.storeId || !haveSameDisks(there.copyOf.disks, point.disks))
    throw new HoldfastError(
      'RecoveryPointExists',
      `The target has a recovery point ${pointId} of ${itemId} that is no copy of the source's.`,
      { target: pointId },
    );
  return { record: there, base: undefined, wasThere: true, ...nothingYet };
}

/** A base's disks as both stores have them. */
interface Base {
  pointId: string;
  disks: { name: string; source: DiskRoot; target: DiskRoot }[];
}

async function readBase(
  source: Store,
  target: Store,
  itemId: string,
  pointId: string,
): Promise<Base | undefined> {
  const ours = await readIfThere(source, itemId, pointId, 'StoreDamaged');
  const theirs = await readIfThere(target, itemId, pointId, 'StoreDamaged');
  if (ours === undefined || theirs?.copyOf?.storeId !== source.storeId) return undefined;
  const disks: Base['disks'] = [];
  for (const { name, disk } of ours.disks) {
    const copiedFrom = theirs.copyOf.disks.find((each) => each.name === name)?.disk;
    const copy = theirs.disks.find((each) => each.name === name)?.disk;
    if (copiedFrom !== undefined && copy !== undefined && isSameDisk(copiedFrom, disk))
      disks.push({ name, source: disk, target: copy });
  }
  return { pointId, disks };
}

async function readIfThere(
  store: Store,
  itemId: string,
  pointId: string,
  ...also: 'StoreDamaged'[]
): Promise<PointRecord | undefined> {
  try {
    return await store.readPoint(itemId, pointId);
  } catch (error) {
    if (isHoldfastError(error, 'RecoveryPointNotInStore', ...also)) return undefined;
    throw error;
  }
}

/** Content ids of one store name content for ever: the same root, read with the same sizes, is the same disk. */
function isSameDisk(a: DiskRoot, b: DiskRoot): boolean {
  return a.root === b.root && a.sizeBytes === b.sizeBytes && a.chunkSizeBytes === b.chunkSizeBytes;
}

function haveSameDisks(a: PointRecord['disks'], b: PointRecord['disks']): boolean {
  return (
    a.length === b.length &&
    a.every(({ name, disk }) => b.some((other) => other.name === name && isSameDisk(other.disk, disk)))
  );
}

const nothingYet: CopyProgress = {
  processedBytes: 0,
  readBytes: 0,
  newBytes: 0,
  storedBytes: 0,
  checkedBytes: 0,
};

/** One way through all disks of a point. */
class CopyAttempt {
  /** Set when the source's own data could not be read: then no other way to copy it would help. */
  sourceDamage: HoldfastError | undefined;
  readonly #source: Store;
  readonly #target: Store;
  readonly #point: PointRecord;
  readonly #request: CopyPointRequest;
  readonly #progress: CopyProgress = { ...nothingYet };

  constructor(source: Store, target: Store, point: PointRecord, request: CopyPointRequest) {
    this.#source = source;
    this.#target = target;
    this.#point = point;
    this.#request = request;
  }

  async run(base: Base | undefined): Promise<CopiedPoint> {
    const { signal, readBack = 'written' } = this.#request;
    const { pointId, itemId, createdAt, metadata, disks: sourceDisks } = this.#point;
    await using writer = await this.#target.beginPoint({
      pointId,
      itemId,
      ...(signal === undefined ? {} : { signal }),
    });
    let usedBase = false;
    const disks: { name: string; disk: DiskRoot }[] = [];
    for (const { name, disk } of sourceDisks) {
      const before = base?.disks.find((each) => each.name === name);
      const fits =
        before !== undefined &&
        before.source.chunkSizeBytes === disk.chunkSizeBytes &&
        before.target.chunkSizeBytes === this.#target.chunkSizeBytes;
      if (fits) usedBase = true;
      disks.push({ name, disk: await this.#copyDisk(writer, name, disk, fits ? before : undefined) });
    }
    const record = await writer.commit(
      { createdAt, disks, metadata, copyOf: { storeId: this.#source.storeId, disks: sourceDisks } },
      {
        readBack,
        onReadBack: (bytes) => {
          this.#progress.checkedBytes = bytes;
          this.#report();
        },
      },
    );
    return { record, base: usedBase ? base?.pointId : undefined, wasThere: false, ...this.#progress };
  }

  async #copyDisk(
    writer: PointWriter,
    name: string,
    disk: DiskRoot,
    base: Base['disks'][number] | undefined,
  ): Promise<DiskRoot> {
    const { signal, pace } = this.#request;
    const before = { ...this.#progress };
    const count = (counters: WriteProgress) => {
      for (const key of ['processedBytes', 'readBytes', 'newBytes', 'storedBytes'] as const)
        this.#progress[key] = before[key] + counters[key];
      this.#report();
    };
    using reader = this.#source.openDisk(disk);
    const written = await writer.writeDisk({
      sizeBytes: disk.sizeBytes,
      extents: this.#extents(name, disk, base?.source),
      source: {
        read: async (offset, length, readSignal, into) => {
          await pace?.(length, readSignal);
          return await this.#sourceRead(name, () => reader.read(offset, length, readSignal, into));
        },
      },
      ...(base === undefined ? {} : { base: base.target }),
      onProgress: count,
      ...(signal === undefined ? {} : { signal }),
    });
    count(written);
    return written.disk;
  }

  async *#extents(name: string, disk: DiskRoot, base: DiskRoot | undefined): AsyncGenerator<DiskExtent> {
    const { signal } = this.#request;
    const options = signal === undefined ? {} : { signal };
    const extents = this.#source.changedExtents(base, disk, options)[Symbol.asyncIterator]();
    try {
      for (;;) {
        // With a base the damage may be in the base's map alone, which a copy without it does not read.
        const next =
          base === undefined ? await this.#sourceRead(name, () => extents.next()) : await extents.next();
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await extents.return?.();
    }
  }

  async #sourceRead<T>(name: string, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (!isHoldfastError(error, 'StoreDamaged')) throw error;
      this.sourceDamage ??= new HoldfastError(
        'StoreDamaged',
        `Recovery point ${this.#point.pointId} cannot be copied: disk ${name} is damaged in the source. ${messageOf(error)}`,
        { cause: error, target: this.#point.pointId },
      );
      throw this.sourceDamage;
    }
  }

  #report(): void {
    this.#request.onProgress?.({ ...this.#progress });
  }
}
