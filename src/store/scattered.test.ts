import { closeSync, openSync, readSync } from 'node:fs';
import { constants, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { createStore, memoryBackend } from './index.ts';
import { bytesFrom, testClock, writeContent } from './testing/model-disk.ts';

const pieceBytes = 64 * 1024;
const blockBytes = 4096;
const pieces = 96;

/** Machine code: what most of an operating system's disk is. */
function machineCode(seed: number, length: number): Buffer {
  const file = openSync(process.execPath, 'r');
  try {
    const content = Buffer.alloc(length);
    readSync(file, content, 0, length, seed * 16 * 1024 * 1024);
    return content;
  } finally {
    closeSync(file);
  }
}

/** What a store of pieces compressed as `zstd -1` does would need for those that changed, and nothing around them. */
function bytesOfPieces(content: Buffer): number {
  let bytes = 0;
  for (let at = 0; at < content.length; at += pieceBytes) {
    const params = { [constants.ZSTD_c_compressionLevel]: 1 };
    bytes += zstdCompressSync(content.subarray(at, at + pieceBytes), { params }).length;
  }
  return bytes;
}

test.each([1, 2, 3])(
  'scattered writes of 4 KiB add less than pieces of 64 KiB do, maps included (%i)',
  async (seed) => {
    const backend = memoryBackend();
    await using store = await createStore(backend, { clock: testClock });
    const content = machineCode(seed, pieces * pieceBytes);
    const write = async (pointId: string, options: Parameters<typeof writeContent>[2]) => {
      await using writer = await store.beginPoint({ itemId: 'vm', pointId });
      const { disk } = await writeContent(writer, content, options);
      const disks = [{ name: 'sda', disk }];
      await writer.commit({ createdAt: '2026-11-21T06:00:00Z', disks, metadata: {} });
      return disk;
    };
    const stored = async () => {
      let bytes = 0;
      for (const prefix of ['packs/', 'index/', 'points/', 'table/'])
        for await (const { sizeBytes } of backend.list(prefix)) bytes += sizeBytes;
      return bytes;
    };

    const base = await write('full', {});
    const before = await stored();
    const places = bytesFrom(seed * 2 + 1, pieces);
    const extents = [...places].map((place, piece) => ({
      offset: piece * pieceBytes + (place % 16) * blockBytes,
      length: blockBytes,
      zero: false,
    }));
    for (const { offset } of extents) bytesFrom(offset + seed, blockBytes).copy(content, offset);
    await write('scattered', { base, extents });

    expect((await stored()) - before).toBeLessThan(0.98 * bytesOfPieces(content));
  },
);
