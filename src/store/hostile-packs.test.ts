import { constants, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isHoldfastError } from '../errors/index.ts';
import { setEntry } from './disk-map.ts';
import { createStore, memoryBackend, openStore } from './index.ts';
import { type HostileChunk, idOf, packOf, recordOf } from './testing/hostile-packs.ts';
import { backUp, bytesFrom, readAll, restore, testChunkBytes, testClock } from './testing/model-disk.ts';
import { fuzzRuns } from './testing/mutations.ts';
import type { DiskRoot } from './types.ts';

const options = { clock: testClock, chunkSizeBytes: testChunkBytes, threads: 0 };
const good = bytesFrom(2, 3 * testChunkBytes);

/** A store with a sound point `good`, a pack of someone else's making and a point `evil` that leads into it. */
async function storeWith(chunks: readonly HostileChunk[], disk: DiskRoot) {
  const backend = memoryBackend();
  const store = await createStore(backend, options);
  await backUp(store, 'good', good);
  await store[Symbol.asyncDispose]();
  for (const { name, bytes } of [packOf(chunks), recordOf('evil', disk)]) backend.objects.set(name, bytes);
  return await openStore(backend, options);
}

function pageOf(ids: readonly Buffer[]): Buffer {
  const page = Buffer.alloc(8192);
  for (const [slot, id] of ids.entries()) setEntry(page, slot, id);
  return page;
}

/** A disk of one chunk, whose map is sound and whose data is `chunk`. */
function diskOf(chunk: HostileChunk): { chunks: HostileChunk[]; disk: DiskRoot } {
  const page = pageOf([Buffer.from(chunk.claims.id)]);
  const map = { frame: page, claims: { id: idOf(page), kind: 2 as const } };
  const disk = {
    root: idOf(page).toString('hex'),
    sizeBytes: testChunkBytes,
    chunkSizeBytes: testChunkBytes,
  };
  return { chunks: [chunk, map], disk };
}

const zstd = (plain: Buffer, params: Record<number, number> = {}) => zstdCompressSync(plain, { params });
const content = bytesFrom(4, testChunkBytes);
const stored = zstd(content);
const claims = { id: idOf(content), codec: 1 as const, plainLength: testChunkBytes };
/** 1 GiB of zeros in 32 KiB: many frames side by side, which the decoder takes for one content. */
const bombs = Buffer.concat(Array.from({ length: 64 }, () => zstd(Buffer.alloc(16 * 1024 * 1024))));

describe('a chunk whose entry or frame lies', () => {
  const cases: Record<string, HostileChunk> = {
    'is one of which much more comes than it says': { frame: bombs, claims },
    'is one frame of which much more comes': { frame: zstd(Buffer.alloc(256 * 1024 * 1024)), claims },
    'is followed by a second frame': { frame: Buffer.concat([stored, zstd(Buffer.alloc(1000))]), claims },
    'claims to be stored in 4 GiB': { frame: stored, claims: { ...claims, storedLength: 0xffff_ffff } },
    'claims to be stored in more than it holds': {
      frame: Buffer.alloc(64 * 1024 * 1024),
      claims: { ...claims, codec: 0 },
    },
    'claims to lie beyond the pack': { frame: stored, claims: { ...claims, offset: 2 ** 40 } },
    'claims to lie beyond all numbers': { frame: stored, claims: { ...claims, offset: 2 ** 53 - 1 } },
    'claims to be empty': { frame: Buffer.alloc(0), claims: { ...claims, plainLength: 0 } },
    'claims 4 GiB of content': { frame: stored, claims: { ...claims, plainLength: 0xffff_ffff } },
    'is stored in nothing': { frame: Buffer.alloc(0), claims },
    'wants a window of 1 GiB': {
      frame: zstd(content, {
        [constants.ZSTD_c_windowLog]: 30,
        [constants.ZSTD_c_enableLongDistanceMatching]: 1,
      }),
      claims: { ...claims, id: idOf(bytesFrom(6, testChunkBytes)) },
    },
  };

  test.each(Object.entries(cases))('that %s is damage, found in little memory and time', async (_, chunk) => {
    const { chunks, disk } = diskOf(chunk);
    const store = await storeWith(chunks, disk);
    const before = process.memoryUsage();
    const started = performance.now();
    expect(await store.verifyPoint('vm', 'evil', {})).toEqual([
      expect.objectContaining({ disk: 'sda', offset: 0, length: testChunkBytes }),
    ]);
    await expect(readAll(store, disk)).rejects.toMatchObject({ code: 'StoreDamaged' });
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(32 * 1024 * 1024);
    expect(after.rss - before.rss).toBeLessThan(128 * 1024 * 1024);
    expect(performance.now() - started).toBeLessThan(5000);
    expect((await restore(store, 'good')).equals(good)).toBe(true);
    // A writer that meets the content is not taken in either.
    await backUp(store, 'new', content);
    expect((await restore(store, 'new')).equals(content)).toBe(true);
    await store[Symbol.asyncDispose]();
  });

  test('and is really another frame of the same content is as good as any', async () => {
    const frame = zstd(content, { [constants.ZSTD_c_compressionLevel]: 12 });
    const { chunks, disk } = diskOf({ frame, claims });
    const store = await storeWith(chunks, disk);
    expect((await readAll(store, disk)).equals(content)).toBe(true);
    await store[Symbol.asyncDispose]();
  });
});

test('entries of any sort never make a wrong byte or anything but reported damage', async () => {
  const number32 = fc.oneof(
    fc.constantFrom(0, 1, 16, 64, 8192, testChunkBytes, stored.length, 0x7fff_ffff, 0xffff_ffff),
    fc.nat(0xffff_ffff),
  );
  const claim = fc.record(
    {
      codec: fc.constantFrom(0 as const, 1 as const),
      kind: fc.constantFrom(1 as const, 2 as const),
      offset: fc.oneof(number32, fc.maxSafeNat()),
      storedLength: number32,
      plainLength: number32,
      crc: number32,
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(claim, { minLength: 1, maxLength: 3 }), async (lies) => {
      const { disk, chunks } = diskOf({ frame: stored, claims });
      const [, map] = chunks;
      if (map === undefined) throw new Error('a disk has a map');
      const copies = lies.map((lie) => ({ frame: stored, claims: { ...claims, ...lie } }));
      const store = await storeWith([...copies, map], disk);
      const damage = await store.verifyPoint('vm', 'evil', {});
      if (damage.length === 0) expect((await readAll(store, disk)).equals(content)).toBe(true);
      else await expect(readAll(store, disk)).rejects.toMatchObject({ code: 'StoreDamaged' });
      await store.collect({ wasteThreshold: 0, minimumAgeMs: 0 }).catch((error: unknown) => {
        if (!isHoldfastError(error, 'StoreDamaged')) throw error;
      });
      expect((await restore(store, 'good')).equals(good)).toBe(true);
      await store[Symbol.asyncDispose]();
    }),
    fuzzRuns(150),
  );
});

describe('a map that lies', () => {
  const data: HostileChunk = { frame: stored, claims };
  const disk = (root: Buffer, sizeBytes: number) => ({
    root: root.toString('hex'),
    sizeBytes,
    chunkSizeBytes: testChunkBytes,
  });
  const mapOf = (page: Buffer): HostileChunk => ({ frame: page, claims: { id: idOf(page), kind: 2 } });

  test('about its height is damage where data should be a page, and pages where data should be', async () => {
    const leaf = pageOf([idOf(content)]);
    const top = pageOf([idOf(leaf)]);
    const chunks = [data, mapOf(leaf), mapOf(top)];
    for (const evil of [
      disk(idOf(leaf), 300 * testChunkBytes), // too low: data is taken for a page
      disk(idOf(top), 2 * testChunkBytes), // too high: a page is taken for data
      disk(idOf(content), testChunkBytes), // no page at all
    ]) {
      const store = await storeWith(chunks, evil);
      expect((await store.verifyPoint('vm', 'evil', {})).length).toBeGreaterThan(0);
      await expect(readAll(store, evil)).rejects.toMatchObject({
        code: 'StoreDamaged',
      });
      expect((await restore(store, 'good')).equals(good)).toBe(true);
      await store[Symbol.asyncDispose]();
    }
  });

  test('with entries beyond the end of the disk gives not a byte more than the disk has', async () => {
    const page = pageOf(Array.from({ length: 256 }, () => idOf(content)));
    const evil = disk(idOf(page), 3 * testChunkBytes - 5);
    const store = await storeWith([data, mapOf(page)], evil);
    expect(await store.verifyPoint('vm', 'evil', {})).toEqual([]);
    const expected = Buffer.concat([content, content, content]).subarray(0, evil.sizeBytes);
    expect((await readAll(store, evil)).equals(expected)).toBe(true);
    await store[Symbol.asyncDispose]();
  });

  test('a map of any pages is walked to its end, and is whole or damaged', async () => {
    const ids = (count: number) => fc.array(fc.nat(count), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(ids(12), { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 0, max: 70_000 }),
        async (layout, chunkCount) => {
          const chunks: HostileChunk[] = [data];
          const known = [Buffer.alloc(32), idOf(content), Buffer.alloc(32, 9)];
          for (const slots of layout) {
            const page = pageOf(slots.map((slot) => known[slot % known.length] ?? Buffer.alloc(32)));
            chunks.push(mapOf(page));
            known.push(idOf(page));
          }
          const evil = disk(known.at(-1) ?? Buffer.alloc(32), chunkCount * testChunkBytes);
          const store = await storeWith(chunks, evil);
          const damage = await store.verifyPoint('vm', 'evil', {});
          for (const { offset = -1, length = -1 } of damage) {
            expect(offset).toBeGreaterThanOrEqual(0);
            expect(offset + length).toBeLessThanOrEqual(evil.sizeBytes);
          }
          using reader = store.openDisk(evil);
          const walk = async () => {
            let bytes = 0;
            for await (const piece of reader.stream()) bytes += piece.data.length;
            return bytes;
          };
          if (damage.length === 0) expect(await walk()).toBeLessThanOrEqual(evil.sizeBytes);
          else await expect(walk()).rejects.toMatchObject({ code: 'StoreDamaged' });
          await store[Symbol.asyncDispose]();
        },
      ),
      fuzzRuns(100),
    );
  });
});
