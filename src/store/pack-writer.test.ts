import { hash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import type { Backend } from './backend.ts';
import { memoryBackend } from './backends/memory.ts';
import { ChunkIndex } from './chunk-index.ts';
import { CondemnedPacks } from './condemned-packs.ts';
import type { IndexSection } from './index-segment.ts';
import { packName } from './layout.ts';
import { chunkKinds, codecs, trailerEntries } from './pack-format.ts';
import { PackMemory, packPieceBytes } from './pack-memory.ts';
import { PackTable } from './pack-table.ts';
import { PackTrailers } from './pack-trailers.ts';
import { PackWriter, packTargetBytes } from './pack-writer.ts';
import { Quarantine } from './verify/quarantine.ts';

const mib = 1024 * 1024;

/** Memory of one piece: tight as soon as anybody has any. */
function setUp(backend: Backend = memoryBackend()) {
  const packs = new PackTable();
  const index = new ChunkIndex(packs, new PackTrailers(backend, packs), new Quarantine(backend));
  const memory = new PackMemory(packPieceBytes);
  const written: IndexSection[] = [];
  const condemned = new CondemnedPacks(index, packs);
  const sink = {
    backend,
    index,
    packs,
    memory,
    condemned,
    onPack: (pack: IndexSection) => written.push(pack),
  };
  return { sink, memory, written, writer: () => new PackWriter(sink, packTargetBytes, () => {}) };
}

async function append(writer: PackWriter, bytes: Buffer): Promise<void> {
  const id = hash('sha256', bytes, 'buffer');
  await writer.append(id, chunkKinds.data, { codec: codecs.plain, bytes, crc: crc32(bytes) }, bytes.length);
}

async function framesIn(backend: Backend, written: readonly IndexSection[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (const { packId, trailer } of written) {
    const pack = (await backend.get(packName(packId))) ?? Buffer.alloc(0);
    for (const { id, offset, storedLength } of trailerEntries(trailer)) {
      const digest = hash('sha256', pack.subarray(offset, offset + storedLength));
      expect(digest).toBe(Buffer.from(id).toString('hex'));
      found.add(digest);
    }
  }
  return found;
}

test('frames that lie across pieces of memory are written as they are', async () => {
  const { sink, written, writer } = setUp();
  const frames = Array.from({ length: 9 }, (_, number) => randomBytes(3 * mib + number));
  const one = writer();
  for (const frame of frames) await append(one, frame);
  await one.flush();
  expect(await framesIn(sink.backend, written)).toEqual(
    new Set(frames.map((frame) => hash('sha256', frame))),
  );
});

test('where memory is tight a writer makes smaller packs and waits for no other', async () => {
  const { sink, memory, written, writer } = setUp();
  const idle = writer();
  await append(idle, randomBytes(mib)); // holds all there is, and goes no further
  const busy = writer();
  for (let count = 0; count < 20; count++) await append(busy, randomBytes(mib));
  await busy.flush();
  expect(await framesIn(sink.backend, written)).toHaveLength(20);
  expect(Math.max(...written.map(({ packBytes }) => packBytes))).toBeLessThan(9 * mib);
  await idle.discard();
  expect(memory.isTight).toBe(false);
});

test('all memory comes back when a pack cannot be written', async () => {
  const backend = memoryBackend();
  const full = new Error('no more');
  const failing: Backend = {
    ...backend,
    async put(_, parts) {
      for await (const _ of parts) throw full; // after the first part
    },
  };
  const { memory, writer } = setUp(failing);
  const one = writer();
  for (let count = 0; count < 6; count++) await append(one, randomBytes(mib));
  await expect(one.flush()).rejects.toBe(full);
  await expect(append(one, randomBytes(mib))).rejects.toBe(full);
  await one.discard();
  expect(memory.isTight).toBe(false);
});
