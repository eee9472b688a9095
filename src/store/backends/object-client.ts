/**
 * The seam under the object-storage backends: what one service (S3, Azure Blob) must offer, one request at a time.
 * Whatever is the same for all of them (time limits, repetition, cutting into parts, the lease, names and prefixes,
 * error codes) is above it, in `object-store.ts`; so a client never repeats a request, and never waits.
 */

/** Why a request failed. Only `transient` ones are repeated. */
export type FailureKind =
  /** Throttled, 5xx, connection lost, answer cut short or garbled. */
  | 'transient'
  /** The credentials are not accepted, or not for this. */
  | 'denied'
  /** Quota or space. */
  | 'full'
  /** The bucket or container is not there. */
  | 'noPlace'
  /** Anything else the service will not do. */
  | 'refused';

/** A request that failed. The message is fit for people and free of secrets; the client's own error is not kept. */
export class ObjectFailure extends Error {
  override readonly name = 'ObjectFailure';
  readonly kind: FailureKind;
  /** What the user should do, where the client knows. */
  readonly advice: string | undefined;

  constructor(kind: FailureKind, message: string, advice?: string) {
    super(message);
    this.kind = kind;
    this.advice = advice;
  }
}

/** An object as listings and stats show it; `mark` changes with every put (an entity tag). */
export interface StoredObject {
  key: string;
  sizeBytes: number;
  mark: string;
}

export interface ListPage {
  objects: StoredObject[];
  /** Where the next page begins; undefined after the last. */
  next: string | undefined;
}

export interface ByteRange {
  offset: number;
  /** At least 1. */
  length: number;
  into?: Buffer;
}

/** An object that is being sent in parts. Nothing of it is seen before `complete`. */
export interface Upload {
  /** Parts count from 0, come in any order and at once, and may be sent again. */
  putPart(number: number, body: Buffer, signal: AbortSignal): Promise<void>;
  /** False: the service does not know this upload (any more). It may have been completed by a request whose answer got lost. */
  complete(parts: number, signal: AbortSignal): Promise<boolean>;
  abort(signal: AbortSignal): Promise<void>;
}

/** Who has the place, as seen from outside: `mark` changes whenever the holder renews. */
export interface HolderSeen {
  mark: string;
  ttlMs: number;
}

export interface HeldLease {
  /** How long it lasts after a renewal, as others count. */
  ttlMs: number;
  /** False: it is somebody else's now. */
  renew(signal: AbortSignal): Promise<boolean>;
  release(signal: AbortSignal): Promise<void>;
}

/** How a service keeps a second holder out. */
export interface LeaseService {
  /** Undefined when nobody has it. */
  look(signal: AbortSignal): Promise<HolderSeen | undefined>;
  /** `expired`: the holder that was seen, and whose time is over. Undefined: another was faster. */
  take(expired: HolderSeen | undefined, signal: AbortSignal): Promise<HeldLease | undefined>;
}

/** All requests take a signal, by which they are also given up when they last too long. Keys are whole: prefix included. */
export interface ObjectClient {
  /** For messages: where it is, no secrets. */
  readonly description: string;
  placeExists(signal: AbortSignal): Promise<boolean>;
  /** A sum of the body goes with it. `ifAbsent`: false when there is an object of that name already. */
  put(key: string, body: Buffer, options: { ifAbsent?: boolean }, signal: AbortSignal): Promise<boolean>;
  /** With a range: fewer bytes where the object ends. Undefined: no such object. Never more, never fewer than there are. */
  get(key: string, range: ByteRange | undefined, signal: AbortSignal): Promise<Buffer | undefined>;
  stat(key: string, signal: AbortSignal): Promise<StoredObject | undefined>;
  listPage(prefix: string, after: string | undefined, signal: AbortSignal): Promise<ListPage>;
  delete(key: string, signal: AbortSignal): Promise<void>;
  beginUpload(key: string, signal: AbortSignal): Promise<Upload>;
  /** Ends the uploads under a prefix that were begun and never completed, of those keys that are ours to judge. */
  sweepUploads(prefix: string, isOurs: (key: string) => boolean, signal: AbortSignal): Promise<void>;
  /** Whether a put whose sum does not match its body is refused; `key` is for trying it. */
  refusesWrongSum(key: string, signal: AbortSignal): Promise<boolean>;
  /** Whether a deletion can really be forbidden for a time; `key` is for trying it. */
  keepsLocked(key: string, signal: AbortSignal): Promise<boolean>;
  /** `conditional`: whether `ifAbsent` is honoured. `key`: of the object that stands for the lease, or its prefix. */
  leases(key: string, conditional: () => Promise<boolean>): LeaseService;
}

/** Asked right before a request that changes something leaves; throws when this process must not change anything. */
export type WriteGate = (method: string) => void;
