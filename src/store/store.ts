import type { KeyRing } from './keys/key-ring.ts';
import type {
  CollectOptions,
  CollectReport,
  CommitOptions,
  Damage,
  DiskExtent,
  DiskRoot,
  DiskSource,
  PointRecord,
  StoreStats,
  WriteDiskRequest,
  WrittenDisk,
} from './types.ts';
import type {
  HealReport,
  RepairOptions,
  RepairReport,
  UpkeepOptions,
  VerifyOptions,
  VerifyReport,
} from './verify/types.ts';

/**
 * One store: where a vault keeps its recovery points.
 *
 * Durability: when `commit` resolves, the point is on stable storage whole, and a process that only has the store can
 * restore it. Before that, nothing of it is visible. Any number of writers and readers may be open at once.
 */
export interface Store extends AsyncDisposable {
  readonly storeId: string;
  /** Who can open it; undefined when it is not encrypted. */
  readonly keys: KeyRing | undefined;
  /** Of disks that are written now; those that are there may have another. */
  readonly chunkSizeBytes: number;
  /**
   * Aborted when the right to change the store has been lost, with StoreLockLost as the reason: a lease that could not
   * be renewed in time. Writers and collections end with it, everything fails from then on, and the store is to be
   * disposed and opened anew. A store in a directory loses it only if somebody removes its file `lock`.
   */
  readonly lost: AbortSignal;
  /** Begins a recovery point. Dispose it: without `commit` everything it wrote is garbage for a later collection. */
  beginPoint(options: { pointId: string; itemId: string; signal?: AbortSignal }): Promise<PointWriter>;
  /** Ascending by item, then time. A record that cannot be read is reported, not skipped silently. */
  listPoints(): Promise<{ points: PointRecord[]; damaged: Damage[] }>;
  /** @throws RecoveryPointNotInStore @throws StoreDamaged */
  readPoint(itemId: string, pointId: string): Promise<PointRecord>;
  /** Dispose the reader: until then collections keep what it reads, even when the point is deleted. */
  openDisk(disk: DiskRoot): DiskReader;
  /**
   * Where a disk is not what `base` says, judged by their maps: whole chunks, ascending, joined. What they have in common
   * costs nothing. `zero` stretches may have been zeros before. Without `base`: whatever is not zeros. A `base` of another
   * chunk size is a plain error.
   * @throws StoreDamaged
   */
  changedExtents(
    base: DiskRoot | undefined,
    disk: DiskRoot,
    options?: { signal?: AbortSignal },
  ): AsyncIterable<DiskExtent>;
  /** Removes the record, durably. What only it referred to becomes garbage. */
  deletePoint(itemId: string, pointId: string): Promise<void>;
  /** Reads every byte of a point and reports what is wrong. `onProgress` gets the bytes of content checked so far. */
  verifyPoint(
    itemId: string,
    pointId: string,
    options: { onProgress?: (bytes: number) => void; signal?: AbortSignal },
  ): Promise<Damage[]>;
  /**
   * Checks everything in the store, down to the contents, and says which points, disks and stretches cannot be read.
   * What is damaged is put into the quarantine, so that the next backup that meets the content stores it anew. Runs
   * beside everything else; it can be stopped, or die, at any instant, and go on from the cursor it reported last.
   * @throws StoreUnavailable
   */
  verify(options?: VerifyOptions): Promise<VerifyReport>;
  /**
   * Finds out what can be mended of what is known to be damaged (verify first) and, with `dryRun: false`, mends it. It
   * never deletes a point. What is lost is named; a backup that meets the content again, or {@link heal}, brings it back.
   * @throws StoreUnavailable @throws StoreFull
   */
  repair(options?: RepairOptions): Promise<RepairReport>;
  /**
   * Stores anew what cannot be read of a disk, from a source with the same content: the same point in another store, for
   * example. Only damaged stretches are read. Content that is not what its id says changes nothing.
   */
  heal(disk: DiskRoot, source: DiskSource, options?: UpkeepOptions): Promise<HealReport>;
  stats(): Promise<StoreStats>;
  /**
   * Gives back the space of what no point needs, in two steps: a pack is condemned by one collection and deleted by a
   * later one. Runs beside everything else; a second one waits for the first. It can be stopped, or die, at any
   * instant, and the next goes on.
   * @throws CollectionRefused when too many points have gone since the last one @throws StoreDamaged when it cannot be
   * known what is needed @throws StoreUnavailable @throws StoreFull when there is no room for a mark. Then nothing has
   * been removed by it.
   */
  collect(options?: CollectOptions): Promise<CollectReport>;
}

export interface PointWriter extends AsyncDisposable {
  /** Disks may be written side by side. @throws StoreFull @throws StoreUnavailable */
  writeDisk(request: WriteDiskRequest): Promise<WrittenDisk>;
  /**
   * Makes data, then index, then the record durable. The writer is finished afterwards.
   * @throws StoreDamaged when what was asked to be read back is not what was written; then there is no record
   */
  commit(record: Omit<PointRecord, 'pointId' | 'itemId'>, options?: CommitOptions): Promise<PointRecord>;
}

/** Reads a stored disk. Every byte it returns has been checked against its content id. */
export interface DiskReader extends Disposable {
  readonly sizeBytes: number;
  /** Stretches that hold data, ascending, a multiple of the chunk size long except at the end of the disk. */
  extents(signal?: AbortSignal, onGap?: OnGap): AsyncIterable<{ offset: number; length: number }>;
  /** Stretches that hold data, of a range of the disk: ascending, cut to it, joined. @throws StoreDamaged */
  extentsWithin(offset: number, length: number): Promise<{ offset: number; length: number }[]>;
  /** `into`: memory to read into, of at least `length` bytes; the answer is then a view of it. @throws StoreDamaged naming the disk range */
  read(offset: number, length: number, signal?: AbortSignal, into?: Uint8Array): Promise<Uint8Array>;
  /**
   * The whole disk's data chunks, in order, fetched ahead. Zero stretches are left out, and so are those that cannot be
   * read if `onGap` is there to be told of them; otherwise they are StoreDamaged.
   */
  stream(options?: {
    signal?: AbortSignal;
    onGap?: OnGap;
  }): AsyncIterable<{ offset: number; data: Uint8Array }>;
  /**
   * As `stream`, the fast way: every stretch is handed to `write`, up to two at once and not in order. `data` is lent:
   * it is used again as soon as the promise has settled. It begins at a page, as direct writes ask for. `write` must not
   * wait for anything that reads from this store.
   * @throws StoreDamaged naming the disk range, unless `onGap` is there to be told of it; by then other stretches may have been written
   */
  copyTo(
    write: (offset: number, data: Uint8Array) => Promise<void>,
    options?: { signal?: AbortSignal; onGap?: OnGap },
  ): Promise<void>;
}

/** A stretch of a disk that cannot be read, and why. */
export type OnGap = (gap: { offset: number; length: number; reason: string }) => void;
