/**
 * Named mistakes of others that cost somebody's backups, as tests of this store. Those about collecting are in
 * `collect/regressions.test.ts`.
 */
import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { HoldfastError } from '../errors/index.ts';
import { compressChunk } from './codec.ts';
import { createStore, fileSystemBackend, openStore } from './index.ts';
import { emptyStore, noise } from './testing/collected-store.ts';
import { backUp, bytesFrom, restore, testChunkBytes, writeContent } from './testing/model-disk.ts';
import { MovableClock } from './testing/movable-clock.ts';

vi.mock('./codec.ts', async (original) => {
  const codec = await original<typeof import('./codec.ts')>();
  return { ...codec, compressChunk: vi.fn(codec.compressChunk) };
});

afterEach(() => void vi.mocked(compressChunk).mockClear());

const createdAt = '2026-11-21T06:00:00Z';

describe('mistakes that others made', () => {
  test.each(['fails', 'is given up'] as const)(
    'restic #1589: where the index %s on its way, the point is not there',
    async (how) => {
      const { backend, options, store } = await emptyStore();
      const stop = new AbortController();
      const { put } = backend;
      backend.put = async (name, parts) => {
        if (!name.startsWith('index/')) return await put(name, parts);
        if (how === 'fails') throw new HoldfastError('StoreUnavailable', 'the connection was lost');
        await put(name, parts);
        stop.abort(new Error('cancelled'));
      };
      {
        await using writer = await store.beginPoint({ itemId: 'vm', pointId: 'p', signal: stop.signal });
        const { disk } = await writeContent(writer, noise(1, 3));
        const record = { createdAt, disks: [{ name: 'sda', disk }], metadata: {} };
        await expect(writer.commit(record)).rejects.toThrow(/lost|cancelled/);
      }
      backend.put = put;
      await store[Symbol.asyncDispose]();
      await using again = await openStore(backend, options);
      expect((await again.listPoints()).points).toEqual([]);
      await backUp(again, 'p', noise(1, 3));
      expect((await restore(again, 'p')).equals(noise(1, 3))).toBe(true);
    },
  );

  test.each(['empty', 'short'] as const)(
    'Proxmox Backup Server 2.1.9: a chunk that a power cut left %s does not count as being there',
    async (what) => {
      const { backend, options, store } = await emptyStore();
      const content = noise(1, 6);
      await backUp(store, 'old', content);
      await store[Symbol.asyncDispose]();
      const [name = ''] = [...backend.objects.keys()].filter((object) => object.endsWith('.pack'));
      const bytes = backend.objects.get(name) ?? Buffer.alloc(0);
      backend.objects.set(name, bytes.subarray(0, what === 'empty' ? 0 : bytes.length - testChunkBytes));
      await using again = await openStore(backend, options);
      await backUp(again, 'new', content);
      expect((await restore(again, 'new')).equals(content)).toBe(true);
      // What the new one stored is the content of the old one, too.
      expect((await restore(again, 'old')).equals(content)).toBe(true);
    },
  );

  test('Proxmox Backup Server 0.8.17: a point is complete only if all it refers to is there', async () => {
    const { backend, options, store } = await emptyStore(2);
    const content = noise(1, 6);
    const { disk } = await backUp(store, 'base', content);
    await store[Symbol.asyncDispose]();
    const [name = ''] = [...backend.objects.keys()].filter((object) => object.endsWith('.pack'));
    backend.objects.delete(name);
    await using again = await openStore(backend, options);
    await using writer = await again.beginPoint({ itemId: 'vm', pointId: 'new' });
    const attempt = async () => {
      const extents = [{ offset: 5 * testChunkBytes, length: testChunkBytes, zero: false }];
      const written = await writeContent(writer, content, { base: disk, extents });
      await writer.commit({ createdAt, disks: [{ name: 'sda', disk: written.disk }], metadata: {} });
    };
    await expect(attempt()).rejects.toMatchObject({ code: 'StoreDamaged' });
    expect((await again.listPoints()).points.map(({ pointId }) => pointId)).toEqual(['base']);
  });

  test('Longhorn #1385: a block that has gone bad is not used again by the backups that follow', async () => {
    const { backend, options, store } = await emptyStore();
    const content = noise(1, 6);
    await backUp(store, 'old', content);
    const [name = ''] = [...backend.objects.keys()].filter((object) => object.endsWith('.pack'));
    const bytes = backend.objects.get(name) ?? Buffer.alloc(0);
    bytes.writeUInt8((bytes[5000] ?? 0) ^ 1, 5000);
    expect((await store.verify()).damagedPoints).toMatchObject([{ pointId: 'old' }]);
    await store[Symbol.asyncDispose]();
    // What was found is known to the next process, and the bad pack is kept: the rest of it may still be of use.
    await using again = await openStore(backend, options);
    expect(backend.objects.has(name)).toBe(true);
    const { newBytes } = await backUp(again, 'new', content);
    expect(newBytes).toBe(testChunkBytes);
    for (const pointId of ['new', 'old']) expect((await restore(again, pointId)).equals(content)).toBe(true);
    for (const pointId of ['new', 'old']) expect(await again.verifyPoint('vm', pointId, {})).toEqual([]);
  });

  test('restic #4523, #4677: what the compressor spoils is found before it is stored, not by a restore', async () => {
    const { store } = await emptyStore();
    const content = bytesFrom(2, 3 * testChunkBytes);
    vi.mocked(compressChunk).mockImplementationOnce((plain) => {
      const other = Buffer.from(plain);
      other.writeUInt8((other[70] ?? 0) ^ 1, 70);
      return zstdCompressSync(other);
    });
    await expect(backUp(store, 'spoilt', content)).rejects.toThrow('zstd did not give back');
    expect(compressChunk).toHaveBeenCalled();
    expect((await store.listPoints()).points).toEqual([]);
    await backUp(store, 'good', content);
    expect((await restore(store, 'good')).equals(content)).toBe(true);
    await store[Symbol.asyncDispose]();
  });

  test('Proxmox Backup Server #5982, #5892: the times of files prove nothing', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'holdfast-times-'));
    const directory = join(parent, 'store');
    try {
      const clock = new MovableClock();
      const options = { clock, chunkSizeBytes: testChunkBytes, packTargetBytes: 4 * testChunkBytes };
      await using store = await createStore(fileSystemBackend(directory), options);
      await backUp(store, 'kept', noise(1, 8));
      await backUp(store, 'gone', noise(2, 8));
      await store.deletePoint('vm', 'gone');
      const setTimes = async (time: Date) => {
        for (const entry of await readdir(directory, { recursive: true, withFileTypes: true }))
          await utimes(join(entry.parentPath, entry.name), time, time);
      };
      // The file system says that everything is very old: only what is garbage is condemned, and not before its time.
      await setTimes(new Date('1980-01-01'));
      const { condemnedPacks } = await store.collect();
      expect(condemnedPacks).toBeGreaterThan(0);
      expect((await store.collect()).removedPacks).toBe(0);
      // And now that it was all written in the future: what is condemned goes all the same.
      await setTimes(new Date('2090-01-01'));
      clock.move(25);
      expect((await store.collect()).removedPacks).toBe(condemnedPacks);
      expect((await restore(store, 'kept')).equals(noise(1, 8))).toBe(true);
    } finally {
      await rm(parent, { recursive: true, force: true });
    }
  });

  test('restic #3182: somebody removes the lock while it is held, and lets another process in', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'holdfast-unlock-'));
    const directory = join(parent, 'store');
    try {
      const options = { clock: new MovableClock(), chunkSizeBytes: testChunkBytes };
      const first = await createStore(fileSystemBackend(directory), options);
      await backUp(first, 'one', noise(1, 4));
      await backUp(first, 'two', noise(2, 4));
      const writer = await first.beginPoint({ itemId: 'vm', pointId: 'late' });
      const { disk } = await writeContent(writer, noise(3, 4));
      await rm(join(directory, 'lock'));
      await using second = await openStore(fileSystemBackend(directory), options);
      // Whoever had the lock first changes nothing any more, and says why.
      const lost = { code: 'StoreLockLost' };
      await expect(first.deletePoint('vm', 'one')).rejects.toMatchObject(lost);
      const record = { createdAt, disks: [{ name: 'sda', disk }], metadata: {} };
      await expect(writer.commit(record)).rejects.toMatchObject(lost);
      expect(first.lost.aborted).toBe(true);
      await expect(first.collect({ force: true })).rejects.toMatchObject(lost);
      await first[Symbol.asyncDispose]();
      expect((await second.listPoints()).points.map(({ pointId }) => pointId)).toEqual(['one', 'two']);
      await backUp(second, 'three', noise(3, 4));
      expect((await restore(second, 'one')).equals(noise(1, 4))).toBe(true);
      expect((await second.verify()).damagedPacks).toEqual([]);
    } finally {
      await rm(parent, { recursive: true, force: true });
    }
  });

  test('borg #3444: a repair throws nothing away that is sound, or may be so again', async () => {
    const { backend, options, store } = await emptyStore(8);
    const contents = { one: noise(1, 6), two: noise(2, 6), three: noise(3, 6) };
    for (const [pointId, content] of Object.entries(contents)) await backUp(store, pointId, content);
    await store[Symbol.asyncDispose]();
    const whole = new Map([...backend.objects].map(([name, bytes]) => [name, Buffer.from(bytes)]));
    // Of one the record, of another a frame; and everything that is a cache.
    const [pack = ''] = [...whole.keys()].filter((name) => name.endsWith('.pack'));
    const record = 'points/vm/two.point';
    for (const [name, bytes] of backend.objects) {
      if (name === pack || name === record) bytes.writeUInt8((bytes[200] ?? 0) ^ 1, 200);
      if (/^(index|table|generations)\//.test(name)) backend.objects.set(name, bytes.subarray(0, 20));
    }
    {
      await using damaged = await openStore(backend, options);
      await damaged.verify();
      const { failed, steps } = await damaged.repair({ dryRun: false });
      expect(failed).toEqual([]);
      expect(steps.filter(({ action }) => action === 'lost').map(({ target }) => target)).toContain(record);
      await damaged.repair({ dryRun: false });
    }
    // What holds content is all there, and what was not touched is as it was.
    for (const [name, bytes] of whole) {
      if (!/^(packs|points)\//.test(name)) continue;
      expect(backend.objects.has(name), name).toBe(true);
      if (name !== pack && name !== record) expect(backend.objects.get(name)?.equals(bytes), name).toBe(true);
    }
    // The medium has a better day: nothing that the repairs have done is in the way.
    for (const name of [pack, record]) backend.objects.set(name, whole.get(name) ?? Buffer.alloc(0));
    await using again = await openStore(backend, options);
    for (const [pointId, content] of Object.entries(contents))
      expect((await restore(again, pointId)).equals(content), pointId).toBe(true);
    expect((await again.verify()).damagedPacks).toEqual([]);
  });

  test('borg #4829: an index that is wrong in any way costs time, and no point', async () => {
    const { backend, options, store } = await emptyStore();
    const content = noise(1, 6);
    await backUp(store, 'one', content);
    await backUp(store, 'two', noise(2, 6));
    await store[Symbol.asyncDispose]();
    const whole = new Map(backend.objects);
    const segments = [...whole].filter(([name]) => name.startsWith('index/'));
    expect(segments.length).toBeGreaterThan(0);
    const wrongs: ((bytes: Buffer) => Buffer | undefined)[] = [
      () => undefined,
      () => Buffer.alloc(0),
      (bytes) => bytes.subarray(0, bytes.length >> 1),
      (bytes) => Buffer.from(bytes).fill(0xff, 16),
      (bytes) => Buffer.concat([bytes, bytes]),
      () => segments[0]?.[1],
    ];
    for (const wrong of wrongs) {
      backend.objects.clear();
      for (const [name, bytes] of whole) {
        const now = name.startsWith('index/') ? wrong(bytes) : bytes;
        if (now !== undefined) backend.objects.set(name, Buffer.from(now));
      }
      await using again = await openStore(backend, options);
      expect((await restore(again, 'one')).equals(content)).toBe(true);
      expect((await restore(again, 'two')).equals(noise(2, 6))).toBe(true);
      expect((await backUp(again, 'three', content)).newBytes).toBe(0);
      expect((await again.verify()).damagedPacks).toEqual([]);
    }
  });
});
