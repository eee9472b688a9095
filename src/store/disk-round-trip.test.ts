import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createStore, memoryBackend, type Store } from './index.ts';
import { storeKinds } from './testing/encrypted.ts';
import {
  backUp,
  bytesFrom,
  extentsOf,
  readAll,
  restore,
  sourceOf,
  testChunkBytes,
  testClock,
  writeContent,
} from './testing/model-disk.ts';
import type { DiskExtent, DiskRoot } from './types.ts';

type StoreKind = (typeof storeKinds)[number][1];

function newStoreOf({ create }: StoreKind): Promise<Store> {
  return createStore(memoryBackend(), { clock: testClock, chunkSizeBytes: testChunkBytes, ...create });
}

const kib = 1024;

describe.each(storeKinds)('a disk written and read back, in a store that is %s,', (_, kind) => {
  const newStore = () => newStoreOf(kind);

  test.each([0, 1, 511, 4096, testChunkBytes, testChunkBytes + 1, 3 * 1024 * kib + 1536])(
    'is the same at %i bytes',
    async (size) => {
      await using store = await newStore();
      const content = bytesFrom(1, size);
      await backUp(store, 'p', content);
      expect((await restore(store, 'p')).equals(content)).toBe(true);
    },
  );

  test('costs nothing where it is zeros, and says so', async () => {
    await using store = await newStore();
    const content = Buffer.alloc(5 * testChunkBytes + 100);
    bytesFrom(2, 300).copy(content, 2 * testChunkBytes + 50);
    content[content.length - 1] = 7;
    const { disk, newBytes } = await backUp(store, 'p', content);
    expect(await Array.fromAsync(store.openDisk(disk).extents())).toEqual([
      { offset: 2 * testChunkBytes, length: testChunkBytes },
      { offset: 5 * testChunkBytes, length: 100 },
    ]);
    expect(newBytes).toBe(2 * testChunkBytes + 8192);
    const zeros = await backUp(store, 'zeros', Buffer.alloc(content.length));
    expect(zeros.disk.root).toBeUndefined();
    expect(zeros.newBytes).toBe(0);
    expect((await restore(store, 'zeros')).equals(Buffer.alloc(content.length))).toBe(true);
  });

  test('stores what it meets again once, also right after a long stretch that was new', async () => {
    await using store = await newStore();
    const stretch = bytesFrom(4, 20 * 1024 * kib); // more windows than are worked on at once
    const zeros = Buffer.alloc(3 * testChunkBytes);
    const content = Buffer.concat([stretch, stretch, zeros, bytesFrom(5, 1024 * kib), stretch]);
    const { newBytes } = await backUp(store, 'p', content);
    const pages = newBytes - stretch.length - 1024 * kib;
    expect(pages % 8192).toBe(0);
    expect(pages).toBeLessThan(content.length / 256);
    expect((await restore(store, 'p')).equals(content)).toBe(true);
  });

  test('reads any stretch, across chunks and zeros', async () => {
    await using store = await newStore();
    const content = Buffer.concat([bytesFrom(1, 40_000), Buffer.alloc(100_000), bytesFrom(3, 33_333)]);
    const { disk } = await backUp(store, 'p', content);
    const reader = store.openDisk(disk);
    await fc.assert(
      fc.asyncProperty(fc.nat(content.length), fc.nat(content.length), async (a, b) => {
        const [from, to] = a < b ? [a, b] : [b, a];
        expect(content.subarray(from, to).equals(await reader.read(from, to - from))).toBe(true);
      }),
      { numRuns: 60 },
    );
    await expect(reader.read(content.length, 1)).rejects.toThrow(RangeError);
  });

  test('says of any stretch where data is: all of it, cut to the stretch, nothing more', async () => {
    await using store = await newStore();
    const content = Buffer.concat([
      bytesFrom(1, 2 * testChunkBytes),
      Buffer.alloc(5 * testChunkBytes),
      bytesFrom(3, 1234),
    ]);
    const { disk } = await backUp(store, 'p', content);
    using reader = store.openDisk(disk);
    await fc.assert(
      fc.asyncProperty(fc.nat(content.length), fc.nat(content.length), async (a, b) => {
        const [from, to] = a < b ? [a, b] : [b, a];
        const expected = [
          { start: 0, end: 2 * testChunkBytes },
          { start: 7 * testChunkBytes, end: content.length },
        ].flatMap(({ start, end }) => {
          const [offset, until] = [Math.max(start, from), Math.min(end, to)];
          return offset < until ? [{ offset, length: until - offset }] : [];
        });
        expect(await reader.extentsWithin(from, to - from)).toEqual(expected);
      }),
      { numRuns: 60 },
    );
    await expect(reader.extentsWithin(content.length, 1)).rejects.toThrow(RangeError);
  });

  test('asks the source for exactly the extents that are not zeros', async () => {
    await using store = await newStore();
    const first = bytesFrom(1, 8 * 1024 * kib);
    const { disk } = await backUp(store, 'first', first);
    const second = Buffer.from(first);
    const extents: DiskExtent[] = [
      { offset: 512, length: 4096, zero: false },
      { offset: 4608, length: 512, zero: false },
      { offset: 100_000, length: 70_000, zero: true },
      { offset: 3_000_000, length: 2_500_000, zero: false },
      { offset: 7_000_000, length: 1, zero: false },
    ];
    for (const { offset, length, zero } of extents) {
      if (zero) second.fill(0, offset, offset + length);
      else bytesFrom(5, length).copy(second, offset);
    }
    const source = sourceOf(second);
    await using writer = await store.beginPoint({ itemId: 'vm', pointId: 'second' });
    const written = await writer.writeDisk({
      sizeBytes: second.length,
      extents: extentsOf(extents),
      source,
      base: disk,
    });
    const wanted = extents.filter(({ zero }) => !zero);
    expect(written.readBytes).toBe(wanted.reduce((sum, { length }) => sum + length, 0));
    expect(written.processedBytes).toBe(extents.reduce((sum, { length }) => sum + length, 0));
    const asked = source.reads.toSorted((a, b) => a.offset - b.offset);
    let coalesced = asked.slice(0, 1).map((read) => ({ ...read }));
    for (const read of asked.slice(1)) {
      const last = coalesced.at(-1);
      if (last !== undefined && last.offset + last.length === read.offset) last.length += read.length;
      else coalesced = [...coalesced, { ...read }];
    }
    expect(coalesced).toEqual([
      { offset: 512, length: 4608 },
      { offset: 3_000_000, length: 2_500_000 },
      { offset: 7_000_000, length: 1 },
    ]);
    expect(asked[0]).toEqual({ offset: 512, length: 4608 });
    await writer.commit({
      createdAt: '2026-11-21T07:00:00Z',
      disks: [{ name: 'sda', disk: written.disk }],
      metadata: {},
    });
    expect((await restore(store, 'second')).equals(second)).toBe(true);
    expect((await restore(store, 'first')).equals(first)).toBe(true);
  });

  test('refuses extents that are out of order, empty or beyond the end', async () => {
    await using store = await newStore();
    const content = Buffer.alloc(1000);
    const bad: DiskExtent[][] = [
      [
        { offset: 10, length: 10, zero: false },
        { offset: 19, length: 1, zero: false },
      ],
      [{ offset: 0, length: 0, zero: false }],
      [{ offset: 999, length: 2, zero: true }],
      [{ offset: -1, length: 2, zero: true }],
    ];
    for (const [number, extents] of bad.entries()) {
      await using writer = await store.beginPoint({ itemId: 'vm', pointId: `p${number}` });
      await expect(writeContent(writer, content, { extents })).rejects.toThrow(RangeError);
    }
  });

  test('refuses a base with another chunk size', async () => {
    await using store = await newStore();
    await using writer = await store.beginPoint({ itemId: 'vm', pointId: 'p' });
    const base = { root: undefined, sizeBytes: 1000, chunkSizeBytes: 65_536 };
    await expect(writeContent(writer, Buffer.alloc(1000), { base })).rejects.toThrow(
      'write the disk without it',
    );
  });
});

describe.each(storeKinds)('an incremental, in a store that is %s,', (_, kind) => {
  const newStore = () => newStoreOf(kind);

  test('costs what changed: no read below unchanged pages, few bytes added', async () => {
    const backend = memoryBackend();
    const size = 64 * 1024 * kib * kib; // 64 GiB: three levels of map
    await using store = await createStore(backend, { clock: testClock, chunkSizeBytes: testChunkBytes });
    const content = bytesFrom(1, 4096);
    const source = { read: async (_: number, length: number) => Buffer.from(content.subarray(0, length)) };
    const spread = Array.from({ length: 64 }, (_, number) => ({
      offset: number * 1024 * kib * kib,
      length: 4096,
      zero: false,
    }));
    async function write(pointId: string, extents: DiskExtent[], base?: DiskRoot) {
      await using writer = await store.beginPoint({ itemId: 'vm', pointId });
      const written = await writer.writeDisk({
        sizeBytes: size,
        extents: extentsOf(extents),
        source,
        ...(base === undefined ? {} : { base }),
      });
      const disks = [{ name: 'sda', disk: written.disk }];
      await writer.commit({ createdAt: '2026-11-21T06:00:00Z', disks, metadata: {} });
      return written;
    }
    const first = await write('first', spread);
    let gets = 0;
    const { get } = backend;
    backend.get = (...args) => {
      gets++;
      return get(...args);
    };
    const second = await write('second', [{ offset: 8192, length: 512, zero: false }], first.disk);
    expect(second.newBytes).toBe(testChunkBytes + 3 * 8192);
    expect(gets).toBe(3 + 1); // the page of each level, and the chunk that changes in part
    const same = await write('same', [{ offset: 0, length: 4096, zero: false }], first.disk);
    expect(same.newBytes).toBe(0);
    expect(same.disk).toEqual(first.disk);
    const cleared = await write('cleared', [{ offset: 0, length: size, zero: true }], first.disk);
    expect(cleared.disk.root).toBeUndefined();
  });

  test('8192 scattered writes of 4 KiB add at most what pieces of 64 KiB would', async () => {
    await using store = await createStore(memoryBackend(), { clock: testClock });
    const noise = bytesFrom(7, 4096 + 8192);
    const source = {
      read: async (offset: number, length: number) => noise.subarray(offset % 8191, (offset % 8191) + length),
    };
    const count = 512; // the share per write is the same as for 8192
    const extents = Array.from({ length: count }, (_, number) => ({
      offset: number * 4_194_304 + 8192,
      length: 4096,
      zero: false,
    }));
    await using writer = await store.beginPoint({ itemId: 'vm', pointId: 'p' });
    const { newBytes } = await writer.writeDisk({
      sizeBytes: count * 4_194_304,
      extents: extentsOf(extents),
      source,
    });
    expect(newBytes).toBeLessThanOrEqual(count * 65_536 * 1.05);
  });

  test('that shrinks the disk while its end becomes zeros, or stays as it is, leaves nothing beyond the end', async () => {
    await using store = await newStore();
    const before = bytesFrom(1, 3 * 1024 * kib);
    const { disk } = await backUp(store, 'before', before);
    const size = 2 * 1024 * kib + 100;
    const cases: { name: string; extents: DiskExtent[] }[] = [
      { name: 'zeros', extents: [{ offset: 1024 * kib, length: 1024 * kib + 100, zero: true }] },
      { name: 'touched', extents: [{ offset: size - 50, length: 20, zero: true }] },
      { name: 'beside', extents: [{ offset: size - 100 - testChunkBytes, length: 512, zero: true }] },
      { name: 'same', extents: [] },
    ];
    for (const { name, extents } of cases) {
      const after = Buffer.from(before.subarray(0, size));
      for (const { offset, length } of extents) after.fill(0, offset, offset + length);
      const shrunk = await backUp(store, name, after, { base: disk, extents });
      expect((await restore(store, name)).equals(after), name).toBe(true);
      const grown = Buffer.concat([after, Buffer.alloc(before.length - size)]);
      await backUp(store, `${name}-grown`, grown, { base: shrunk.disk, extents: [] });
      expect((await restore(store, `${name}-grown`)).equals(grown), name).toBe(true);
    }
  });
});

describe.each(storeKinds)('writers side by side, in a store that is %s,', (_, kind) => {
  const newStore = () => newStoreOf(kind);

  test('share chunks that are durable, and do not depend on each other before that', async () => {
    await using store = await newStore();
    const content = bytesFrom(1, 50 * testChunkBytes);
    const a = await store.beginPoint({ itemId: 'vm-a', pointId: 'a' });
    const b = await store.beginPoint({ itemId: 'vm', pointId: 'b' });
    const [, fromB] = await Promise.all([writeContent(a, content), writeContent(b, content)]);
    await a[Symbol.asyncDispose]();
    await b.commit({
      createdAt: '2026-11-21T06:00:00Z',
      disks: [{ name: 'sda', disk: fromB.disk }],
      metadata: {},
    });
    expect((await restore(store, 'b')).equals(content)).toBe(true);
    expect(await store.verifyPoint('vm', 'b', {})).toEqual([]);
    expect((await backUp(store, 'c', content)).newBytes).toBe(0);
  });

  test('several disks of one point store common content once', async () => {
    await using store = await newStore();
    const content = bytesFrom(2, 30 * testChunkBytes);
    await using writer = await store.beginPoint({ itemId: 'vm', pointId: 'p' });
    const [one, two] = await Promise.all([writeContent(writer, content), writeContent(writer, content)]);
    expect(one.newBytes + two.newBytes).toBe(content.length + 8192);
    const disks = [
      { name: 'sda', disk: one.disk },
      { name: 'sdb', disk: two.disk },
    ];
    const record = await writer.commit({ createdAt: '2026-11-21T06:00:00Z', disks, metadata: { note: 'ä' } });
    expect(await store.readPoint('vm', 'p')).toEqual(record);
    for (const { disk } of record.disks) expect((await readAll(store, disk)).equals(content)).toBe(true);
  });

  test('a point of which a disk failed cannot be completed', async () => {
    await using store = await newStore();
    await using writer = await store.beginPoint({ itemId: 'vm', pointId: 'p' });
    const content = bytesFrom(1, 5 * testChunkBytes);
    const good = await writeContent(writer, content);
    const broken = {
      read: async () => {
        throw new Error('the disk cannot be read');
      },
    };
    await expect(
      writer.writeDisk({
        sizeBytes: 100,
        extents: extentsOf([{ offset: 0, length: 100, zero: false }]),
        source: broken,
      }),
    ).rejects.toThrow('the disk cannot be read');
    const disks = [{ name: 'sda', disk: good.disk }];
    await expect(writer.commit({ createdAt: '2026-11-21T06:00:00Z', disks, metadata: {} })).rejects.toThrow(
      'cannot be completed',
    );
    expect((await store.listPoints()).points).toEqual([]);
  });

  test('stops when told to, and what it wrote is not seen', async () => {
    await using store = await newStore();
    const stop = new AbortController();
    await using writer = await store.beginPoint({ itemId: 'vm', pointId: 'p', signal: stop.signal });
    const content = bytesFrom(1, 400 * testChunkBytes);
    const source = sourceOf(content);
    const read = source.read;
    source.read = async (offset, length) => {
      if (offset > content.length / 2) stop.abort(new Error('enough'));
      return await read(offset, length);
    };
    const extents = extentsOf([{ offset: 0, length: content.length, zero: false }]);
    await expect(writer.writeDisk({ sizeBytes: content.length, extents, source })).rejects.toThrow('enough');
    expect((await store.listPoints()).points).toEqual([]);
  });
});
