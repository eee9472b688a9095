import { describe, expect, test } from 'vitest';
import { encodeDocument } from './document.ts';
import { createStore, fileSystemBackend, memoryBackend, openStore } from './index.ts';
import { ForgetfulFiles } from './testing/forgetful-files.ts';
import { backUp, bytesFrom, restore, testChunkBytes, testClock } from './testing/model-disk.ts';

const options = { clock: testClock, chunkSizeBytes: testChunkBytes };

describe('opening a store', () => {
  test('finds everything again, from the packs alone when the index is lost', async () => {
    const backend = memoryBackend();
    const content = bytesFrom(1, 100 * testChunkBytes);
    let stats: unknown;
    {
      await using store = await createStore(backend, { ...options, packTargetBytes: 256 * 1024 });
      await backUp(store, 'p', content);
      stats = await store.stats();
    }
    const segments = [...backend.objects.keys()].filter((name) => name.startsWith('index/'));
    expect(segments).toHaveLength(1);
    for (const damage of ['none', 'lost', 'cut', 'flipped'] as const) {
      for (const [name, bytes] of [...backend.objects].filter(([name]) => name.startsWith('index/'))) {
        if (damage === 'lost') backend.objects.delete(name);
        if (damage === 'cut') backend.objects.set(name, bytes.subarray(0, bytes.length / 2));
        if (damage === 'flipped') bytes[bytes.length / 2] = (bytes[bytes.length / 2] ?? 0) ^ 1;
      }
      await using store = await openStore(backend, options);
      expect(await store.stats()).toEqual(stats);
      expect((await restore(store, 'p')).equals(content)).toBe(true);
      expect((await backUp(store, `after-${damage}`, content)).newBytes).toBe(0);
      await store.deletePoint('vm', `after-${damage}`);
    }
  });

  test('merges index segments when they have become many', async () => {
    const backend = memoryBackend();
    {
      await using store = await createStore(backend, options);
      for (let number = 0; number < 70; number++)
        await backUp(store, `p${number}`, bytesFrom(number * 2 + 1, testChunkBytes));
    }
    const segments = () => [...backend.objects.keys()].filter((name) => name.startsWith('index/')).length;
    expect(segments()).toBe(70);
    {
      await using _ = await openStore(backend, options);
    }
    expect(segments()).toBe(1);
    await using store = await openStore(backend, options);
    expect((await restore(store, 'p33')).equals(bytesFrom(67, testChunkBytes))).toBe(true);
  });

  test('says when there is none, when there is one already, and when it is in use', async () => {
    const backend = memoryBackend();
    await expect(openStore(backend, options)).rejects.toMatchObject({ code: 'StoreNotFound' });
    const store = await createStore(backend, options);
    await expect(openStore(backend, options)).rejects.toMatchObject({ code: 'StoreInUse' });
    await expect(createStore(backend, options)).rejects.toMatchObject({ code: 'StoreInUse' });
    await store[Symbol.asyncDispose]();
    await expect(createStore(backend, options)).rejects.toMatchObject({ code: 'StoreExists' });
    const again = await openStore(backend, options);
    expect(again.storeId).toBe(store.storeId);
    await again[Symbol.asyncDispose]();
    await expect(store.stats()).rejects.toThrow('closed');
    await using _ = await openStore(backend, options);
  });

  test('is made in an empty directory or a new one, never among the files of others', async () => {
    const files = new ForgetfulFiles();
    const write = async (path: string) => await (await files.create(path)).close();
    await files.makeDirectory('/srv/photos');
    await write('/srv/photos/cat.jpg');
    await expect(createStore(fileSystemBackend('/srv/photos', files), options)).rejects.toMatchObject({
      code: 'StorePlaceNotEmpty',
      message: expect.stringContaining('cat.jpg'),
    });
    expect((await files.readDirectory('/srv/photos')).map(({ name }) => name)).toEqual(['cat.jpg']);
    await files.makeDirectory('/srv/disk/lost+found');
    for (const place of ['/srv/disk', '/srv/new/v1']) {
      const store = await createStore(fileSystemBackend(place, files), options);
      await store[Symbol.asyncDispose]();
      await expect(createStore(fileSystemBackend(place, files), options)).rejects.toMatchObject({
        code: 'StoreExists',
      });
    }
  });

  test('does not begin a new store over the remains of one', async () => {
    const backend = memoryBackend();
    {
      await using store = await createStore(backend, options);
      await backUp(store, 'p', bytesFrom(1, 100));
    }
    backend.objects.delete('holdfast-store');
    backend.objects.delete('holdfast-store-copy');
    await expect(openStore(backend, options)).rejects.toMatchObject({ code: 'StoreNotFound' });
    await expect(createStore(backend, options)).rejects.toMatchObject({ code: 'StoreExists' });
  });

  test('refuses a newer version and a feature it does not know, naming both sides', async () => {
    const backend = memoryBackend();
    {
      await using _ = await createStore(backend, options);
    }
    const config = backend.objects.get('holdfast-store') ?? Buffer.alloc(0);
    const setBoth = (bytes: Buffer) => {
      for (const name of ['holdfast-store', 'holdfast-store-copy']) backend.objects.set(name, bytes);
    };
    const newer = Buffer.from(config.toString().replace('store 1', 'store 2'));
    // In one place it is a flipped bit: whoever makes a store, or a newer one of it, writes the copy first.
    backend.objects.set('holdfast-store', newer);
    await (await openStore(backend, options))[Symbol.asyncDispose]();
    expect(backend.objects.get('holdfast-store')?.equals(config)).toBe(true);
    setBoth(newer);
    await expect(openStore(backend, options)).rejects.toMatchObject({
      code: 'StoreVersionNotSupported',
      message: expect.stringMatching(/version 2.*version 1/),
    });
    const body = JSON.parse(config.toString().split('\n').slice(2).join('\n'));
    const features = { read: ['encryption-1'], write: [] };
    setBoth(encodeDocument('store', { ...body, features }));
    await expect(openStore(backend, options)).rejects.toMatchObject({
      code: 'StoreVersionNotSupported',
      message: expect.stringContaining('encryption-1'),
    });
  });

  test('does not believe a listing that shows nothing', async () => {
    for (const prefix of ['packs/', 'points/']) {
      const backend = memoryBackend();
      {
        await using store = await createStore(backend, options);
        await backUp(store, 'p', bytesFrom(1, 100));
      }
      const { list } = backend;
      backend.list = (asked) => (asked === prefix ? (async function* () {})() : list(asked));
      await expect(openStore(backend, options)).rejects.toMatchObject({ code: 'StoreUnavailable' });
    }
  });
});

describe('recovery points of a store', () => {
  test('are listed by item and time, read, and deleted for good', async () => {
    const backend = memoryBackend();
    await using store = await createStore(backend, options);
    const write = async (itemId: string, pointId: string, createdAt: string) => {
      await using writer = await store.beginPoint({ itemId, pointId });
      await writer.commit({ createdAt, disks: [], metadata: { pointId } });
    };
    await write('vm-b', 'p1', '2026-11-21T05:00:00Z');
    await write('vm-a', 'p2', '2026-11-21T07:00:00Z');
    await write('vm-a', 'p3', '2026-11-21T06:59:59.5Z');
    const listed = await store.listPoints();
    expect(listed.points.map(({ pointId }) => pointId)).toEqual(['p3', 'p2', 'p1']);
    expect(listed.damaged).toEqual([]);
    await store.deletePoint('vm-a', 'p3');
    await expect(store.readPoint('vm-a', 'p3')).rejects.toMatchObject({ code: 'RecoveryPointNotInStore' });
    await expect(store.deletePoint('vm-a', 'p3')).rejects.toMatchObject({ code: 'RecoveryPointNotInStore' });
    expect((await store.stats()).points).toBe(2);
  });

  test('keep their id: neither a second writer nor a later one may use it', async () => {
    const backend = memoryBackend();
    const taken = { code: 'RecoveryPointExists' };
    {
      await using store = await createStore(backend, options);
      await using writer = await store.beginPoint({ itemId: 'vm', pointId: 'p' });
      await expect(store.beginPoint({ itemId: 'other', pointId: 'p' })).rejects.toMatchObject(taken);
      await writer.commit({ createdAt: '2026-11-21T06:00:00Z', disks: [], metadata: {} });
      await expect(store.beginPoint({ itemId: 'vm', pointId: 'p' })).rejects.toMatchObject(taken);
    }
    await using store = await openStore(backend, options);
    await expect(store.beginPoint({ itemId: 'other', pointId: 'p' })).rejects.toMatchObject(taken);
    await expect(store.beginPoint({ itemId: '../vm', pointId: 'q' })).rejects.toThrow('not a valid item id');
    {
      await using _ = await store.beginPoint({ itemId: 'vm', pointId: 'given-up' });
    }
    await using _ = await store.beginPoint({ itemId: 'vm', pointId: 'given-up' });
  });

  test('are whole or absent when the store is closed while they are committed', async () => {
    const backend = memoryBackend();
    const store = await createStore(backend, options);
    const writer = await store.beginPoint({ itemId: 'vm', pointId: 'p' });
    const { put } = backend;
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    backend.put = async (name, parts) => {
      if (name.startsWith('points/')) {
        reached.resolve();
        await goOn.promise;
      }
      await put(name, parts);
    };
    const committed = writer.commit({ createdAt: '2026-11-21T06:00:00Z', disks: [], metadata: {} });
    await reached.promise;
    const closed = store[Symbol.asyncDispose]();
    await expect(openStore(backend, options)).rejects.toMatchObject({ code: 'StoreInUse' });
    goOn.resolve();
    await Promise.all([committed, closed]);
    await using again = await openStore(backend, options);
    expect((await again.listPoints()).points).toHaveLength(1);
  });

  test('cannot refer to a disk that is not in the store', async () => {
    await using store = await createStore(memoryBackend(), options);
    await using writer = await store.beginPoint({ itemId: 'vm', pointId: 'p' });
    const disk = { root: 'ab'.repeat(32), sizeBytes: 100, chunkSizeBytes: testChunkBytes };
    await expect(
      writer.commit({ createdAt: '2026-11-21T06:00:00Z', disks: [{ name: 'sda', disk }], metadata: {} }),
    ).rejects.toMatchObject({ code: 'StoreDamaged' });
    expect((await store.listPoints()).points).toEqual([]);
  });
});
