import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../errors/index.ts';
import { createStore, memoryBackend, openStore, type Store } from './index.ts';
import { packFooterBytes } from './pack-format.ts';
import {
  damageOptions,
  dropIndex,
  entriesOf,
  flip,
  newContent,
  oldContent,
  packIdOf,
  twoPoints,
} from './testing/damaged-store.ts';
import { backUp, bytesFrom, restore, testChunkBytes } from './testing/model-disk.ts';

const damaged = { code: 'StoreDamaged' };

async function expectOldIsWhole(store: Store): Promise<void> {
  expect((await restore(store, 'old')).equals(oldContent)).toBe(true);
  expect(await store.verifyPoint('vm', 'old', {})).toEqual([]);
}

describe('damage is found, located, and stays where it is', () => {
  test('any flipped bit of a data frame names disk, stretch, chunk and pack', async () => {
    const { backend, packs } = await twoPoints();
    const pack = packs[1] ?? '';
    const { bytes, entries } = entriesOf(backend, pack);
    for (const entry of entries.filter(({ kind }) => kind === 1)) {
      flip(bytes, entry.offset + Math.floor(entry.storedLength / 2));
      await using store = await openStore(backend, damageOptions);
      const chunkId = Buffer.from(entry.id).toString('hex');
      const found = await store.verifyPoint('vm', 'new', {});
      expect(found).toEqual([
        expect.objectContaining({ kind: 'corrupt', disk: 'sda', chunkId, pack: packIdOf(pack) }),
      ]);
      const [{ offset = -1, length = -1 } = {}] = found;
      expect(offset % testChunkBytes).toBe(0);
      expect(length).toBe(Math.min(testChunkBytes, newContent.length - offset));
      await expect(restore(store, 'new')).rejects.toMatchObject({
        ...damaged,
        message: expect.stringMatching(
          new RegExp(`Bytes ${offset} to .*${chunkId} in pack ${packIdOf(pack)}`),
        ),
      });
      const { disks } = await store.readPoint('vm', 'new');
      const reader = store.openDisk(disks[0]?.disk ?? { root: undefined, sizeBytes: 0, chunkSizeBytes: 0 });
      await expect(reader.read(offset, 1)).rejects.toMatchObject(damaged);
      await expect(reader.copyTo(async () => {})).rejects.toMatchObject(damaged);
      const beside = offset === 0 ? testChunkBytes : offset - 1;
      expect((await reader.read(beside, 1))[0]).toBe(newContent[beside]);
      await expectOldIsWhole(store);
      flip(bytes, entry.offset + Math.floor(entry.storedLength / 2));
    }
  });

  test('an incremental that needs a damaged chunk names it; one that does not reads its neighbours', async () => {
    const { backend, packs, disk } = await twoPoints();
    const pack = packs[1] ?? '';
    const { bytes, entries } = entriesOf(backend, pack);
    const { id, offset: at = 0 } = entries[2] ?? {};
    flip(bytes, at);
    await using store = await openStore(backend, damageOptions);
    const parts = Array.from({ length: Math.floor(newContent.length / testChunkBytes) }, (_, chunk) => ({
      offset: chunk * testChunkBytes + 4096,
      length: 4096,
      zero: false,
    }));
    const content = Buffer.from(newContent);
    for (const part of parts) content.fill(7, part.offset, part.offset + part.length);
    const refused = await backUp(store, 'in-part', content, { base: disk, extents: parts }).catch(
      (error: unknown) => error,
    );
    const [{ offset = -1 } = {}] = await store.verifyPoint('vm', 'new', {});
    const chunkId = Buffer.from(id ?? []).toString('hex');
    expect(refused).toMatchObject({
      ...damaged,
      message: expect.stringMatching(new RegExp(`Bytes ${offset} to .*${chunkId} in pack ${packIdOf(pack)}`)),
    });
    const extents = parts.map((part) =>
      part.offset === offset + 4096 ? { offset, length: testChunkBytes, zero: false } : part,
    );
    await backUp(store, 'whole', content, { base: disk, extents });
    expect((await restore(store, 'whole')).equals(content)).toBe(true);
  });

  test('a flipped bit of a map page loses the stretch under it, not more', async () => {
    const { backend, packs } = await twoPoints();
    const { bytes, entries } = entriesOf(backend, packs[1] ?? '');
    const page = entries.find(({ kind }) => kind === 2);
    flip(bytes, (page?.offset ?? 0) + 1);
    await using store = await openStore(backend, damageOptions);
    expect(await store.verifyPoint('vm', 'new', {})).toEqual([
      expect.objectContaining({ kind: 'corrupt', disk: 'sda', offset: 0, length: newContent.length }),
    ]);
    await expect(restore(store, 'new')).rejects.toMatchObject(damaged);
    await expectOldIsWhole(store);
  });

  test.each(['missing', 'cut', 'footer', 'trailer', 'emptied'] as const)(
    'a pack that is %s damages its own point only, with and without an index',
    async (damage) => {
      for (const withIndex of [true, false]) {
        const { backend, packs } = await twoPoints();
        const name = packs[1] ?? '';
        const bytes = backend.objects.get(name) ?? Buffer.alloc(0);
        if (damage === 'missing') backend.objects.delete(name);
        if (damage === 'cut') backend.objects.set(name, bytes.subarray(0, bytes.length >> 1));
        if (damage === 'emptied') backend.objects.set(name, Buffer.alloc(0));
        if (damage === 'footer') flip(bytes, bytes.length - 60);
        if (damage === 'trailer') flip(bytes, bytes.length - packFooterBytes - 30);
        if (!withIndex) dropIndex(backend);
        await using store = await openStore(backend, damageOptions);
        await expectOldIsWhole(store);
        const found = await store.verifyPoint('vm', 'new', {});
        if (withIndex && (damage === 'footer' || damage === 'trailer')) {
          expect(found).toEqual([]); // the index still knows what the table of contents said
          continue;
        }
        expect(found.length).toBeGreaterThan(0);
        // With the pack and the index both gone, nothing is left that could name the pack.
        if (withIndex || damage !== 'missing') expect(found[0]?.pack).toBe(packIdOf(name));
        await expect(restore(store, 'new')).rejects.toMatchObject(damaged);
        // A full backup does not lean on what is gone.
        const { newBytes } = await backUp(store, 'again', newContent);
        expect(newBytes).toBeGreaterThan(0);
        expect((await restore(store, 'again')).equals(newContent)).toBe(true);
        expect(await store.verifyPoint('vm', 'new', {})).toEqual([]);
      }
    },
  );

  test('a damaged record is reported, and the other points are listed', async () => {
    const { backend } = await twoPoints();
    const name = 'points/vm/new.point';
    const bytes = backend.objects.get(name) ?? Buffer.alloc(0);
    const whole = Buffer.from(bytes);
    const expectReported = async (code: string) => {
      await using store = await openStore(backend, damageOptions);
      const { points, damaged: found } = await store.listPoints();
      expect(points.map(({ pointId }) => pointId)).toEqual(['old']);
      expect(found).toEqual([{ kind: 'corrupt', message: expect.stringContaining(name) }]);
      await expect(store.readPoint('vm', 'new')).rejects.toMatchObject({ code });
      await expectOldIsWhole(store);
    };
    for (const at of [0, 30, whole.length - 5]) {
      backend.objects.set(name, Buffer.from(whole));
      flip(backend.objects.get(name) ?? Buffer.alloc(0), at);
      await expectReported('StoreDamaged');
    }
    for (const length of [0, 10, 70, whole.length - 1]) {
      backend.objects.set(name, whole.subarray(0, length));
      await expectReported('StoreDamaged');
    }
    backend.objects.set(name, Buffer.from(whole.toString().replace('point 1', 'point 2')));
    await expectReported('StoreVersionNotSupported');
    backend.objects.set(name, backend.objects.get('points/vm/old.point') ?? Buffer.alloc(0));
    await expectReported('StoreDamaged');
  });

  test('a description that the medium has lost in both places is told from one that was never there', async () => {
    const { backend } = await twoPoints();
    const halves = ['holdfast-store', 'holdfast-store-copy'];
    for (const name of halves) {
      const bytes = backend.objects.get(name) ?? Buffer.alloc(0);
      flip(bytes, bytes.length - 20);
    }
    await expect(openStore(backend, damageOptions)).rejects.toMatchObject(damaged);
    for (const name of halves) backend.objects.delete(name);
    await expect(openStore(backend, damageOptions)).rejects.toMatchObject({ code: 'StoreNotFound' });
  });

  test('a description that cannot be read is read from its copy, and the store is not away', async () => {
    const { backend, packs } = await twoPoints();
    const { get } = backend;
    const broken = new Set(['holdfast-store', packs[1]]);
    backend.get = async (name, range) => {
      if (broken.has(name)) throw new HoldfastError('StoreUnavailable', 'EIO: i/o error');
      return await get(name, range);
    };
    await using store = await openStore(backend, damageOptions);
    expect((await store.verifyPoint('vm', 'new', {}))[0]).toMatchObject({ kind: 'corrupt' });
    await expectOldIsWhole(store);
    broken.add('holdfast-store-copy');
    await expect(store.verify()).rejects.toMatchObject({ code: 'StoreUnavailable' });
  });

  test('a stretch the medium cannot read is damage; a store it cannot reach is not', async () => {
    const { backend, packs } = await twoPoints();
    await using store = await openStore(backend, damageOptions);
    const { get } = backend;
    const broken = new HoldfastError('StoreUnavailable', 'EIO: i/o error');
    backend.get = async (name, range) => {
      if (name === packs[1]) throw broken;
      return await get(name, range);
    };
    expect((await store.verifyPoint('vm', 'new', {}))[0]).toMatchObject({
      kind: 'corrupt',
      pack: packIdOf(packs[1] ?? ''),
    });
    await expectOldIsWhole(store);
    backend.get = async () => {
      throw broken;
    };
    await expect(store.verifyPoint('vm', 'old', {})).rejects.toBe(broken);
    backend.get = get;
    expect(await store.verifyPoint('vm', 'new', {})).toEqual([]);
  });
});

describe('what the medium cannot read', () => {
  test.each(['pack', 'segment', 'point'] as const)(
    'in one %s does not keep the store from opening',
    async (suffix) => {
      const { backend } = await twoPoints();
      if (suffix === 'pack') dropIndex(backend);
      const oldPack = [...backend.objects.keys()].find((name) => name.endsWith('.pack'));
      const { get } = backend;
      backend.get = async (name, range) => {
        if (name.endsWith(`.${suffix}`) && name !== oldPack && !name.endsWith('/old.point'))
          throw new HoldfastError('StoreUnavailable', 'EIO: i/o error');
        return await get(name, range);
      };
      await using store = await openStore(backend, damageOptions);
      await expectOldIsWhole(store);
      const { points, damaged: found } = await store.listPoints();
      expect(points).toHaveLength(suffix === 'point' ? 1 : 2);
      expect(found).toHaveLength(suffix === 'point' ? 1 : 0);
      if (suffix === 'segment') expect((await restore(store, 'new')).equals(newContent)).toBe(true);
      else await expect(restore(store, 'new')).rejects.toMatchObject(damaged);
    },
  );
});

describe('healing', () => {
  test('the next backup that meets damaged content writes it anew, and old points read again', async () => {
    const { backend, packs, disk } = await twoPoints();
    const { bytes, entries } = entriesOf(backend, packs[1] ?? '');
    flip(bytes, entries[3]?.offset ?? 0);
    await using store = await openStore(backend, damageOptions);
    expect(await store.verifyPoint('vm', 'new', {})).toHaveLength(1);
    const before = await store.stats();
    // An incremental would inherit the damage: it is refused, not recorded as complete.
    const unchanged = { base: disk, extents: [] };
    await expect(backUp(store, 'incremental', newContent, unchanged)).rejects.toMatchObject(damaged);
    const { newBytes } = await backUp(store, 'full', newContent);
    expect(newBytes).toBe(testChunkBytes);
    expect((await store.stats()).chunks).toBe(before.chunks + 1);
    expect((await restore(store, 'new')).equals(newContent)).toBe(true);
    expect(await store.verifyPoint('vm', 'new', {})).toEqual([]);
    await backUp(store, 'incremental-2', newContent, unchanged);
    await store[Symbol.asyncDispose]();
    // After a restart the bad copy is found bad again, and the good one used.
    await using again = await openStore(backend, damageOptions);
    expect((await restore(again, 'new')).equals(newContent)).toBe(true);
    expect(await again.verifyPoint('vm', 'new', {})).toEqual([]);
  });

  test('a pack written again under its name counts as good again', async () => {
    const backend = memoryBackend();
    await using store = await createStore(backend, damageOptions);
    const content = bytesFrom(1, testChunkBytes);
    await backUp(store, 'p', content);
    const name = [...backend.objects.keys()].find((object) => object.endsWith('.pack')) ?? '';
    const whole = Buffer.from(backend.objects.get(name) ?? Buffer.alloc(0));
    backend.objects.delete(name);
    expect(await store.verifyPoint('vm', 'p', {})).toHaveLength(1);
    await expect(restore(store, 'p')).rejects.toMatchObject(damaged);
    await backUp(store, 'q', content);
    expect(backend.objects.get(name)?.equals(whole)).toBe(true);
    expect((await restore(store, 'p')).equals(content)).toBe(true);
    expect((await store.stats()).chunks).toBe(2);
  });
});
