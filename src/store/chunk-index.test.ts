import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ChunkIndex, packStates } from './chunk-index.ts';
import { chunkKinds, codecs, type PackEntry } from './pack-format.ts';

/** Few distinct first bytes, so that look-ups collide and gaps in the table matter. */
function entry(chunk: number, offset: number): PackEntry {
  const id = Buffer.alloc(32, chunk);
  id.writeUInt32LE(chunk % 7, 0);
  const { data: kind } = chunkKinds;
  const lengths = { storedLength: 10 + chunk, plainLength: 100 + chunk };
  return { id, kind, codec: codecs.plain, offset, crc: chunk, ...lengths };
}

function sweep(index: ChunkIndex): void {
  for (const _ of index.sweep());
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant('insert'), pack: fc.nat(5), chunk: fc.nat(40) }) },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constantFrom('condemn', 'pardon', 'collect'), pack: fc.nat(5) }),
  },
);

describe('the index', () => {
  test('knows what a plain map would know, while packs come, are condemned and go', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const index = new ChunkIndex();
        const packs = new Map<number, Set<number>>();
        const condemned = new Set<number>();
        for (const each of steps) {
          const { pack } = each;
          if ('chunk' in each) {
            index.insert(pack, entry(each.chunk, each.chunk * 1000));
            packs.set(pack, (packs.get(pack) ?? new Set()).add(each.chunk));
          } else if (each.what === 'condemn') {
            index.setPackState(pack, packStates.condemned);
            condemned.add(pack);
          } else if (each.what === 'pardon') {
            index.setPackState(pack, packStates.kept);
            condemned.delete(pack);
          } else {
            index.setPackState(pack, packStates.gone);
            sweep(index);
            index.setPackState(pack, packStates.kept);
            packs.delete(pack);
            condemned.delete(pack);
          }
        }
        const all = new Set<number>();
        for (let chunk = 0; chunk <= 40; chunk++) {
          const { id, plainLength } = entry(chunk, 0);
          const holders = [...packs].filter(([, chunks]) => chunks.has(chunk)).map(([pack]) => pack);
          if (holders.length > 0) all.add(chunk);
          const copies = index.copies(id);
          expect(copies.map(({ pack }) => pack).sort()).toEqual(holders.sort());
          expect(copies.every(({ offset, crc }) => offset === chunk * 1000 && crc === chunk)).toBe(true);
          const lasting = holders.some((pack) => !condemned.has(pack));
          expect(index.findLasting(id, plainLength) !== undefined).toBe(lasting);
          if (lasting) expect(condemned.has(index.find(id)?.pack ?? -1)).toBe(false);
          else expect(index.find(id) !== undefined).toBe(holders.length > 0);
          expect(index.soleEntry(id)).toBe(holders.length === 1 ? copies[0]?.entry : -1);
        }
        expect(index.chunks).toBe(all.size);
        expect(index.uniqueBytes).toBe([...all].reduce((sum, chunk) => sum + 100 + chunk, 0));
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  test('does not take a mark for a copy whose entry has been given to another chunk', () => {
    const index = new ChunkIndex();
    index.insert(0, entry(1, 0));
    const [old] = index.copies(entry(1, 0).id);
    index.setPackState(0, packStates.gone);
    sweep(index);
    index.insert(1, entry(2, 0));
    const [young] = index.copies(entry(2, 0).id);
    expect(young?.entry).toBe(old?.entry);
    if (old !== undefined) index.markBad(old);
    expect(index.hasDamage).toBe(false);
    if (young !== undefined) index.markBad(young);
    expect(index.hasDamage).toBe(true);
  });

  test('grows no larger by chunks that come and go', () => {
    const index = new ChunkIndex();
    let highest = 0;
    for (let round = 0; round < 50; round++) {
      for (let chunk = 0; chunk < 100; chunk++) index.insert(round, entry(chunk, chunk));
      for (let chunk = 0; chunk < 100; chunk++)
        highest = Math.max(highest, index.find(entry(chunk, 0).id)?.entry ?? 0);
      index.setPackState(round, packStates.gone);
      sweep(index);
    }
    expect(index.chunks).toBe(0);
    expect(highest).toBeLessThan(100);
  });
});
