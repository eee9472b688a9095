/** The plain data that crosses the door of the store. Sizes and offsets are in bytes, times ISO 8601 UTC. */

/** A stretch of a disk. `zero`: reads as zeros. */
export interface DiskExtent {
  offset: number;
  length: number;
  zero: boolean;
}

/** The root of a disk's map: with it and the packs, the disk can be read back. */
export interface DiskRoot {
  /** Content id of the top map page, lower-case hex; undefined for a disk of nothing but zeros. */
  root: string | undefined;
  sizeBytes: number;
  chunkSizeBytes: number;
}

/** Where a writer gets a disk's bytes from. Several reads are open at once. */
export interface DiskSource {
  /**
   * `into` is `length` bytes of shared memory. A source that can fill it returns it, and saves the store a copy; one
   * that cannot returns an array of its own, which belongs to the store afterwards. Nothing may touch `into` once the
   * promise has settled.
   */
  read(offset: number, length: number, signal?: AbortSignal, into?: Uint8Array): Promise<Uint8Array>;
}

export interface WriteDiskRequest {
  sizeBytes: number;
  /**
   * What to read, ascending and not overlapping. Without `base` everything else is zeros; with it everything else is
   * what `base` says, and parts of chunks are taken from it.
   */
  extents: AsyncIterable<DiskExtent>;
  source: DiskSource;
  base?: DiskRoot;
  onProgress?: (progress: WriteProgress) => void;
  signal?: AbortSignal;
}

/** Running totals of one disk. */
export interface WriteProgress {
  /** Bytes of extents dealt with, zeros included. */
  processedBytes: number;
  /** Bytes asked of the source. */
  readBytes: number;
  /** Bytes of new content before and after compression, map pages included. */
  newBytes: number;
  storedBytes: number;
}

export interface WrittenDisk extends WriteProgress {
  disk: DiskRoot;
}

/** One recovery point as the store records it: enough to restore the VM without any database. */
export interface PointRecord {
  /** Unique in the store; letters, digits and hyphens. */
  pointId: string;
  /** Groups the points of one protected item; letters, digits and hyphens. */
  itemId: string;
  createdAt: string;
  disks: readonly { name: string; disk: DiskRoot }[];
  /** What the caller wants back with the point (domain XML, NVRAM, consistency, names). JSON, at most 16 MiB. */
  metadata: Readonly<Record<string, unknown>>;
  /** Of a point that was copied: the store it was copied from, and what its disks are there. */
  copyOf?: PointOrigin;
}

/** Says which disks of another store a copy's disks are equal to, so that the next copy can begin from them. */
export interface PointOrigin {
  storeId: string;
  disks: PointRecord['disks'];
}

/** What is read back and checked down to the content before a point's record is written. */
export interface CommitOptions {
  /**
   * `written`: what its disks do not share with their bases. `all`: every byte of it. Default: nothing beyond what
   * packing checks.
   */
  readBack?: 'written' | 'all';
  /** Gets the bytes of content read back so far. */
  onReadBack?: (bytes: number) => void;
}

/** What is in the store, in all. */
export interface StoreStats {
  packs: number;
  /** Copies of chunks: what is in two packs counts twice. */
  chunks: number;
  /** Bytes of the packs on the medium. */
  storedBytes: number;
  /** Of these, before compression. */
  uniqueBytes: number;
  points: number;
  /** Of `packs` and `storedBytes`, what a later collection deletes. */
  condemnedPacks: number;
  condemnedBytes: number;
  /** Packs in which something is known to be damaged. */
  quarantinedPacks: number;
}

/** A place where stored bytes are not what they must be. */
export interface Damage {
  kind: 'missing' | 'corrupt';
  /** Which disk and stretch of it cannot be read; undefined where the record itself is damaged. */
  disk?: string;
  offset?: number;
  length?: number;
  chunkId?: string;
  pack?: string;
  message: string;
}

export interface CollectOptions {
  /** Finds out and returns the plan, and changes nothing. */
  dryRun?: boolean;
  /** Packs of which more than this share is not needed are written anew without it. Default 0.25; 1 is never. */
  wasteThreshold?: number;
  /** How long a pack stays condemned at least, beside waiting for a later collection. Default 24 hours. */
  minimumAgeMs?: number;
  /** Bytes of packs written anew in one collection; the rest is left for the next. Default 8 GiB. */
  repackLimitBytes?: number;
  /** Goes on although more than half of the points have gone since the last collection, or all of them. */
  force?: boolean;
  onProgress?: (progress: CollectProgress) => void;
  /** Waited for before so many bytes are read or written, or a pack deleted (0): for a rate limit. */
  pace?: (bytes: number, signal: AbortSignal | undefined) => Promise<void>;
  signal?: AbortSignal;
}

export interface CollectProgress {
  phase: 'marking' | 'removing' | 'repacking';
  /** Disks marked, packs removed, packs repacked; of so many. */
  done: number;
  total: number;
}

/**
 * `remove` now. `condemn` now, remove in a later collection. `repack`: copy what is needed, then condemn. `pardon`: it
 * was condemned and counts again. `wait`: it stays condemned. `keep` as it is.
 */
export type PackAction = 'remove' | 'condemn' | 'repack' | 'pardon' | 'wait' | 'keep';

export interface PackPlan {
  pack: string;
  sizeBytes: number;
  neededBytes: number;
  action: PackAction;
  reason: string;
}

export interface CollectPlan {
  generation: number;
  points: number;
  packs: PackPlan[];
}

export interface CollectReport {
  plan: CollectPlan;
  dryRun: boolean;
  /** Copies of chunks that are needed. */
  neededChunks: number;
  /** References to data that is in no pack: verify the points. */
  missingChunks: number;
  removedPacks: number;
  removedBytes: number;
  /** Those that were repacked included: their space comes back in a later collection. */
  condemnedPacks: number;
  condemnedBytes: number;
  repackedPacks: number;
  /** Packs found to be damaged: they were not repacked, or their copies not relied upon; they stay. */
  damagedPacks: string[];
  /** Repacking ended early for want of space. */
  ranOutOfSpace: boolean;
}
