import { expect, test } from 'vitest';
import { openStore } from './index.ts';
import { emptyStore, noise } from './testing/collected-store.ts';
import { backUp } from './testing/model-disk.ts';

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
