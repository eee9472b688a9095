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

/** Lines full of numbers, of which the denser level makes more than the usual one. */
function logLines(seed: number, length: number): Buffer {
  const numbers = bytesFrom(seed, length).toString('hex');
  const lines: string[] = [];
  for (let at = 0; lines.length * 90 < length; at += 40)
    lines.push(
      `2026-11-21T06:${String(at % 60).padStart(2, '0')}:00Z vm nginx[1234]: GET /api/v1/items/${numbers.slice(at, at + 40)}\n`,
    );
  return Buffer.from(lines.join('').padEnd(length), 'latin1').subarray(0, length);
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

/** Of the lines the denser level saves nothing, and there the map is 2 % more. */
const disks = [
  { content: 'machine code', make: machineCode, seed: 1, most: 0.96 },
  { content: 'machine code', make: machineCode, seed: 2, most: 0.96 },
  { content: 'machine code', make: machineCode, seed: 3, most: 0.96 },
  { content: 'lines of numbers', make: logLines, seed: 1, most: 1.03 },
];

test.each(disks)(
  'scattered writes of 4 KiB add what pieces of 64 KiB do, but for the map ($content, $seed)',
  async ({ make, seed, most }) => {
    const backend = memoryBackend();
    await using store = await createStore(backend, { clock: testClock });
    const content = make(seed, pieces * pieceBytes);
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

    expect((await stored()) - before).toBeLessThan(most * bytesOfPieces(content));
  },
);
