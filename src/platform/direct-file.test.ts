import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { alignedMemory, DirectReader, DirectWriter, directRoom, readDirect } from './direct-file.ts';

const mib = 2 ** 20;

/** A pattern that differs at every place that a mistake could take for another. */
function pattern(bytes: number, memory: SharedArrayBuffer | ArrayBuffer = new ArrayBuffer(bytes)): Buffer {
  const buffer = Buffer.from(memory, 0, bytes);
  for (let at = 0; at + 4 <= bytes; at += 4) buffer.writeUInt32LE(at * 7 + 1, at);
  return buffer;
}

describe('files past the page cache', () => {
  let directory = '';
  beforeAll(() => {
    // Not the directory for temporary files: in memory there is nothing to pass by.
    directory = mkdtempSync('/var/tmp/holdfast-direct-');
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  async function written(name: string, writes: readonly { data: Uint8Array; position: number }[]) {
    const path = join(directory, name);
    await using file = await open(path, 'wx');
    await using writer = new DirectWriter(file);
    await Promise.all(writes.map(({ data, position }) => writer.write(data, position)));
    await file.sync();
    return path;
  }

  test.each([
    ['aligned memory, whole blocks', mib, true, 0],
    ['aligned memory, an odd end', mib + 4321, true, 0],
    ['aligned memory, an odd place', mib, true, 513],
    ['any memory', 3 * mib + 1, false, 0],
    ['little', 100, true, 0],
  ])('hold what was written: %s', async (name, length, isAligned, position) => {
    const data = pattern(length, isAligned ? alignedMemory(length) : undefined);
    const content = readFileSync(await written(name, [{ data, position }]));
    expect(content.length).toBe(position + length);
    expect(content.subarray(position).equals(data)).toBe(true);
  });

  test('take direct and cached writes side by side', async () => {
    const data = pattern(4 * mib, alignedMemory(4 * mib));
    const cuts = [0, mib, mib + 4096 + 5, 2 * mib, 3 * mib + 1, 4 * mib];
    const writes = cuts
      .slice(1)
      .map((end, number) => ({ data: data.subarray(cuts[number], end), position: cuts[number] ?? 0 }));
    expect(readFileSync(await written('mixed', writes)).equals(data)).toBe(true);
  });

  test('are read at any place, shorter at their end, and wholly or not at all', async () => {
    const content = pattern(2 * mib + 777);
    const path = join(directory, 'read');
    writeFileSync(path, content);
    const length = 512 * 1024;
    const into = Buffer.from(alignedMemory(directRoom(length)));
    for (const offset of [0, 4096, 5, mib + 4095, content.length - length, content.length - 10, 3 * mib]) {
      const data = await readDirect(path, { offset, length, into });
      expect(data?.equals(content.subarray(offset, offset + length)), `at ${offset}`).toBe(true);
      expect(data?.buffer).toBe(into.buffer);
    }
    const anywhere = Buffer.alloc(directRoom(length));
    expect(await readDirect(path, { offset: 0, length, into: anywhere })).toBeUndefined();
    expect(await readDirect(path, { offset: 5, length, into: into.subarray(0, length) })).toBeUndefined();
    expect(await readDirect(path, { offset: 0, length: 100, into })).toBeUndefined();
    expect(await readDirect(join(directory, 'none'), { offset: 0, length, into })).toBeUndefined();
  });

  test('are read through one handle at any place into any memory, several at once', async () => {
    const content = pattern(3 * mib + 777);
    const path = join(directory, 'handle');
    writeFileSync(path, content);
    await using file = await open(path);
    await using reader = new DirectReader(file);
    const places = [
      0,
      4096,
      5,
      mib + 4095,
      content.length - mib,
      content.length - 10,
      content.length,
      4 * mib,
    ];
    await Promise.all(
      places.flatMap((position) =>
        [alignedMemory(mib), new ArrayBuffer(mib), alignedMemory(100)].map(async (memory) => {
          const into = Buffer.from(memory, 0, memory.byteLength);
          const filled = await reader.read(into, position);
          const expected = content.subarray(position, position + into.length);
          expect([position, filled, into.subarray(0, filled).equals(expected)]).toEqual([
            position,
            expected.length,
            true,
          ]);
        }),
      ),
    );
  });

  test('are ordinary files where there is no direct access', async () => {
    const path = '/dev/null'; // takes everything, and refuses to be opened so
    await using file = await open(path, 'w');
    await using writer = new DirectWriter(file);
    await writer.write(pattern(mib, alignedMemory(mib)), 0);
    const into = Buffer.from(alignedMemory(directRoom(mib)));
    expect((await readDirect(path, { offset: 0, length: mib, into }))?.length ?? 0).toBe(0);
    await using zeros = await open('/dev/zero', 'r');
    await using reader = new DirectReader(zeros);
    expect(await reader.read(into.subarray(0, mib).fill(1), 0)).toBe(mib);
    expect(into.subarray(0, mib).equals(Buffer.alloc(mib))).toBe(true);
  });
});
