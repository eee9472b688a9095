import { describe, expect, test } from 'vitest';
import type { HoldfastError } from '../../errors/index.ts';
import { type MemoryBackend, openStore } from '../index.ts';
import { decodeFooter, packFooterBytes, trailerEntries } from '../pack-format.ts';
import { emptyStore, noise, snapshot } from '../testing/collected-store.ts';
import { backUp, restore } from '../testing/model-disk.ts';

describe('a collection refuses', () => {
  test('when more than half of the points have gone, or all, unless it is forced', async () => {
    const { store } = await emptyStore();
    for (let number = 0; number < 5; number++) await backUp(store, `p${number}`, noise(number, 2));
    await store.collect();
    for (const gone of ['p0', 'p1', 'p2']) await store.deletePoint('vm', gone);
    const refused = {
      code: 'CollectionRefused',
      message: expect.stringContaining('2 recovery points, 5 at'),
    };
    await expect(store.collect()).rejects.toMatchObject(refused);
    await expect(store.collect({ dryRun: true })).rejects.toMatchObject(refused);
    expect((await store.collect({ force: true })).condemnedPacks).toBe(3);
    await store.deletePoint('vm', 'p3');
    await store.collect(); // a half is not more than a half
    await store.deletePoint('vm', 'p4');
    await expect(store.collect()).rejects.toMatchObject({ code: 'CollectionRefused' });
    await store.collect({ force: true });
    await store.collect();
    await store[Symbol.asyncDispose]();
  });

  test('when the very first one finds packs and no points', async () => {
    const { store } = await emptyStore();
    await backUp(store, 'p', noise(1, 2));
    await store.deletePoint('vm', 'p');
    await expect(store.collect()).rejects.toMatchObject({ code: 'CollectionRefused' });
    await store[Symbol.asyncDispose]();
  });

  test.each(['record', 'page', 'pack of the page'] as const)(
    'when a %s is damaged: it removes and condemns nothing',
    async (what) => {
      const { backend, clock, store, options } = await emptyStore(1);
      await backUp(store, 'kept', noise(1, 3));
      await backUp(store, 'gone', noise(2, 3));
      await backUp(store, 'hurt', noise(3, 3));
      await store.deletePoint('vm', 'gone');
      await store.collect();
      clock.move(25);
      await store[Symbol.asyncDispose]();
      const record = backend.objects.get('points/vm/hurt.point') ?? Buffer.alloc(0);
      if (what === 'record') record.writeUInt8(0x20, record.length - 5);
      else damagePage(backend, JSON.parse(String(record).split('\n')[2] ?? '').disks[0].disk.root, what);
      const before = snapshot(backend);
      await using again = await openStore(backend, options);
      const { code, message } = await again.collect().then(
        () => ({ code: 'none', message: '' }),
        (error: HoldfastError) => error,
      );
      expect(code).toBe('StoreDamaged');
      expect(message).toContain('points/vm/hurt.point');
      expect(snapshot(backend)).toBe(before);
      expect((await restore(again, 'kept')).equals(noise(1, 3))).toBe(true);
      // Once the damaged point is deleted, nothing is in the way any more.
      await again.deletePoint('vm', 'hurt');
      expect((await again.collect()).removedPacks).toBeGreaterThan(0);
    },
  );

  function damagePage(backend: MemoryBackend, root: string, what: 'page' | 'pack of the page'): void {
    for (const [name, bytes] of backend.objects) {
      if (!name.endsWith('.pack')) continue;
      const place = decodeFooter(bytes.subarray(-packFooterBytes), bytes.length);
      if ('wrong' in place) continue;
      const trailer = bytes.subarray(place.offset, place.offset + place.length);
      const page = [...trailerEntries(trailer)].find(({ id }) => Buffer.from(id).toString('hex') === root);
      if (page === undefined) continue;
      if (what === 'page') bytes.writeUInt8((bytes[page.offset + 9] ?? 0) ^ 1, page.offset + 9);
      else backend.objects.delete(name);
    }
  }

  test('a pack whose table of contents nobody can read is left alone', async () => {
    const { backend, clock, store, options } = await emptyStore();
    await backUp(store, 'kept', noise(1, 3));
    const [pack = ''] = [...backend.objects.keys()].filter((name) => name.endsWith('.pack'));
    await backUp(store, 'other', noise(2, 3));
    await store.deletePoint('vm', 'kept');
    await store[Symbol.asyncDispose]();
    for (const name of [...backend.objects.keys()])
      if (name.startsWith('index/')) backend.objects.delete(name);
    const bytes = backend.objects.get(pack) ?? Buffer.alloc(0);
    bytes.writeUInt8(0, bytes.length - 1);
    await using again = await openStore(backend, options);
    for (let round = 0; round < 3; round++) {
      expect(await again.collect()).toMatchObject({ condemnedPacks: 0, removedPacks: 0 });
      clock.move(25);
    }
    expect(backend.objects.has(pack)).toBe(true);
  });
});
