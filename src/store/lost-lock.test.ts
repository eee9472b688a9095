import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { HoldfastError } from '../errors/index.ts';
import { type Backend, createStore, memoryBackend, openStore } from './index.ts';
import { backUp, bytesFrom, extentsOf, restore, testChunkBytes, testClock } from './testing/model-disk.ts';

const options = { clock: testClock, chunkSizeBytes: testChunkBytes, packTargetBytes: 3 * testChunkBytes };
const content = bytesFrom(1, 9 * testChunkBytes);

/** A backend in memory whose lock is lost when the test says so, and which then notes what is asked of it. */
function losable() {
  const inner = memoryBackend();
  const lost = new AbortController();
  const afterwards: string[] = [];
  const note = (call: string) => {
    if (lost.signal.aborted) afterwards.push(call);
  };
  const backend: Backend = {
    ...inner,
    async lock(lockOptions) {
      const lock = await inner.lock(lockOptions);
      return lock && { lost: lost.signal, [Symbol.asyncDispose]: () => lock[Symbol.asyncDispose]() };
    },
    put(name, parts) {
      note(`put ${name}`);
      return inner.put(name, parts);
    },
    delete(name) {
      note(`delete ${name}`);
      return inner.delete(name);
    },
  };
  const lose = () => lost.abort(new HoldfastError('StoreLockLost', 'The lock has been lost.'));
  return { inner, backend, lose, afterwards };
}

test('a lost lock ends a writer at once, and nothing more is written, not even on closing', async () => {
  const { inner, backend, lose, afterwards } = losable();
  const store = await createStore(backend, options);
  await backUp(store, 'kept', content);
  const writer = await store.beginPoint({ itemId: 'vm', pointId: 'late' });
  let reads = 0;
  const writing = writer.writeDisk({
    sizeBytes: 100 * testChunkBytes,
    extents: extentsOf([{ offset: 0, length: 100 * testChunkBytes, zero: false }]),
    source: {
      async read(offset, length) {
        if (++reads === 1) lose();
        await setImmediate();
        return bytesFrom(offset + 3, length);
      },
    },
  });
  await expect(writing).rejects.toMatchObject({ code: 'StoreLockLost' });
  await expect(
    writer.commit({ createdAt: '2026-11-21T06:00:00Z', disks: [], metadata: {} }),
  ).rejects.toThrow();
  await expect(store.beginPoint({ itemId: 'vm', pointId: 'x' })).rejects.toMatchObject({
    code: 'StoreLockLost',
  });
  await expect(store.deletePoint('vm', 'kept')).rejects.toMatchObject({ code: 'StoreLockLost' });
  await expect(store.listPoints()).rejects.toMatchObject({ code: 'StoreLockLost' });
  await store[Symbol.asyncDispose]();
  expect(afterwards).toEqual([]);

  await using again = await openStore(memoryBackend(inner.objects), options);
  expect((await restore(again, 'kept')).equals(content)).toBe(true);
});

test('a lost lock ends a collection before its next deletion', async () => {
  const { backend, lose, afterwards } = losable();
  const store = await createStore(backend, options);
  await backUp(store, 'one', content);
  await backUp(store, 'two', bytesFrom(3, 9 * testChunkBytes));
  await store.deletePoint('vm', 'one');
  await store.collect({ minimumAgeMs: 0 });
  const collecting = store.collect({
    minimumAgeMs: 0,
    onProgress: ({ phase }) => {
      if (phase === 'removing') lose();
    },
  });
  await expect(collecting).rejects.toMatchObject({ code: 'StoreLockLost' });
  await store[Symbol.asyncDispose]();
  expect(afterwards.slice(1)).toEqual([]); // the one that was being asked for when it happened
});

test('a reader that meets damage after the lock was lost writes no note of it', async () => {
  const { inner, backend, lose, afterwards } = losable();
  const { disk } = await (async () => {
    await using store = await createStore(backend, options);
    return await backUp(store, 'p', content);
  })();
  for (const [name, bytes] of inner.objects) if (name.endsWith('.pack')) bytes[20] = (bytes[20] ?? 0) ^ 1;
  const notes = () => [...inner.objects.keys()].filter((name) => name.startsWith('quarantine/'));
  {
    const store = await openStore(backend, options);
    using reader = store.openDisk(disk);
    lose();
    await expect(reader.read(0, content.length)).rejects.toMatchObject({ code: 'StoreDamaged' });
    await store[Symbol.asyncDispose]();
    expect(afterwards).toEqual([]);
    expect(notes()).toEqual([]);
  }
  await using store = await openStore(inner, options);
  await expect(restore(store, 'p')).rejects.toMatchObject({ code: 'StoreDamaged' });
  await setImmediate();
  expect(notes().length).toBeGreaterThan(0);
});
