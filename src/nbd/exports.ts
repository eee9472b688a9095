/** What a server offers: a disk that can be read and does not change. Offsets and lengths are bytes inside it. */
export interface NbdExport {
  sizeBytes: number;
  /** What reads are best aligned to; a power of two. Default 64 KiB. */
  preferredBlock?: number;
  /** The content, whole. Whatever it throws is an I/O error to the client and goes to the server's `onError`. */
  read(offset: number, length: number, signal: AbortSignal): Promise<Uint8Array>;
  /**
   * Where the export may hold anything but zeros, of the range asked for: ascending, apart from each other, all inside
   * the range. Without it, that is everywhere.
   */
  allocated?(offset: number, length: number, signal: AbortSignal): Promise<readonly Stretch[]>;
}

/** Bytes from `offset` on. */
export interface Stretch {
  offset: number;
  length: number;
}
