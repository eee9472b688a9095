import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import {
  compressChunk,
  compressionRoom,
  decompressFrames,
  decompressionRoom,
  freeNow,
  ownsItsMemory,
} from './codec.ts';
import { codecs } from './pack-format.ts';
import type { Frame } from './pack-writer.ts';
import type { Slab } from './slab.ts';

/**
 * The work on bytes, done on a slab by whichever thread has it.
 *
 * - `scan`: `count` chunks of `chunkBytes` lie side by side in `input`; each gets its content id or is found to be zeros.
 * - `pack`: the numbered ones are compressed into `output`, decompressed again and compared.
 * - `unpack`: `count` frames lie in `input` as the table says; they are checked against table and ids.
 */
export type ChunkJob =
  | { kind: 'scan'; count: number; chunkBytes: number }
  | { kind: 'pack'; numbers: readonly number[]; chunkBytes: number; level: number }
  | { kind: 'unpack'; count: number; plainBytes: number };

/** Of `unpack`: the contents in one stretch of memory that belongs to the receiver, or what is wrong. */
export interface JobResult {
  plain?: Uint8Array;
  wrong?: string;
}

/** Content id of a chunk. */
export function chunkIdOf(plain: Uint8Array): Buffer {
  return hash('sha256', plain, 'buffer');
}

/** One chunk as it is stored, tried out; for those too small to be handed to a thread. */
export function frameOf(plain: Buffer, level: number): Frame {
  const compressed = compressChunk(plain, level);
  if (compressed === undefined) return { codec: codecs.plain, bytes: plain, crc: crc32(plain) };
  verify(compressed, [plain], plain.length);
  return { codec: codecs.zstd, bytes: compressed, crc: crc32(compressed) };
}

/** Bytes a job goes over: what decides whether handing it to another thread pays. */
export function jobBytes(job: ChunkJob): number {
  if (job.kind === 'scan') return job.count * job.chunkBytes;
  if (job.kind === 'pack') return job.numbers.length * job.chunkBytes;
  return job.count * job.plainBytes;
}

export function runJob(slab: Slab, job: ChunkJob): JobResult {
  if (job.kind === 'scan') return scan(slab, job.count, job.chunkBytes);
  if (job.kind === 'pack') return pack(slab, job.numbers, job.chunkBytes, job.level);
  return unpack(slab, job.count, job.plainBytes);
}

let zeros = Buffer.alloc(64 * 1024);

function isZero(plain: Buffer): boolean {
  if (zeros.length < plain.length) zeros = Buffer.alloc(plain.length);
  return plain.compare(zeros, 0, plain.length) === 0;
}

function chunkAt(slab: Slab, number: number, chunkBytes: number): Buffer {
  return slab.input.subarray(number * chunkBytes, (number + 1) * chunkBytes);
}

function scan(slab: Slab, count: number, chunkBytes: number): JobResult {
  for (let number = 0; number < count; number++) {
    const plain = chunkAt(slab, number, chunkBytes);
    const zero = isZero(plain);
    slab.setZero(number, zero);
    if (!zero) slab.setId(number, chunkIdOf(plain));
  }
  return {};
}

function pack(slab: Slab, numbers: readonly number[], chunkBytes: number, level: number): JobResult {
  const compressed: Buffer[] = [];
  let used = 0;
  for (const number of numbers) {
    const plain = chunkAt(slab, number, chunkBytes);
    const frame = compressChunk(plain, level);
    if (frame === undefined) {
      const offset = number * chunkBytes;
      slab.setFrame(number, { codec: codecs.plain, offset, length: chunkBytes, crc: crc32(plain) });
      continue;
    }
    const { length } = frame;
    slab.output.set(frame, used);
    freeNow(frame, compressionRoom(chunkBytes));
    const crc = crc32(slab.output.subarray(used, used + length));
    slab.setFrame(number, { codec: codecs.zstd, offset: used, length, crc });
    used += length;
    compressed.push(plain);
  }
  if (compressed.length > 0) verify(slab.output.subarray(0, used), compressed, chunkBytes);
  return {};
}

/** Compressors have had bugs that only a restore would have met: look now, while the content is at hand. */
function verify(frames: Buffer, contents: readonly Buffer[], chunkBytes: number): void {
  const plain = decompressFrames(frames, contents.length * chunkBytes);
  let at = 0;
  for (const content of contents) {
    if (plain === undefined || content.compare(plain, at, at + chunkBytes) !== 0)
      throw new Error('zstd did not give back what was compressed: faulty memory or a bug in zstd');
    at += chunkBytes;
  }
  if (plain !== undefined) freeNow(plain, decompressionRoom(contents.length * chunkBytes));
}

function unpack(slab: Slab, count: number, plainBytes: number): JobResult {
  const parts: Buffer[] = [];
  for (let number = 0; number < count; ) {
    const first = slab.frame(number);
    let end = number;
    let length = 0;
    // Compressed frames that follow each other are decompressed in one call.
    for (; end < count; end++) {
      const frame = slab.frame(end);
      if (end > number && (first.codec !== codecs.zstd || frame.codec !== codecs.zstd)) break;
      const stored = slab.input.subarray(frame.offset, frame.offset + frame.length);
      if (crc32(stored) !== frame.crc) return { wrong: 'its stored bytes have changed' };
      length += frame.length;
    }
    const stored = slab.input.subarray(first.offset, first.offset + length);
    const plain =
      first.codec === codecs.zstd ? decompressFrames(stored, plainBytes * (end - number)) : stored;
    if (plain === undefined) return { wrong: 'it does not decompress to its length' };
    if (plain.length !== plainBytes * (end - number)) return { wrong: contentIsWrong };
    for (let at = 0; at < plain.length; at += plainBytes, number++)
      if (!chunkIdOf(plain.subarray(at, at + plainBytes)).equals(slab.id(number)))
        return { wrong: contentIsWrong };
    parts.push(plain);
  }
  const [only] = parts;
  if (parts.length === 1 && only !== undefined && ownsItsMemory(only, decompressionRoom(count * plainBytes)))
    return { plain: only };
  const plain = Buffer.allocUnsafeSlow(count * plainBytes);
  let at = 0;
  for (const part of parts) {
    const { length } = part;
    part.copy(plain, at);
    freeNow(part, decompressionRoom(length));
    at += length;
  }
  return { plain };
}

const contentIsWrong = 'its content is not what its id says';
