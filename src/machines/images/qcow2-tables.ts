import type { FileHandle } from 'node:fs/promises';

/**
 * Where a qcow2 image has its content, read from its own tables (QEMU, docs/interop/qcow2.txt). Only what is certain is
 * told: content that lies in the file as it is. Whatever else there is in an image (compressed or encrypted clusters,
 * zeros without content, features this code does not know, entries that make no sense) is `other`, and is for QEMU to read.
 *
 * The tables are looked at once and remembered: the image must not be changed meanwhile.
 */
export type Place =
  | { kind: 'data'; at: number; length: number }
  /** The image has nothing there: what is below it counts. */
  | { kind: 'below'; length: number }
  | { kind: 'other'; length: number };

const magic = 0x5146_49fb; // 'QFI\xfb'
const headerBytes = 104;
const incompatible = { dirty: 1, extendedL2: 16 };
const mostL1Bytes = 32 * 1024 * 1024; // QEMU's own limit
/** Of a table of the second level, read and kept together. */
const sliceBytes = 4096;
/** Of all images and disks that are open, each: 1 MiB. */
const mostSlices = 256;

interface Geometry {
  sizeBytes: number;
  clusterBytes: number;
  extended: boolean;
  /** 1 without subclusters. */
  subclusters: number;
}

export class Qcow2Tables {
  readonly #file: FileHandle;
  readonly #geometry: Geometry;
  readonly #l1: Buffer;
  /** By their place in the file, those used last at the end. */
  readonly #slices = new Map<number, Promise<Buffer>>();

  private constructor(file: FileHandle, geometry: Geometry, l1: Buffer) {
    this.#file = file;
    this.#geometry = geometry;
    this.#l1 = l1;
  }

  /** Undefined for an image that only QEMU is to read. */
  static async read(file: FileHandle): Promise<Qcow2Tables | undefined> {
    const header = await readExactly(file, 0, headerBytes);
    if (header === undefined || header.readUInt32BE(0) !== magic) return undefined;
    const version = header.readUInt32BE(4);
    const features = version === 3 ? header.readBigUInt64BE(72) : 0n;
    const extended = (features & BigInt(incompatible.extendedL2)) !== 0n;
    const isKnown = (features & ~BigInt(incompatible.extendedL2 | incompatible.dirty)) === 0n;
    const isEncrypted = header.readUInt32BE(32) !== 0;
    const clusterBits = header.readUInt32BE(20);
    const isPlain = (version === 2 || version === 3) && isKnown && !isEncrypted;
    if (!isPlain || clusterBits < (extended ? 14 : 9) || clusterBits > 21) return undefined;
    const l1Bytes = header.readUInt32BE(36) * 8;
    const sizeBytes = Number(header.readBigUInt64BE(24));
    if (l1Bytes > mostL1Bytes || !Number.isSafeInteger(sizeBytes)) return undefined;
    const l1 = await readExactly(file, Number(header.readBigUInt64BE(40)), l1Bytes);
    if (l1 === undefined) return undefined;
    const geometry = { sizeBytes, clusterBytes: 2 ** clusterBits, extended, subclusters: extended ? 32 : 1 };
    return new Qcow2Tables(file, geometry, l1);
  }

  /** What there is at `offset`: at most `length` bytes of one kind, and of content that lies together in the file. */
  async find(offset: number, length: number): Promise<Place> {
    const { sizeBytes, clusterBytes, extended, subclusters } = this.#geometry;
    if (offset >= sizeBytes) return { kind: 'other', length };
    const limit = Math.min(length, sizeBytes - offset);
    const entryBytes = extended ? 16 : 8;
    const clustersPerTable = clusterBytes / entryBytes;
    const cluster = Math.floor(offset / clusterBytes);
    const inTable = cluster % clustersPerTable;
    const l1At = Math.floor(cluster / clustersPerTable) * 8;
    if (l1At + 8 > this.#l1.length) return { kind: 'other', length: limit };
    const table = offsetIn(this.#l1, l1At);
    if (table === 0) {
      const end = (cluster - inTable + clustersPerTable) * clusterBytes;
      return { kind: 'below', length: Math.min(limit, end - offset) };
    }
    if (table % clusterBytes !== 0) return { kind: 'other', length: limit };
    const inTableBytes = inTable * entryBytes;
    const inSlice = inTableBytes % sliceBytes;
    const wanted = Math.min(sliceBytes, clusterBytes);
    const slice = await this.#slice(table + inTableBytes - inSlice, wanted);
    if (slice === undefined) return { kind: 'other', length: limit };
    const grain = clusterBytes / subclusters;
    const first = Math.floor(offset / grain);
    const entriesLeft = (slice.length - inSlice) / entryBytes;
    const end = Math.min(offset + limit, (cluster + entriesLeft) * clusterBytes);
    const from = this.#at(slice, inSlice, first % subclusters);
    let next = first + 1;
    for (; next * grain < end; next++) {
      const entry = inSlice + (Math.floor(next / subclusters) - cluster) * entryBytes;
      const here = this.#at(slice, entry, next % subclusters);
      if (here !== (from < 0 ? from : from + (next - first) * grain)) break;
    }
    const found = Math.min(end, next * grain) - offset;
    if (from < 0) return { kind: from === nothing ? 'below' : 'other', length: found };
    return { kind: 'data', at: from + (offset % grain), length: found };
  }

  /** Where a subcluster's content begins in the file; negative: {@link nothing} or {@link special}. */
  #at(slice: Buffer, entry: number, subcluster: number): number {
    const { clusterBytes, extended, subclusters } = this.#geometry;
    const high = slice.readUInt32BE(entry);
    const low = slice.readUInt32BE(entry + 4);
    const at = offsetIn(slice, entry);
    // Bit 62: compressed. The other bits but the offset, 63 (copied), and 0 (zeros) have to be none.
    if ((high & 0x7f00_0000) !== 0 || (low & 0x1ff) !== 0 || at % clusterBytes !== 0) return special;
    if (!extended) return at === 0 ? nothing : at;
    const zero = (slice.readUInt32BE(entry + 8) >>> subcluster) & 1;
    const data = (slice.readUInt32BE(entry + 12) >>> subcluster) & 1;
    if (zero === 1 || (data === 1 && at === 0)) return special;
    return data === 1 ? at + subcluster * (clusterBytes / subclusters) : nothing;
  }

  async #slice(at: number, length: number): Promise<Buffer | undefined> {
    let slice = this.#slices.get(at);
    if (slice === undefined) {
      const oldest = this.#slices.size < mostSlices ? undefined : this.#slices.keys().next().value;
      if (oldest !== undefined) this.#slices.delete(oldest);
      slice = readExactly(this.#file, at, length).then((bytes) => bytes ?? Buffer.alloc(0));
      slice.catch(() => this.#slices.delete(at)); // whoever waits for it hears of it
    } else this.#slices.delete(at);
    this.#slices.set(at, slice);
    const bytes = await slice;
    return bytes.length === length ? bytes : undefined;
  }
}

const nothing = -1;
const special = -2;

/** Bits 9 to 55 of an entry. */
function offsetIn(table: Buffer, at: number): number {
  return (
    (table.readUInt32BE(at) & 0x00ff_ffff) * 2 ** 32 + ((table.readUInt32BE(at + 4) & 0xffff_fe00) >>> 0)
  );
}

/** Undefined where the file ends before. */
async function readExactly(file: FileHandle, at: number, length: number): Promise<Buffer | undefined> {
  const bytes = Buffer.alloc(length);
  for (let filled = 0; filled < length; ) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, at + filled);
    if (bytesRead === 0) return undefined;
    filled += bytesRead;
  }
  return bytes;
}
