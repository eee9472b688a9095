import { expect, test } from 'vitest';
import { createStore, memoryBackend, newKeyFile, newRecoveryKey, openStore } from './index.ts';
import { emptyStore, noise } from './testing/collected-store.ts';
import { backUp, testClock } from './testing/model-disk.ts';

test.each(['stat', 'delete'] as const)(
  'a deletion that is under way (at its %s) is over before the lock is given up',
  async (call) => {
    const { backend, store, options } = await emptyStore();
    await backUp(store, 'kept', noise(1, 2));
    await backUp(store, 'gone', noise(2, 2));
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const inner = backend[call];
    backend[call] = (async (name: string) => {
      if (name.endsWith('gone.point')) {
        reached.resolve();
        await goOn.promise;
      }
      return await inner(name);
    }) as typeof inner & typeof backend.stat & typeof backend.delete;
    const deleted = store.deletePoint('vm', 'gone');
    await reached.promise;
    const closed = store[Symbol.asyncDispose]();
    await new Promise((resolve) => setTimeout(resolve, 20));
    // Otherwise the next process would count on a point that this one deletes afterwards.
    await expect(openStore(backend, options)).rejects.toMatchObject({ code: 'StoreInUse' });
    goOn.resolve();
    await Promise.all([deleted, closed]);
    await using again = await openStore(backend, options);
    expect((await again.listPoints()).points.map(({ pointId }) => pointId)).toEqual(['kept']);
    await again.collect({ force: true });
  },
);

test('a change of keys that is under way is over before the lock is given up', async () => {
  const backend = memoryBackend();
  const first = { kind: 'key-file' as const, text: newKeyFile() };
  const store = await createStore(backend, {
    clock: testClock,
    encryption: { secrets: [{ ...first, label: 'service' }] },
  });
  const reached = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const { put } = backend;
  backend.put = async (name, parts) => {
    reached.resolve();
    await goOn.promise;
    await put(name, parts);
  };
  const { keys } = store;
  const added = keys?.add({ kind: 'recovery', text: newRecoveryKey(), label: 'safe' });
  await reached.promise;
  const closed = store[Symbol.asyncDispose]();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const options = { clock: testClock, unlock: [first] };
  await expect(openStore(backend, options)).rejects.toMatchObject({ code: 'StoreInUse' });
  goOn.resolve();
  await Promise.all([added, closed]);
  await expect(keys?.remove('any')).rejects.toThrow('closed');
  await using again = await openStore(backend, options);
  expect((await again.keys?.list())?.keys).toHaveLength(2);
});
