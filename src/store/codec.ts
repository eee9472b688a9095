import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { compressWithContext, decompressWithContext } from './zstd-context.ts';

/** A frame has to save at least this share of the chunk, or the chunk is stored as it is and read without zstd. */
const worthwhileShare = 1 / 32;

/** One zstd frame that states its content size; undefined when it saves too little to be worth reading back. */
export function compressChunk(plain: Uint8Array, level: number): Buffer | undefined {
  const frame = zstdCompressSync(plain, {
    params: { [constants.ZSTD_c_compressionLevel]: level },
    // Knowing the size, zstd takes tables that fit it: twice as fast for small chunks.
    pledgedSrcSize: plain.length,
    chunkSize: compressionRoom(plain.length),
  });
  if (isWorthwhile(frame.length, plain)) return frame;
  freeNow(frame, compressionRoom(plain.length));
  return undefined;
}

/**
 * As {@link compressChunk}, the fast way: puts the frame at the beginning of `output`, which should have
 * {@link compressionRoom}, and returns its length; 0 when it saves too little.
 */
export function compressInto(plain: Uint8Array, level: number, output: Uint8Array): number {
  const length = compressWithContext(plain, level, output);
  if (length !== 'no') return length !== undefined && isWorthwhile(length, plain) ? length : 0;
  const frame = compressChunk(plain, level);
  if (frame === undefined) return 0;
  output.set(frame);
  freeNow(frame, compressionRoom(plain.length));
  return frame.length;
}

function isWorthwhile(length: number, plain: Uint8Array): boolean {
  return length <= plain.length * (1 - worthwhileShare);
}

/** What a frame may take: a chunk that does not get smaller, and zstd's headers. */
export function compressionRoom(plainLength: number): number {
  return plainLength + 1024;
}

/** Beyond the expected length, so that content that is too long shows as such. */
export function decompressionRoom(plainLength: number): number {
  return plainLength + 512;
}

/**
 * Puts the content of a frame at the beginning of `output`, which must have {@link decompressionRoom}; false when the
 * bytes are not one frame of exactly `plainLength` bytes.
 */
export function decompressInto(frame: Uint8Array, output: Uint8Array, plainLength: number): boolean {
  const length = decompressWithContext(frame, output.subarray(0, decompressionRoom(plainLength)));
  if (length !== 'no') return length === plainLength;
  const plain = decompressFrame(frame, plainLength);
  if (plain === undefined) return false;
  output.set(plain);
  freeNow(plain, decompressionRoom(plainLength));
  return true;
}

function decompressFrame(frame: Uint8Array, plainLength: number): Buffer | undefined {
  try {
    const room = decompressionRoom(plainLength);
    const plain = zstdDecompressSync(frame, { chunkSize: room, maxOutputLength: room });
    return plain.length === plainLength ? plain : undefined;
  } catch (error) {
    // zlib has one kind of failure here, and it is about the bytes; whoever asked knows which chunk they are.
    if (error instanceof RangeError || (error instanceof Error && 'errno' in error)) return undefined;
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('ZSTD_')) return undefined;
    throw error;
  }
}

/** Whether a result has its memory to itself; `room` is what was allocated for it. Small ones share a piece of Node's. */
function ownsItsMemory({ buffer }: Buffer, room: number): boolean {
  return buffer instanceof ArrayBuffer && buffer.byteLength === room && room >= Buffer.poolSize / 2;
}

/**
 * Gives the memory of a result back now. Left to the garbage collector it would come to 64 MiB a thread, and fresh memory
 * costs a page fault for every 4 KiB of it.
 */
export function freeNow(bytes: Buffer, room: number): void {
  if (bytes.buffer instanceof ArrayBuffer && ownsItsMemory(bytes, room)) bytes.buffer.transfer(0);
}
