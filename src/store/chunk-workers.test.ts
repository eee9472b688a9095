import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { run } from '../platform/index.ts';
import { type ChunkJob, chunkIdOf, runJob, type UnpackTarget } from './chunk-jobs.ts';
import { ChunkWorkers } from './chunk-workers.ts';
import { decompressionRoom } from './codec.ts';
import { createStore, memoryBackend } from './index.ts';
import { codecs } from './pack-format.ts';
import { Slab, SlabPool } from './slab.ts';
import { backUp, bytesFrom, extentsOf, restore, testChunkBytes, testClock } from './testing/model-disk.ts';

const kib = 1024;
const options = { threads: 2, bytesBeforeThreads: 0 };
const packing = { compressionLevel: 1, tryOut: true };

/** Zeros, text, noise and text again. */
function filledSlab(chunkBytes: number): Slab {
  const slab = Slab.allocate(4 * chunkBytes, 4 * chunkBytes);
  for (const [number, seed] of [2, 3, 4].entries())
    bytesFrom(seed, chunkBytes).copy(slab.input, (number + 1) * chunkBytes);
  return slab;
}

function scanOf(chunkBytes: number): ChunkJob {
  return { kind: 'scan', count: 4, chunkBytes };
}

function packOf(chunkBytes: number): ChunkJob {
  return { kind: 'pack', numbers: [1, 2, 3], chunkBytes, packing };
}

/** What `pack` made of the slab, laid out to be read: as in a pack. */
function unpackable(packed: Slab): Slab {
  const slab = Slab.allocate(packed.input.length, decompressionRoom((packed.input.length / 4) * 3));
  let at = 0;
  for (const [to, from] of [1, 2, 3].entries()) {
    const frame = packed.frame(from);
    const source = frame.codec === codecs.zstd ? packed.output : packed.input;
    source.copy(slab.input, at, frame.offset, frame.offset + frame.length);
    slab.setFrame(to, { ...frame, offset: at });
    slab.setId(to, packed.id(from));
    at += frame.length;
  }
  return slab;
}

describe('work on chunks', () => {
  test.each([16 * kib, 64 * kib, 256 * kib, 4096 * kib])(
    'comes back from a thread as from the calling one, with chunks of %i bytes',
    async (chunkBytes) => {
      await using workers = new ChunkWorkers(options);
      const here = filledSlab(chunkBytes);
      const there = filledSlab(chunkBytes);
      for (const job of [scanOf(chunkBytes), packOf(chunkBytes)]) {
        runJob(here, job, undefined);
        await workers.run(there, job);
      }
      expect(workers.threads).toBeGreaterThan(0);
      expect([0, 1, 2, 3].map((number) => there.isZero(number))).toEqual([true, false, false, false]);
      for (const number of [1, 2, 3]) {
        const plain = there.input.subarray(number * chunkBytes, (number + 1) * chunkBytes);
        expect(there.id(number).equals(chunkIdOf(plain, undefined))).toBe(true);
        expect(there.frame(number)).toEqual(here.frame(number));
      }
      expect(there.frame(1).codec).toBe(codecs.zstd);
      expect(there.frame(2).codec).toBe(codecs.plain);
      const unpack = (to: UnpackTarget): ChunkJob => ({
        kind: 'unpack',
        count: 3,
        plainBytes: chunkBytes,
        to,
      });
      const plain = there.input.subarray(chunkBytes);
      for (const result of [
        await workers.run(unpackable(there), unpack('caller')),
        runJob(unpackable(there), unpack('caller'), undefined),
      ])
        expect(Buffer.compare(result.plain ?? Buffer.alloc(0), plain)).toBe(0);
      const slab = unpackable(there);
      expect(await workers.run(slab, unpack('output'))).toEqual({});
      expect(slab.output.subarray(0, plain.length).equals(plain)).toBe(true);
      expect(runJob(unpackable(there), unpack('nowhere'), undefined)).toEqual({});
    },
  );

  test('is the same when what is scanned is packed on the way', () => {
    const chunkBytes = 64 * kib;
    const [apart, together] = [filledSlab(chunkBytes), filledSlab(chunkBytes)];
    runJob(apart, scanOf(chunkBytes), undefined);
    runJob(apart, packOf(chunkBytes), undefined);
    runJob(together, { kind: 'scan', count: 4, chunkBytes, packing }, undefined);
    expect([0, 1, 2, 3].map((number) => together.isZero(number))).toEqual([true, false, false, false]);
    for (const number of [1, 2, 3]) {
      expect(together.frame(number)).toEqual(apart.frame(number));
      expect(together.id(number).equals(apart.id(number))).toBe(true);
    }
    expect(
      runJob(
        unpackable(together),
        { kind: 'unpack', count: 3, plainBytes: chunkBytes, to: 'nowhere' },
        undefined,
      ),
    ).toEqual({});
  });

  test('says what is wrong with frames that are not what they should be', () => {
    const packed = filledSlab(64 * kib);
    runJob(packed, scanOf(64 * kib), undefined);
    runJob(packed, packOf(64 * kib), undefined);
    const wrong = (change: (slab: Slab) => void, plainBytes = 64 * kib) => {
      const slab = unpackable(packed);
      change(slab);
      return runJob(slab, { kind: 'unpack', count: 3, plainBytes, to: 'nowhere' }, undefined).wrong;
    };
    expect(wrong(() => {})).toBeUndefined();
    expect(
      wrong((slab) => {
        slab.input[5] = (slab.input[5] ?? 0) ^ 1;
      }),
    ).toContain('stored bytes');
    expect(wrong((slab) => slab.setId(1, Buffer.alloc(32)))).toContain('not what its id says');
    expect(wrong(() => {}, 32 * kib)).toContain('does not decompress to its length');
  });
});

describe('threads', () => {
  test('are not started for little work, nor for a page of a map', async () => {
    await using few = new ChunkWorkers({ threads: 2 });
    await few.run(filledSlab(64 * kib), scanOf(64 * kib));
    expect(few.threads).toBe(0);
    await using pages = new ChunkWorkers(options);
    await pages.run(filledSlab(8 * kib), { kind: 'scan', count: 1, chunkBytes: 8 * kib });
    expect(pages.threads).toBe(0);
  });

  test('are as many as allowed, share the work, and end with the store', async () => {
    const workers = new ChunkWorkers(options);
    const slabs = Array.from({ length: 9 }, () => filledSlab(64 * kib));
    const done = slabs.map((slab) => workers.run(slab, scanOf(64 * kib)));
    expect(workers.threads).toBe(2);
    await workers[Symbol.asyncDispose](); // what was handed over before is still done
    await Promise.all(done);
    expect(workers.threads).toBe(0);
    await workers.run(filledSlab(64 * kib), scanOf(64 * kib));
    expect(workers.threads).toBe(0);
  });

  test('that die fail what they had, and are replaced', async () => {
    await using workers = new ChunkWorkers({
      ...options,
      threads: 1,
      script: new URL('./testing/dying-worker.ts', import.meta.url),
    });
    const slab = filledSlab(64 * kib);
    await workers.run(slab, scanOf(64 * kib));
    const fatal = workers.run(slab, packOf(64 * kib));
    const behind = workers.run(filledSlab(64 * kib), scanOf(64 * kib));
    const queued = workers.run(filledSlab(64 * kib), scanOf(64 * kib));
    const message = 'a worker thread of the store ended with status 7';
    await expect(fatal).rejects.toThrow(message);
    await expect(behind).rejects.toThrow(message);
    await queued;
    await workers.run(slab, scanOf(64 * kib));
    expect(workers.threads).toBe(1);
  });

  test('that cannot be started fail the work instead of leaving it waiting', async () => {
    await using workers = new ChunkWorkers({
      ...options,
      script: new URL('./testing/no-such-worker.ts', import.meta.url),
    });
    const work = Array.from({ length: 7 }, () => workers.run(filledSlab(64 * kib), scanOf(64 * kib)));
    for (const result of await Promise.allSettled(work)) expect(result.status).toBe('rejected');
  });

  test('outlive a job that throws', async () => {
    await using workers = new ChunkWorkers({ ...options, threads: 1 });
    const slab = Slab.allocate(4 * 64 * kib, 0);
    slab.setFrame(0, {
      codec: codecs.plain,
      offset: 0,
      length: 64 * kib,
      crc: crc32(Buffer.alloc(64 * kib)),
    });
    const nowhereToPutIt: ChunkJob = { kind: 'unpack', count: 1, plainBytes: 64 * kib, to: 'output' };
    await expect(workers.run(slab, nowhereToPutIt)).rejects.toThrow(RangeError);
    await workers.run(slab, scanOf(64 * kib));
    expect(workers.threads).toBe(1);
  });

  test('do not keep a process alive', async () => {
    const script = join(import.meta.dirname, 'testing/idle-threads.ts');
    const command = [process.execPath, '--disable-warning=ExperimentalWarning', script] as const;
    const { stdout } = await run(command, { timeoutMs: 20_000 });
    expect(stdout).toBe('2 threads\n');
  });
});

test('slabs are handed on in order, also by work that failed', async () => {
  const pool = new SlabPool(1, 100, 0);
  const order: number[] = [];
  const slabs = new Set<Slab>();
  const use = (number: number) =>
    pool.use(async (slab) => {
      slabs.add(slab);
      order.push(number);
      await Promise.resolve();
      if (number === 1) throw new Error('one failed');
    });
  const results = await Promise.allSettled([1, 2, 3].map(use));
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
  expect(order).toEqual([1, 2, 3]);
  expect(slabs.size).toBe(1);
});

describe('a store with threads', () => {
  const content = Buffer.concat([
    bytesFrom(1, 3_000_000),
    Buffer.alloc(1_000_000),
    bytesFrom(2, 5_000_000),
    bytesFrom(3, 3_000_001),
  ]);

  test('gives the same maps as one without, and what it stored reads back', async () => {
    await using threaded = await createStore(memoryBackend(), { clock: testClock, threads: 3 });
    await using plain = await createStore(memoryBackend(), { clock: testClock, threads: 1 });
    const { disk } = await backUp(threaded, 'p', content);
    expect((await backUp(plain, 'p', content)).disk).toEqual(disk);
    expect((await restore(threaded, 'p')).equals(content)).toBe(true);
    expect(await threaded.verifyPoint('vm', 'p', {})).toEqual([]);
  });

  test('finds what has changed in its packs', async () => {
    const backend = memoryBackend();
    await using store = await createStore(backend, { clock: testClock, chunkSizeBytes: testChunkBytes });
    await backUp(store, 'p', content);
    for (const [name, bytes] of backend.objects)
      if (name.endsWith('.pack')) bytes[1000] = (bytes[1000] ?? 0) ^ 1;
    expect((await store.verifyPoint('vm', 'p', {})).length).toBeGreaterThan(0);
    await expect(restore(store, 'p')).rejects.toMatchObject({ code: 'StoreDamaged' });
  });

  test('takes what a source puts into its memory, between pieces of a base too', async () => {
    await using store = await createStore(memoryBackend(), { clock: testClock });
    const { disk } = await backUp(store, 'base', content);
    const after = Buffer.from(content);
    const extents = [
      { offset: 100, length: 70_000, zero: false },
      { offset: 200_000, length: 5_000, zero: true },
      { offset: 205_000, length: 3_500_000, zero: false },
      { offset: content.length - 1, length: 1, zero: false },
    ];
    for (const { offset, length, zero } of extents)
      if (zero) after.fill(0, offset, offset + length);
      else bytesFrom(5, length).copy(after, offset);
    let filled = 0;
    await using writer = await store.beginPoint({ itemId: 'vm', pointId: 'p' });
    const written = await writer.writeDisk({
      sizeBytes: after.length,
      base: disk,
      extents: extentsOf(extents),
      source: {
        async read(offset, length, _signal, into) {
          if (into?.length !== length) throw new Error('no memory to read into');
          filled += after.copy(into, 0, offset, offset + length);
          return into;
        },
      },
    });
    const disks = [{ name: 'sda', disk: written.disk }];
    await writer.commit({ createdAt: '2026-11-21T06:00:00Z', disks, metadata: {} });
    expect(filled).toBe(written.readBytes);
    expect((await restore(store, 'p')).equals(after)).toBe(true);
    expect((await restore(store, 'base')).equals(content)).toBe(true);
  });
});
