import { constants, createZstdCompress, createZstdDecompress, zstdCompressSync } from 'node:zlib';

/**
 * zstd with a context that is used again. Node's `zstdCompressSync` makes one for every call, and stream objects around
 * it: that is a sixth of the time for 64 KiB (most of it CPUID, which leaves a virtual machine each time), and all the
 * garbage. Every zstd stream of Node has a context that outlives a frame; here its handle is driven directly.
 *
 * The handle is no part of Node's documented interface. So what it does is compared with the documented calls when it is
 * first used in a thread; when anything is not as expected these functions say so, and the caller takes the documented
 * way. And as ever, frames are opened and compared before they are written, and contents hashed after they were read.
 */
interface Handle {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputLength: number,
    output: Uint8Array,
    outputAt: number,
    outputLength: number,
  ): void;
}

interface Stream {
  _handle: Handle | null;
  /** What the last call left: room in the output, bytes of the input. */
  _writeState: Uint32Array;
  on(event: 'error', listener: () => void): unknown;
  destroy(): unknown;
}

let isUsable: boolean | undefined;
const compressors = new Map<number, Stream>();
let decompressor: Stream | undefined;

/**
 * Puts one frame with `input` at the beginning of `output` and returns its length; undefined when it did not fit. Room
 * for 1 KiB more than the input is always enough. `no` where contexts cannot be used.
 */
export function compressWithContext(
  input: Uint8Array,
  level: number,
  output: Uint8Array,
): number | undefined | 'no' {
  if (!canUseContexts()) return 'no';
  let stream = compressors.get(level);
  if (stream === undefined) {
    stream = streamOf(createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: level } }));
    compressors.set(level, stream);
  }
  const left = drive(stream, input, output);
  if (left !== undefined && left > 0) return output.length - left;
  compressors.delete(level); // it is in the middle of a frame
  stream.destroy();
  return undefined;
}

/**
 * Puts the content of one frame at the beginning of `output` and returns its length; undefined when these bytes are not
 * exactly one sound frame, or its content leaves no room in `output`. `no` where contexts cannot be used.
 */
export function decompressWithContext(frame: Uint8Array, output: Uint8Array): number | undefined | 'no' {
  if (!canUseContexts()) return 'no';
  decompressor ??= streamOf(createZstdDecompress());
  const left = drive(decompressor, frame, output);
  if (left !== undefined && left > 0) return output.length - left;
  decompressor.destroy();
  decompressor = undefined;
  return undefined;
}

/** The room that is left in the output once all of the input has been taken; undefined: it has not. */
function drive(stream: Stream, input: Uint8Array, output: Uint8Array): number | undefined {
  const { _handle: handle, _writeState: state } = stream;
  if (handle === null) return undefined;
  // Neither value can come of a call that has failed, which leaves them as they are.
  state[0] = 0;
  state[1] = 1;
  handle.writeSync(constants.ZSTD_e_end, input, 0, input.length, output, 0, output.length);
  return state[1] === 0 ? state[0] : undefined;
}

function streamOf(made: object): Stream {
  const stream = made as Stream;
  stream.on('error', () => {}); // it shows in the state
  return stream;
}

function canUseContexts(): boolean {
  if (isUsable === undefined) {
    isUsable = true; // for the trial
    try {
      isUsable = [1, 3].every((level) => isAsDocumented(level));
    } catch {
      isUsable = false;
    }
  }
  return isUsable;
}

/** Two different frames, one after the other, through the same contexts; then bytes that are no frame. */
function isAsDocumented(level: number): boolean {
  const room = new Uint8Array(8192);
  for (const seed of [7, 31]) {
    const content = Uint8Array.from({ length: 4096 }, (_, at) => ((at * seed) % 251) & (at >> 4));
    const documented = zstdCompressSync(content, {
      params: { [constants.ZSTD_c_compressionLevel]: level },
      pledgedSrcSize: content.length,
    });
    const length = compressWithContext(content, level, room);
    if (typeof length !== 'number' || documented.compare(room, 0, length) !== 0) return false;
    if (decompressWithContext(documented, room) !== content.length) return false;
    if (Buffer.compare(content, room.subarray(0, content.length)) !== 0) return false;
  }
  return decompressWithContext(room.subarray(0, 100), new Uint8Array(200)) === undefined;
}
