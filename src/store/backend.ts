/** What differs between backends, as data: code asks these, never which backend it has. */
export interface BackendCapabilities {
  /** Writing over an existing name replaces it in one step: a reader sees the old or the new object, whole. */
  atomicReplace: boolean;
  /** A put can be made to fail when the name exists, decided by the backend itself. */
  conditionalPut: boolean;
  /** The backend can refuse the deletion of an object for a time. */
  objectLock: boolean;
  /** A put whose bytes were changed on the way is refused: a sum goes with them and is compared at the other end. */
  contentCheck: boolean;
}

/** The right to change what is in a place; given back when disposed. */
export interface StoreLock extends AsyncDisposable {
  /**
   * Aborted when the lock is no longer ours, with StoreLockLost as the reason. From a moment before that, and while
   * nobody else can have the lock yet, every call of the backend fails with the same, for good: whoever wants the place
   * again makes a new backend. A lock in a directory is held by the kernel; it
   * is lost only when somebody removes its file, and that is noticed before the next change.
   */
  readonly lost: AbortSignal;
}

/** For locks that cannot be lost. */
export const neverLost: AbortSignal = new AbortController().signal;

export interface ObjectInfo {
  name: string;
  sizeBytes: number;
}

export interface ObjectRange {
  offset: number;
  length: number;
  into?: Buffer;
  signal?: AbortSignal | undefined;
}

/**
 * Where the store keeps its objects. An object is a name and bytes; it is written whole, once, and read in ranges.
 *
 * Names are 1 to 4 segments joined by `/`; a segment is letters, digits, `-`, `_` and `.`, begins with a letter or
 * digit, and has at most 200 characters. The first segment is never `tmp` or `lock`.
 *
 * Guarantees every backend gives:
 * - Durability: when `put` or `delete` resolves, its effect survives a power cut.
 * - Atomicity: an object is never seen in part, whatever interrupts a `put`; a `put` that rejects leaves the name as it
 *   was, or (when the failure came after the last byte was safe) the new object whole. It leaves nothing else behind.
 * - Read after write: what `put` made durable is seen by every later `get`, `stat` and `list`.
 * - Honest absence: `undefined` means that the object does not exist; any failure to find out is thrown.
 *
 * Failures of the medium are thrown as `StoreFull` (no space, no quota), `StoreAccessDenied` (credentials, rights),
 * `StoreLockLost` (see {@link StoreLock}) or `StoreUnavailable` (everything else), with the failure underneath as the
 * cause. Nothing that is thrown has a secret in it.
 */
export interface Backend {
  /** For messages: the directory, the bucket. */
  readonly description: string;
  /** Tried out the first time it is asked, by writing and deleting objects of its own; remembered afterwards. */
  capabilities(): Promise<BackendCapabilities>;
  /** Whether there is a place at all (the directory exists). Says nothing about a store in it. */
  exists(): Promise<boolean>;
  /**
   * Keeps every other process, and every other holder in this one, from using the place; undefined when it is held.
   * Makes the place if `create` says so (a directory; a bucket or container has to be there: StoreNotFound). What
   * interrupted puts left behind is removed once the lock is held. Where a lock is a lease, the answer may take as long
   * as a lease lasts: only its holder's silence tells that the holder is gone.
   */
  lock(options: { create: boolean }): Promise<StoreLock | undefined>;
  /** Writes an object, whole. The parts are written one after the other; memory use does not depend on their number. */
  put(name: string, parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void>;
  /**
   * The bytes of a range (default: all), fewer where the object ends; undefined when there is no such object. A backend
   * may put them into `into` (at least `length` bytes, possibly of shared memory) and return a view of that, from anywhere
   * in it; it may use all of it, and once the promise has settled, it does not touch it any more.
   */
  get(name: string, range?: ObjectRange): Promise<Buffer | undefined>;
  stat(name: string): Promise<ObjectInfo | undefined>;
  /** Every object whose name begins with `prefix`, which ends in `/`; in no order. Fails rather than leave some out. */
  list(prefix: string): AsyncIterable<ObjectInfo>;
  /** Removes an object; one that does not exist is no error. Needs no free space. */
  delete(name: string): Promise<void>;
}

const segmentPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;

/** Throws a plain error for a name outside the rules above: it would be a bug, or an attempt to leave the place. */
export function checkObjectName(name: string): void {
  const segments = name.split('/');
  const reserved = segments[0] === 'tmp' || segments[0] === 'lock';
  if (reserved || segments.length > 4 || !segments.every((segment) => segmentPattern.test(segment)))
    throw new Error(`not an object name: ${name}`);
}

/** As {@link checkObjectName}, for the prefix of a listing. */
export function checkPrefix(prefix: string): void {
  if (!prefix.endsWith('/')) throw new Error(`not a prefix: ${prefix}`);
  checkObjectName(prefix.slice(0, -1));
}
