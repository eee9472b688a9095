import { createHmac, hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import {
  compressChunk,
  compressInto,
  compressionRoom,
  decompressInto,
  decompressionRoom,
  freeNow,
} from './codec.ts';
import { sealFrame, unsealFrame } from './keys/frame-seal.ts';
import type { ContentKeys } from './keys/store-keys.ts';
import { type Codec, codecs, isSealed } from './pack-format.ts';
import type { Frame } from './pack-writer.ts';
import type { Slab } from './slab.ts';

/**
 * The work on bytes, done on a slab by whichever thread has it.
 *
 * - `scan`: `count` chunks of `chunkBytes` lie side by side in `input`; each gets its content id or is found to be zeros.
 *   With `packing`, those that are not zeros are packed on the way, whether anybody needs it or not.
 * - `pack`: the numbered ones, which have their ids, are compressed and sealed into `output`; to `tryOut` is to open what
 *   came of it and compare.
 * - `unpack`: `count` frames lie in `input` as the table says; they are checked against table and ids. Sealed ones are
 *   opened where they lie.
 *
 * With keys the store is an encrypted one: ids are keyed, and frames are sealed, all of them.
 */
export type ChunkJob =
  | { kind: 'scan'; count: number; chunkBytes: number; packing?: Packing | undefined }
  | { kind: 'pack'; numbers: readonly number[]; chunkBytes: number; packing: Packing }
  | { kind: 'unpack'; count: number; plainBytes: number; to: UnpackTarget };

/** How chunks become frames: see `OpenOptions`. */
export interface Packing {
  compressionLevel: number;
  /** Taken for chunks that it promises to make smaller, as far as a sample of each tells. */
  denserLevel?: number | undefined;
  tryOut: boolean;
}

type ScanJob = Extract<ChunkJob, { kind: 'scan' }>;
type PackJob = Extract<ChunkJob, { kind: 'pack' }>;
type UnpackJob = Extract<ChunkJob, { kind: 'unpack' }>;

/** Where contents go that have been found sound: the slab's `output`, memory of the caller's, or they were only checked. */
export type UnpackTarget = 'output' | 'caller' | 'nowhere';

/** Of `unpack`: what is wrong; or, where it is `to` the caller, the contents in one stretch of memory of its own. */
export interface JobResult {
  plain?: Uint8Array;
  wrong?: string;
}

/** Content id of a chunk. */
export function chunkIdOf(plain: Uint8Array, keys: ContentKeys | undefined): Buffer {
  if (keys === undefined) return hash('sha256', plain, 'buffer');
  return createHmac('sha256', keys.idKey).update(plain).digest();
}

/** One chunk as it is stored, tried out; for those too small to be handed to a thread. */
export function frameOf(plain: Buffer, id: Uint8Array, level: number, keys: ContentKeys | undefined): Frame {
  const compressed = compressChunk(plain, level);
  if (compressed !== undefined) tryOut(compressed, plain);
  const codec = compressed === undefined ? codecs.plain : codecs.zstd;
  const content = compressed ?? plain;
  if (keys === undefined) return { codec, bytes: content, crc: crc32(content) };
  const sealed = sealFrame(keys, { id, codec, content, plainLength: plain.length });
  const bytes = Buffer.concat(sealed.parts);
  verifySeal(keys, { id, codec: sealed.codec, bytes, plainLength: plain.length }, content);
  return { codec: sealed.codec, bytes, crc: crc32(bytes) };
}

/** Bytes a job goes over: what decides whether handing it to another thread pays. */
export function jobBytes(job: ChunkJob): number {
  if (job.kind === 'scan') return job.count * job.chunkBytes;
  if (job.kind === 'pack') return job.numbers.length * job.chunkBytes;
  return job.count * job.plainBytes;
}

export function runJob(slab: Slab, job: ChunkJob, keys: ContentKeys | undefined): JobResult {
  if (job.kind === 'scan') return scan(slab, job, keys);
  if (job.kind === 'pack') return pack(slab, job, keys);
  return open(slab, job.count, job.plainBytes, keys) ?? unpack(slab, job, keys);
}

let zeros = Buffer.alloc(64 * 1024);

function isZero(plain: Buffer): boolean {
  if (zeros.length < plain.length) zeros = Buffer.alloc(plain.length);
  return plain.compare(zeros, 0, plain.length) === 0;
}

function chunkAt(slab: Slab, number: number, chunkBytes: number): Buffer {
  return slab.input.subarray(number * chunkBytes, (number + 1) * chunkBytes);
}

function scan(slab: Slab, job: ScanJob, keys: ContentKeys | undefined): JobResult {
  const { count, chunkBytes, packing } = job;
  let used = 0;
  for (let number = 0; number < count; number++) {
    const plain = chunkAt(slab, number, chunkBytes);
    const zero = isZero(plain);
    slab.setZero(number, zero);
    if (zero) continue;
    slab.setId(number, chunkIdOf(plain, keys));
    if (packing !== undefined) used = packOne(slab, number, used, { chunkBytes, packing, keys });
  }
  return {};
}

function pack(
  slab: Slab,
  { numbers, chunkBytes, packing }: PackJob,
  keys: ContentKeys | undefined,
): JobResult {
  let used = 0;
  for (const number of numbers) used = packOne(slab, number, used, { chunkBytes, packing, keys });
  return {};
}

interface PackOptions {
  chunkBytes: number;
  packing: Packing;
  keys: ContentKeys | undefined;
}

/** Packs one chunk into `output` from `used` on; returns how far that is used then. */
function packOne(slab: Slab, number: number, used: number, options: PackOptions): number {
  const { chunkBytes, packing, keys } = options;
  if (keys !== undefined) return packSealed(slab, number, used, { ...options, keys });
  const plain = chunkAt(slab, number, chunkBytes);
  const length = compressInto(plain, levelFor(plain, packing), slab.output.subarray(used));
  if (length === 0) {
    const offset = number * chunkBytes;
    slab.setFrame(number, { codec: codecs.plain, offset, length: chunkBytes, crc: crc32(plain) });
    return used;
  }
  const frame = slab.output.subarray(used, used + length);
  if (packing.tryOut) tryOut(frame, plain);
  slab.setFrame(number, { codec: codecs.zstd, offset: used, length, crc: crc32(frame) });
  return used + length;
}

const sampleBytes = 4096;
/** What the denser level has to save of the sample. */
const denserShare = 1 / 50;

/**
 * More effort is not always less space: of lines full of numbers level 6 makes up to a sixth more than level 1, in six
 * times the time. A sample of 4 KiB tells nearly always, for a tenth of what the denser level takes.
 */
function levelFor(plain: Buffer, { compressionLevel, denserLevel }: Packing): number {
  if (denserLevel === undefined) return compressionLevel;
  const from = Math.max(0, (plain.length - sampleBytes) >> 1);
  const sample = plain.subarray(from, from + sampleBytes);
  const room = scratch.content(compressionRoom(sample.length));
  const lengthAt = (level: number) => compressInto(sample, level, room) || sample.length;
  const usual = lengthAt(compressionLevel);
  const isDenser = usual < sample.length && lengthAt(denserLevel) < usual * (1 - denserShare);
  return isDenser ? denserLevel : compressionLevel;
}

/** As {@link packOne}; everything goes to `output`, and what the seals give back is what is tried out. */
function packSealed(
  slab: Slab,
  number: number,
  start: number,
  { chunkBytes, packing, keys }: PackOptions & { keys: ContentKeys },
): number {
  const room = scratch.frame(compressionRoom(chunkBytes));
  const plain = chunkAt(slab, number, chunkBytes);
  const length = compressInto(plain, levelFor(plain, packing), room);
  const id = slab.id(number);
  const content = length === 0 ? plain : room.subarray(0, length);
  const what = { id, codec: length === 0 ? codecs.plain : codecs.zstd, plainLength: chunkBytes };
  const { codec, parts } = sealFrame(keys, { ...what, content });
  let used = start;
  for (const part of parts) {
    slab.output.set(part, used);
    used += part.length;
    freeNow(part, part.length);
  }
  const bytes = slab.output.subarray(start, used);
  slab.setFrame(number, { codec, offset: start, length: bytes.length, crc: crc32(bytes) });
  if (!packing.tryOut) return used;
  const again = verifySeal(keys, { id, codec, bytes, plainLength: chunkBytes }, content);
  if (length > 0) tryOut(again, plain);
  freeNow(again, again.length);
  return used;
}

/** Memory of this thread that nobody else looks at, and nobody after the job: in the processor's cache all the time. */
class Scratch {
  #frame = Buffer.alloc(0);
  #content = Buffer.alloc(0);

  frame(bytes: number): Buffer {
    if (this.#frame.length < bytes) this.#frame = Buffer.allocUnsafeSlow(bytes);
    return this.#frame;
  }

  content(bytes: number): Buffer {
    if (this.#content.length < bytes) this.#content = Buffer.allocUnsafeSlow(bytes);
    return this.#content;
  }
}

const scratch = new Scratch();

/** What the sealed bytes hold, which must be the content: a frame that cannot be opened would be found by a restore. */
function verifySeal(
  keys: ContentKeys,
  frame: { id: Uint8Array; codec: Codec; bytes: Uint8Array; plainLength: number },
  content: Uint8Array,
): Buffer {
  const again = unsealFrame(keys, frame);
  if (again === undefined || again.compare(content) !== 0)
    throw new Error('a seal did not give back what was sealed: faulty memory or a bug in the cipher');
  return again;
}

/** Compressors have had bugs that only a restore would have met: look now, while the content is at hand. */
function tryOut(frame: Uint8Array, plain: Buffer): void {
  const again = scratch.content(decompressionRoom(plain.length));
  if (!decompressInto(frame, again, plain.length) || plain.compare(again, 0, plain.length) !== 0)
    throw new Error('zstd did not give back what was compressed: faulty memory or a bug in zstd');
}

/** Checks the stored bytes of all frames and opens the sealed ones in place; what is wrong, if anything is. */
function open(
  slab: Slab,
  count: number,
  plainBytes: number,
  keys: ContentKeys | undefined,
): JobResult | undefined {
  let at = 0;
  for (let number = 0; number < count; number++) {
    const { codec, offset, length, crc } = slab.frame(number);
    const bytes = slab.input.subarray(offset, offset + length);
    if (crc32(bytes) !== crc) return { wrong: 'its stored bytes have changed' };
    if (isSealed(codec) !== (keys !== undefined))
      return { wrong: keys === undefined ? 'it is sealed, and the store is not' : 'it is not sealed' };
    if (keys === undefined) continue;
    const opened = unsealFrame(keys, { id: slab.id(number), codec, bytes, plainLength: plainBytes });
    if (opened === undefined) return { wrong: 'its seal is broken' };
    // Never over bytes that are still to be opened: what is opened is shorter.
    slab.input.set(opened, at);
    const openCodec = codec === codecs.sealedZstd ? codecs.zstd : codecs.plain;
    slab.setFrame(number, { codec: openCodec, offset: at, length: opened.length, crc });
    at += opened.length;
    freeNow(opened, opened.length);
  }
  return undefined;
}

/** The contents of frames that are open. */
function unpack(slab: Slab, { count, plainBytes, to }: UnpackJob, keys: ContentKeys | undefined): JobResult {
  const into = targetOf(slab, to, count * plainBytes);
  for (let number = 0; number < count; number++) {
    const { codec, offset, length } = slab.frame(number);
    const stored = slab.input.subarray(offset, offset + length);
    const room = into?.subarray(number * plainBytes) ?? scratch.content(decompressionRoom(plainBytes));
    if (codec === codecs.zstd) {
      if (!decompressInto(stored, room, plainBytes)) return { wrong: 'it does not decompress to its length' };
    } else {
      if (length !== plainBytes) return { wrong: contentIsWrong };
      room.set(stored);
    }
    if (!chunkIdOf(room.subarray(0, plainBytes), keys).equals(slab.id(number)))
      return { wrong: contentIsWrong };
  }
  return to === 'caller' && into !== undefined ? { plain: into.subarray(0, count * plainBytes) } : {};
}

/** With the room that decompression asks for. */
function targetOf(slab: Slab, to: UnpackTarget, bytes: number): Buffer | undefined {
  if (to === 'nowhere') return undefined;
  return to === 'output' ? slab.output : Buffer.allocUnsafeSlow(decompressionRoom(bytes));
}

const contentIsWrong = 'its content is not what its id says';
