import { randomBytes } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { compressWithContext, decompressWithContext } from './zstd-context.ts';

const kib = 1024;

function text(bytes: number, seed: number): Buffer {
  const line = `line ${seed} of something that compresses well, but not to nothing at all\n`;
  const whole = Buffer.alloc(bytes, line);
  randomBytes(bytes >> 4).copy(whole, bytes >> 1);
  return whole;
}

function documented(content: Buffer, level: number): Buffer {
  return zstdCompressSync(content, {
    params: { [constants.ZSTD_c_compressionLevel]: level },
    pledgedSrcSize: content.length,
  });
}

describe('contexts that are used again', () => {
  test('make the frames that the documented calls make, whatever came before', () => {
    const room = new Uint8Array(300 * kib);
    for (let round = 0; round < 3; round++) {
      for (const level of [1, 3, 9]) {
        for (const size of [1, 8 * kib, 64 * kib, 256 * kib, 64 * kib + 1]) {
          const content = round === 1 ? randomBytes(size) : text(size, round * size);
          const length = compressWithContext(content, level, room);
          // Not `no`: a Node on which this is no longer possible is to be noticed here, not by its slowness.
          expect(typeof length).toBe('number');
          const frame = Buffer.from(room.subarray(0, Number(length)));
          expect(frame.equals(documented(content, level))).toBe(true);
          expect(zstdDecompressSync(frame).equals(content)).toBe(true);
          const output = new Uint8Array(size + 512);
          expect(decompressWithContext(frame, output)).toBe(size);
          expect(content.equals(output.subarray(0, size))).toBe(true);
        }
      }
    }
  });

  test('say so when a frame does not fit, and go on with the next', () => {
    const content = randomBytes(64 * kib);
    expect(compressWithContext(content, 1, new Uint8Array(60 * kib))).toBeUndefined();
    const room = new Uint8Array(65 * kib);
    const length = Number(compressWithContext(content, 1, room));
    expect(documented(content, 1).equals(room.subarray(0, length))).toBe(true);
  });

  test('take nothing but one whole and sound frame, and go on with the next', () => {
    const content = text(64 * kib, 5);
    const frame = documented(content, 1);
    const output = new Uint8Array(64 * kib + 512);
    const isSound = () => {
      expect(decompressWithContext(frame, output)).toBe(content.length);
      expect(content.equals(output.subarray(0, content.length))).toBe(true);
    };
    isSound();
    for (const wrong of [
      frame.subarray(0, frame.length - 1),
      frame.subarray(0, 10),
      frame.subarray(1),
      Buffer.concat([frame, frame]),
      Buffer.concat([frame, Buffer.from('more')]),
      randomBytes(1000),
      documented(text(128 * kib, 6), 1),
    ]) {
      expect(decompressWithContext(wrong, output)).not.toBe(content.length);
      isSound();
    }
    expect(decompressWithContext(frame, new Uint8Array(content.length))).toBeUndefined(); // no room beyond
    isSound();
  });
});
