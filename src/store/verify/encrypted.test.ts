import { describe, expect, test } from 'vitest';
import { createStore, memoryBackend, openStore } from '../index.ts';
import { packEntryBytes } from '../pack-format.ts';
import { dropIndex, entriesOf, flip, newContent, oldContent, packIdOf } from '../testing/damaged-store.ts';
import { testKeyFile } from '../testing/encrypted.ts';
import { backUp, restore, testChunkBytes, testClock } from '../testing/model-disk.ts';

const create = { clock: testClock, chunkSizeBytes: testChunkBytes, encryption: { secrets: [testKeyFile] } };
const open = { clock: testClock, unlock: [testKeyFile] };

/** As the plain one of `testing/damaged-store.ts`, encrypted. */
async function twoPoints() {
  const backend = memoryBackend();
  const packNames = () => [...backend.objects.keys()].filter((name) => name.endsWith('.pack'));
  await using store = await createStore(backend, create);
  await backUp(store, 'old', oldContent);
  const [oldPack = ''] = packNames();
  const { disk } = await backUp(store, 'new', newContent);
  return { backend, disk, pack: packNames().find((name) => name !== oldPack) ?? '' };
}

describe('in an encrypted store', () => {
  test('a sound one passes; a flipped bit anywhere in a pack is found, located, and healed by the next backup', async () => {
    const { backend, pack } = await twoPoints();
    await using store = await openStore(backend, open);
    const nothing = { damagedPacks: [], damagedObjects: [], damagedPoints: [] };
    expect(await store.verify()).toMatchObject({ ...nothing, packs: 2, points: 2 });
    const bytes = backend.objects.get(pack) ?? Buffer.alloc(0);
    for (let at = 0; at < bytes.length; at += Math.floor(bytes.length / 40)) {
      flip(bytes, at);
      const { damagedPacks, damagedPoints } = await store.verify();
      expect(
        damagedPacks.map((one) => one.pack),
        String(at),
      ).toEqual([packIdOf(pack)]);
      expect(damagedPoints.map(({ pointId }) => pointId)).not.toContain('old');
      flip(bytes, at);
      expect(await store.verify(), String(at)).toMatchObject(nothing);
    }
    flip(bytes, 16 + 30);
    expect((await store.verify()).damagedPoints).toHaveLength(1);
    expect((await backUp(store, 'again', newContent)).newBytes).toBe(testChunkBytes);
    expect((await restore(store, 'new')).equals(newContent)).toBe(true);
  });

  test('what is around the frames is made again word for word, and a cut pack salvaged, without opening a seal', async () => {
    for (const harm of ['header', 'footer', 'cut'] as const) {
      const { backend, pack } = await twoPoints();
      const { bytes, entries } = entriesOf(backend, pack);
      const whole = Buffer.from(bytes);
      if (harm === 'header') flip(bytes, 3);
      if (harm === 'footer') flip(bytes, bytes.length - 60);
      if (harm === 'cut') backend.objects.set(pack, bytes.subarray(0, entries[14]?.offset));
      if (harm === 'footer') dropIndex(backend);
      await using store = await openStore(backend, open);
      await store.verify();
      const { salvagedChunks, failed } = await store.repair({ dryRun: false });
      expect(failed).toEqual([]);
      if (harm !== 'cut') {
        expect(backend.objects.get(pack)?.equals(whole), harm).toBe(true);
        expect((await restore(store, 'new')).equals(newContent)).toBe(true);
        continue;
      }
      expect(salvagedChunks).toBe(14);
      expect((await backUp(store, 'again', newContent)).newBytes).toBe(7 * testChunkBytes + 8192);
      expect((await restore(store, 'new')).equals(newContent)).toBe(true);
    }
  });

  test('frames prove themselves where the trailer is damaged and nothing else has it', async () => {
    const { backend, pack } = await twoPoints();
    const { bytes, entries } = entriesOf(backend, pack);
    // A bit of the first entry's id: that one frame is nobody's, all others are what their entries say.
    flip(bytes, bytes.length - (entries.length + 1) * packEntryBytes + 3);
    dropIndex(backend);
    await using store = await openStore(backend, open);
    await store.verify();
    const { salvagedChunks, damagedPoints } = await store.repair({ dryRun: false });
    expect(salvagedChunks).toBe(entries.length - 1);
    expect(damagedPoints[0]?.disks[0]).toMatchObject({ gapBytes: testChunkBytes, gapCount: 1 });
    expect((await restore(store, 'old')).equals(oldContent)).toBe(true);
  });

  test('it is healed from a store with another key, or with none: content is what counts', async () => {
    for (const secrets of [undefined, [{ ...testKeyFile, text: `${'a5'.repeat(32)}\n` }]]) {
      const { backend, disk, pack } = await twoPoints();
      const otherBackend = memoryBackend();
      await using other = await createStore(otherBackend, {
        clock: testClock,
        chunkSizeBytes: testChunkBytes,
        ...(secrets === undefined ? {} : { encryption: { secrets } }),
      });
      const copy = await backUp(other, 'new', newContent);
      expect(copy.disk.root).not.toBe(disk.root);
      backend.objects.delete(pack);
      dropIndex(backend);
      await using store = await openStore(backend, open);
      expect((await store.verify()).damagedPoints).toHaveLength(1);
      using reader = other.openDisk(copy.disk);
      const { lost } = await store.heal(disk, {
        read: (offset, length, signal) => reader.read(offset, length, signal),
      });
      expect(lost).toEqual([]);
      expect((await restore(store, 'new')).equals(newContent)).toBe(true);
    }
  });

  test('half of a key is named, and mended from its copy', async () => {
    const { backend } = await twoPoints();
    await using store = await openStore(backend, open);
    for (const name of [...backend.objects.keys()].filter((one) => one.endsWith('.key')))
      for (const damaged of [Buffer.from('x'), undefined]) {
        const whole = Buffer.from(backend.objects.get(name) ?? Buffer.alloc(0));
        if (damaged === undefined) backend.objects.delete(name);
        else backend.objects.set(name, damaged);
        expect((await store.verify()).damagedObjects).toEqual([
          expect.objectContaining({
            name,
            harm: 'none',
            kind: damaged === undefined ? 'missing' : 'corrupt',
          }),
        ]);
        const { steps } = await store.repair({ dryRun: false });
        expect(steps).toEqual([expect.objectContaining({ action: 'rewrite', target: name })]);
        expect(backend.objects.get(name)?.equals(whole)).toBe(true);
      }
  });

  test('a damaged key is named, and nothing but a key can mend it', async () => {
    const { backend } = await twoPoints();
    await using store = await openStore(backend, open);
    const names = [...backend.objects.keys()].filter((one) => one.endsWith('.key'));
    const whole = Buffer.from(backend.objects.get(names[0] ?? '') ?? Buffer.alloc(0));
    for (const damaged of [whole.subarray(0, -1), Buffer.alloc(0), undefined]) {
      for (const name of names)
        if (damaged === undefined) backend.objects.delete(name);
        else backend.objects.set(name, Buffer.from(damaged));
      const { damagedObjects } = await store.verify();
      expect(damagedObjects).toEqual([expect.objectContaining({ name: 'keys/', harm: 'store' })]);
      const { steps } = await store.repair({ dryRun: false });
      expect(steps).toEqual([expect.objectContaining({ action: 'lost', target: 'keys/' })]);
    }
    for (const name of names) backend.objects.set(name, whole);
    backend.objects.delete('keys/marker');
    expect((await store.repair({ dryRun: false })).steps).toEqual([
      expect.objectContaining({ action: 'rewrite', target: 'keys/marker' }),
    ]);
    expect((await store.verify()).damagedObjects).toEqual([]);
  });
});
