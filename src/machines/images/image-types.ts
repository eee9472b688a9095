/** Formats this room opens. Anything else is refused, never guessed. */
export type ImageFormat = 'raw' | 'qcow2';

/** One image file (or block device) of a chain, with its format known beforehand: QEMU is never left to probe it. */
export interface ImageLayer {
  /** Absolute. */
  path: string;
  format: ImageFormat;
}

/** What an image file says about itself. Sizes in bytes. */
export interface ImageInfo {
  path: string;
  format: string;
  virtualSizeBytes: number;
  /** Space it takes on its file system now. */
  allocatedBytes: number;
  /** Undefined for formats without clusters. */
  clusterSizeBytes: number | undefined;
  extendedL2: boolean;
  lazyRefcounts: boolean;
  /** As in the header, the path made absolute; `format` is undefined where the header names none. */
  backing: { path: string; format: string | undefined } | undefined;
  /** External data file of a qcow2 image. */
  dataFile: string | undefined;
  encrypted: boolean;
  /** Not closed cleanly; with lazy refcounts QEMU repairs it when it is opened for writing. */
  dirty: boolean;
  /** QEMU has marked the image as corrupt and refuses to write to it. */
  corrupt: boolean;
  /** Names of the persistent dirty bitmaps and internal snapshots in it. */
  bitmaps: readonly string[];
  snapshots: readonly string[];
}

/** Who may open a file: the VM's QEMU has to. */
export interface FileOwner {
  uid: number;
  gid: number;
}

export interface CreateOverlayRequest {
  /** Absolute; must not exist. */
  path: string;
  backingPath: string;
  backingFormat: ImageFormat;
  /** Size the guest sees; the backing image may be in use and is not opened to ask. */
  sizeBytes: number;
  /**
   * True: 128 KiB clusters with 4 KiB subclusters, for layers that are change maps. False: plain qcow2, for overlays
   * that will be flattened by block-pull, which QEMU 7.2 does not survive on extended L2.
   */
  extendedL2: boolean;
  /** Default: the owner of the directory. */
  owner?: FileOwner;
}

export interface CheckResult {
  /** Errors in the image that can lose or mix up data. */
  corruptions: number;
  /** Clusters that are allocated and not used: wasted space, no danger. */
  leaks: number;
}
