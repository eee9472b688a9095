import { fork } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../errors/index.ts';
import { fileSystemBackend } from './backends/file-system.ts';
import { createStore, memoryBackend, openStore } from './index.ts';
import { storeKinds } from './testing/encrypted.ts';
import { ForgetfulFiles } from './testing/forgetful-files.ts';
import { backUp, bytesFrom, restore, testChunkBytes, testClock } from './testing/model-disk.ts';

// Small packs, so that every point has several.
const options = {
  clock: testClock,
  chunkSizeBytes: testChunkBytes,
  packTargetBytes: 3 * testChunkBytes,
  chunksBeforeTable: 1,
};
const directory = '/srv/store';

describe('a crash at any instant', () => {
  test.each(storeKinds)(
    'keeps every acknowledged point of a store that is %s, byte for byte, and leaves one that opens and works',
    async (_, { create, open }) => {
      const files = new ForgetfulFiles();
      const contents = new Map<string, Buffer>();
      /** Points that must be there, and points that may be (asked for or being deleted, not acknowledged yet). */
      const must = new Set<string>();
      const may = new Set<string>();
      const crashes: { call: string; files: ForgetfulFiles; must: string[]; may: string[] }[] = [];
      const store = await createStore(fileSystemBackend(directory, files), { ...options, ...create });
      files.onCall = (call) => {
        if (call.endsWith('(done)')) return; // looked at before the next call, when more may have been acknowledged
        for (const what of ['lost', 'kept'] as const)
          crashes.push({ call, files: files.clone(what), must: [...must], may: [...may] });
      };
      const first = bytesFrom(1, 7 * testChunkBytes + 5);
      const second = Buffer.from(first);
      bytesFrom(3, 20_000).copy(second, 30_000);
      const extents = [{ offset: 30_000, length: 20_000, zero: false }];
      const write = async (pointId: string, content: Buffer, more: Parameters<typeof backUp>[3] = {}) => {
        contents.set(pointId, content);
        may.add(pointId);
        const written = await backUp(store, pointId, content, more);
        must.add(pointId);
        return written;
      };
      const { disk } = await write('one', first);
      await write('two', second, { base: disk, extents });
      must.delete('one');
      await store.deletePoint('vm', 'one');
      may.delete('one');
      await write('three', first);
      await store[Symbol.asyncDispose]();
      await files.onCall('the end');
      files.onCall = () => {};

      expect(crashes.length).toBeGreaterThan(100);
      for (const crash of crashes) {
        await using again = await openStore(fileSystemBackend(directory, crash.files), {
          ...options,
          ...open,
        });
        const { points, damaged } = await again.listPoints();
        const there = points.map(({ pointId }) => pointId);
        expect(damaged, crash.call).toEqual([]);
        expect(there, crash.call).toEqual(expect.arrayContaining(crash.must));
        expect(crash.may, crash.call).toEqual(expect.arrayContaining(there));
        for (const pointId of there)
          expect((await restore(again, pointId)).equals(contents.get(pointId) ?? first), crash.call).toBe(
            true,
          );
        expect(crash.files.paths().filter((path) => path.includes('/tmp/'))).toEqual([]);
        await backUp(again, 'after', second);
        expect((await restore(again, 'after')).equals(second), crash.call).toBe(true);
      }
    },
  );

  test('while the store is created leaves nothing, or a store', async () => {
    const files = new ForgetfulFiles();
    const crashes: ForgetfulFiles[] = [];
    files.onCall = () => void crashes.push(files.clone('lost'), files.clone('kept'));
    const store = await createStore(fileSystemBackend(directory, files), options);
    await store[Symbol.asyncDispose]();
    let created = 0;
    for (const crashed of crashes) {
      const backend = fileSystemBackend(directory, crashed);
      const opened = await openStore(backend, options).catch((error: HoldfastError) => {
        expect(error.code).toBe('StoreNotFound');
        created++;
        return createStore(backend, options);
      });
      await backUp(opened, 'p', bytesFrom(1, 100));
      await opened[Symbol.asyncDispose]();
    }
    expect(created).toBeGreaterThan(0);
    expect(created).toBeLessThan(crashes.length);
  });
});

describe('a full store', () => {
  test('at any put loses nothing that was acknowledged, and takes deletions', async () => {
    const content = bytesFrom(1, 7 * testChunkBytes);
    const changed = bytesFrom(3, 7 * testChunkBytes);
    for (let nth = 1; ; nth++) {
      const backend = memoryBackend();
      const store = await createStore(backend, options);
      await backUp(store, 'kept', content);
      await backUp(store, 'old', content);
      const { put } = backend;
      let puts = 0;
      backend.put = async (name, parts) => {
        if (++puts >= nth) throw new HoldfastError('StoreFull', 'no space left');
        await put(name, parts);
      };
      const failure = await backUp(store, 'new', changed).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failure === undefined) {
        expect(nth).toBeGreaterThan(5);
        await store[Symbol.asyncDispose]();
        break;
      }
      expect(failure).toMatchObject({ code: 'StoreFull' });
      await store.deletePoint('vm', 'old');
      await store[Symbol.asyncDispose]();
      for (const name of [...backend.objects.keys()])
        if (name.startsWith('index/')) backend.objects.delete(name);
      const full = await openStore(backend, options);
      expect((await restore(full, 'kept')).equals(content)).toBe(true);
      expect((await full.listPoints()).points.map(({ pointId }) => pointId)).toEqual(['kept']);
      await full[Symbol.asyncDispose]();
      backend.put = put;
      await using roomy = await openStore(backend, options);
      await backUp(roomy, 'new', changed);
      expect((await restore(roomy, 'new')).equals(changed)).toBe(true);
    }
  });
});

describe('a process killed while it writes', () => {
  test('leaves its finished points whole, and the store free for the next', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'holdfast-kill-'));
    const path = join(parent, 'store');
    try {
      const child = fork(join(import.meta.dirname, 'testing/endless-writer.ts'), [path], {
        stdio: 'inherit',
      });
      const acknowledged: string[] = [];
      const ended = Promise.withResolvers<void>();
      child.on('exit', () => ended.resolve());
      child.on('message', (message) => {
        const { committed, reading } = message as { committed?: string; reading?: string };
        if (committed !== undefined) acknowledged.push(committed);
        if (reading === 'p3') child.kill('SIGKILL');
      });
      await ended.promise;
      expect(acknowledged).toEqual(['p0', 'p1', 'p2']);
      await using store = await openStore(fileSystemBackend(path), options);
      expect((await store.listPoints()).points.map(({ pointId }) => pointId)).toEqual(acknowledged);
      for (const [number, pointId] of acknowledged.entries())
        expect((await restore(store, pointId)).equals(bytesFrom(number, 1_000_000)), pointId).toBe(true);
      expect(await readdir(join(path, 'tmp'))).toEqual([]);
    } finally {
      await rm(parent, { recursive: true, force: true });
    }
  });

  test('keeps everyone else out while it lives', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'holdfast-lock-'));
    const path = join(parent, 'store');
    try {
      const child = fork(join(import.meta.dirname, 'testing/endless-writer.ts'), [path], {
        stdio: 'inherit',
      });
      const ended = Promise.withResolvers<void>();
      const writing = Promise.withResolvers<void>();
      child.on('exit', () => {
        ended.resolve();
        writing.reject(new Error('the writer ended by itself'));
      });
      child.on('message', () => writing.resolve());
      await writing.promise;
      await expect(openStore(fileSystemBackend(path), options)).rejects.toMatchObject({ code: 'StoreInUse' });
      child.kill('SIGKILL');
      await ended.promise;
    } finally {
      await rm(parent, { recursive: true, force: true });
    }
  });
});
