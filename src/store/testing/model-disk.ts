import type { PointWriter, Store } from '../store.ts';
import type { DiskExtent, DiskRoot, DiskSource, WrittenDisk } from '../types.ts';

/** 16 KiB: the smallest allowed, so that small disks have many chunks. */
export const testChunkBytes = 16 * 1024;

export const testClock = { now: () => Temporal.Instant.from('2026-11-21T06:00:00Z') };

/** Reproducible bytes; compressible for an even seed, noise for an odd one. */
export function bytesFrom(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = (seed * 2654435761 + 12345) >>> 0 || 1;
  for (let at = 0; at < length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = seed % 2 === 0 ? 97 + ((state >>> 8) & 3) : state & 0xff;
  }
  return bytes;
}

/** A source over memory that notes every read. */
export function sourceOf(content: Buffer): DiskSource & { reads: { offset: number; length: number }[] } {
  const reads: { offset: number; length: number }[] = [];
  return {
    reads,
    async read(offset, length) {
      reads.push({ offset, length });
      return Buffer.from(content.subarray(offset, offset + length));
    },
  };
}

export async function* extentsOf(extents: readonly DiskExtent[]): AsyncGenerator<DiskExtent> {
  yield* extents;
}

/** Writes the whole of `content`, or with `extents` only these. */
export async function writeContent(
  writer: PointWriter,
  content: Buffer,
  options: { base?: DiskRoot; extents?: readonly DiskExtent[] } = {},
): Promise<WrittenDisk> {
  const all = content.length === 0 ? [] : [{ offset: 0, length: content.length, zero: false }];
  return await writer.writeDisk({
    sizeBytes: content.length,
    extents: extentsOf(options.extents ?? all),
    source: sourceOf(content),
    ...(options.base === undefined ? {} : { base: options.base }),
  });
}

/** A committed point with one disk, `sda`, of this content. */
export async function backUp(
  store: Store,
  pointId: string,
  content: Buffer,
  options: { base?: DiskRoot; extents?: readonly DiskExtent[] } = {},
): Promise<WrittenDisk> {
  await using writer = await store.beginPoint({ itemId: 'vm', pointId });
  const written = await writeContent(writer, content, options);
  const disks = [{ name: 'sda', disk: written.disk }];
  await writer.commit({ createdAt: '2026-11-21T06:00:00Z', disks, metadata: { pointId } });
  return written;
}

/** The first disk of a point, read as a restore reads it. */
export async function restore(store: Store, pointId: string): Promise<Buffer> {
  const record = await store.readPoint('vm', pointId);
  const [first] = record.disks;
  if (first === undefined) throw new Error('the point has no disk');
  return await readAll(store, first.disk);
}

export async function readAll(store: Store, disk: DiskRoot): Promise<Buffer> {
  const content = Buffer.alloc(disk.sizeBytes);
  let reached = 0;
  using reader = store.openDisk(disk);
  for await (const { offset, data } of reader.stream()) {
    if (offset < reached || offset + data.length > disk.sizeBytes) throw new Error('a stream out of order');
    reached = offset + data.length;
    content.set(data, offset);
  }
  const copied = Buffer.alloc(disk.sizeBytes);
  await reader.copyTo(async (offset, data) => {
    copied.set(data, offset);
    data.fill(0xee); // it is only lent: nobody may look at it again
  });
  if (!copied.equals(content)) throw new Error('a copy is not what the stream says');
  return content;
}
