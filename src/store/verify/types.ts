/** Plain data of verification and repair. Sizes and offsets are in bytes, times ISO 8601 UTC. */

/** Where a pass over the store has come to. Keep it, and hand it in again to go on after a stop or a crash. */
export interface VerifyCursor {
  /** When the pass began. */
  startedAt: string;
  /** Packs are checked in the order of their ids; this one and those before it have been. */
  afterPack?: string;
}

/** What `verify` and `repair` take alike. */
export interface UpkeepOptions {
  /** Waited for before so many bytes are read: for a rate limit. */
  pace?: (bytes: number, signal: AbortSignal | undefined) => Promise<void>;
  signal?: AbortSignal;
}

export interface VerifyOptions extends UpkeepOptions {
  /** Of an earlier call that did not end. */
  cursor?: VerifyCursor;
  onProgress?: (progress: VerifyProgress) => void;
}

export interface VerifyProgress {
  /** Packs are read whole; then the maps of the points say what damage touches. */
  phase: 'packs' | 'points';
  /** Bytes of packs, or points; of so many in this call. */
  done: number;
  total: number;
  /** What is before it is durably known, also where it is damaged. */
  cursor: VerifyCursor;
  damagedPacks: number;
}

/** A pack with something wrong in it. */
export interface PackDamage {
  pack: string;
  kind: 'missing' | 'corrupt';
  /** Frames that cannot be read; undefined where that is not known. */
  frames?: number;
  message: string;
}

/** An object that is no pack and not what it must be. */
export interface ObjectDamage {
  name: string;
  kind: 'missing' | 'corrupt';
  message: string;
  /** `point`: a recovery point cannot be restored. `store`: it will not open again. `none`: no data hangs on it. */
  harm: 'point' | 'store' | 'none';
}

/** Stretches of a stored disk that cannot be read, ascending. */
export interface DiskGaps {
  name: string;
  /** The first thousand at most. */
  gaps: { offset: number; length: number }[];
  /** Of all of them. */
  gapCount: number;
  gapBytes: number;
  /** What is wrong with the first. */
  reason: string;
}

/** A recovery point that cannot be restored in full. */
export interface PointDamage {
  itemId: string;
  pointId: string;
  createdAt: string;
  /** Those with gaps. */
  disks: DiskGaps[];
}

export interface VerifyReport {
  startedAt: string;
  /** Checked by this call; with a cursor, others were by earlier ones. */
  packs: number;
  bytes: number;
  points: number;
  /** Bytes of data that the points refer to, each point counted for itself; before deduplication and compression. */
  referencedBytes: number;
  /** Every pack that is known to be damaged, whenever it was found. */
  damagedPacks: PackDamage[];
  damagedObjects: ObjectDamage[];
  damagedPoints: PointDamage[];
}

/** What {@link Store.heal} did. */
export interface HealReport {
  /** Chunks stored anew, map pages included. */
  healedChunks: number;
  healedBytes: number;
  /** What is still lost: the source had other content there, or could not be read. */
  lost: { offset: number; length: number }[];
}

export interface RepairOptions extends UpkeepOptions {
  /** Only finds out what there is to do, which is the default. */
  dryRun?: boolean;
}

/**
 * `rewrite`: an object that is known word for word is written again. `rebuild`: a cache is made anew. `salvage`: what can
 * be read of a pack is copied into new ones. `heal`: it was taken from another store (no step of a store by itself).
 * `lost`: nothing can be done here; what a backup writes anew, or another store, may heal it.
 */
export type RepairAction = 'rewrite' | 'rebuild' | 'salvage' | 'heal' | 'lost';

export interface RepairStep {
  action: RepairAction;
  /** Name of an object, or of the point that has lost something. */
  target: string;
  reason: string;
}

export interface RepairReport {
  dryRun: boolean;
  steps: RepairStep[];
  /** Steps that could not be carried out, and why; they are tried again by the next repair. */
  failed: { target: string; message: string }[];
  /** Points that cannot be restored in full, after the repair. */
  damagedPoints: PointDamage[];
  salvagedChunks: number;
}
