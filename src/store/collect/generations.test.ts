import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../errors/index.ts';
import { openStore } from '../index.ts';
import { emptyStore, noise, packBytes } from '../testing/collected-store.ts';
import { backUp, restore, testChunkBytes } from '../testing/model-disk.ts';

describe('the generation document', () => {
  test.each(['lost', 'flipped', 'emptied'] as const)(
    'that is %s costs time, no data, and is how an older program sees the store',
    async (damage) => {
      for (const stage of ['condemned', 'half removed'] as const) {
        const { backend, clock, store, options } = await emptyStore();
        const content = noise(1, 6);
        const { disk } = await backUp(store, 'kept', content);
        await backUp(store, 'gone', noise(2, 12));
        const full = packBytes(backend);
        await store.deletePoint('vm', 'gone');
        await store.collect();
        const { delete: remove } = backend;
        if (stage === 'half removed') {
          clock.move(25);
          let deletions = 0;
          backend.delete = async (name) => {
            if (name.endsWith('.pack') && ++deletions === 3)
              throw new HoldfastError('StoreUnavailable', 'no more');
            await remove(name);
          };
          await expect(store.collect()).rejects.toThrow('no more');
        }
        await store[Symbol.asyncDispose]();
        backend.delete = remove;
        for (const [name, bytes] of [...backend.objects].filter(([name]) =>
          name.startsWith('generations/'),
        )) {
          if (damage === 'lost') backend.objects.delete(name);
          if (damage === 'emptied') backend.objects.set(name, Buffer.alloc(0));
          if (damage === 'flipped') bytes.writeUInt8((bytes.at(-3) ?? 0) ^ 1, bytes.length - 3);
        }
        await using again = await openStore(backend, options);
        expect((await restore(again, 'kept')).equals(content)).toBe(true);
        await backUp(again, 'next', content, { base: disk, extents: [] });
        const least = full - packBytes(backend);
        for (let round = 0; round < 3; round++) {
          await again.collect();
          clock.move(25);
        }
        expect(full - packBytes(backend)).toBeGreaterThanOrEqual(Math.max(least, 12 * testChunkBytes));
        expect(await again.verifyPoint('vm', 'next', {})).toEqual([]);
      }
    },
  );

  test('of a newer version is refused, not guessed at', async () => {
    const { backend, store, options } = await emptyStore();
    await backUp(store, 'kept', noise(1, 3));
    await store.collect();
    await store[Symbol.asyncDispose]();
    const [[name = '', bytes] = []] = [...backend.objects].filter(([name]) =>
      name.startsWith('generations/'),
    );
    backend.objects.set(name, Buffer.from(String(bytes).replace('generation 1', 'generation 2')));
    await expect(openStore(backend, options)).rejects.toMatchObject({ code: 'StoreVersionNotSupported' });
  });
});
