import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type MemoryBackend, memoryBackend } from './backends/memory.ts';
import { ChunkIndex, packStates } from './chunk-index.ts';
import { encodeSegment, type IndexSection } from './index-segment.ts';
import { packName } from './layout.ts';
import {
  chunkKinds,
  codecs,
  encodeFooter,
  encodeTrailer,
  type PackEntry,
  packFooterBytes,
  packIdOfTrailer,
} from './pack-format.ts';
import { PackTable } from './pack-table.ts';
import { PackTrailers } from './pack-trailers.ts';
import { Quarantine } from './verify/quarantine.ts';

/** Few distinct beginnings: most look-ups meet strangers, of which only the whole id tells. */
function entry(chunk: number, offset: number): PackEntry {
  const id = Buffer.alloc(32, chunk);
  id.writeUInt32BE(chunk % 7);
  const { data: kind } = chunkKinds;
  const lengths = { storedLength: 10 + chunk, plainLength: 100 + chunk };
  return { id, kind, codec: codecs.plain, offset, crc: chunk, ...lengths };
}

const frameBytes = 100_000;

/** A pack of nothing but a table of contents, on the medium and in the index. */
class Packs {
  readonly backend: MemoryBackend = memoryBackend();
  readonly packs = new PackTable();
  readonly quarantine = new Quarantine(this.backend);
  readonly trailers: PackTrailers;
  readonly index: ChunkIndex;

  constructor(cacheBytes = 200) {
    this.trailers = new PackTrailers(this.backend, this.packs, cacheBytes);
    this.index = new ChunkIndex(this.packs, this.trailers, this.quarantine);
  }

  section(chunks: readonly number[]): IndexSection {
    const trailer = encodeTrailer(chunks.map((chunk) => entry(chunk, chunk * 1000)));
    const packBytes = frameBytes + trailer.length + packFooterBytes;
    return { packId: packIdOfTrailer(trailer), packBytes, trailer };
  }

  add(chunks: readonly number[]): number {
    const section = this.section(chunks);
    const { packId, packBytes, trailer } = section;
    const bytes = Buffer.concat([Buffer.alloc(frameBytes), trailer, encodeFooter(frameBytes, trailer)]);
    this.backend.objects.set(packName(packId), bytes);
    this.packs.setPresent(packId, packBytes);
    const number = this.packs.number(packId);
    if (this.index.packState(number) === packStates.gone) this.index.setPackState(number, packStates.kept);
    this.index.addPack(section);
    this.quarantine.forget(packId);
    return number;
  }

  collect(pack: number): void {
    const packId = this.packs.id(pack);
    this.backend.objects.delete(packName(packId));
    this.packs.forget(packId);
    this.index.setPackState(pack, packStates.gone);
    this.index.removePack(pack);
    this.quarantine.forget(packId);
  }
}

const contents = fc.uniqueArray(fc.nat(40), { minLength: 1, maxLength: 6 });
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ add: contents }) },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constantFrom('condemn', 'pardon', 'collect', 'lose', 'mark', 'sweep'),
      at: fc.nat(20),
    }),
  },
);

interface ModelPack {
  chunks: readonly number[];
  condemned: boolean;
  lost: boolean;
  bad: Set<number>;
}

describe('the index', () => {
  test('knows what a plain map would know, while packs come, are condemned, lost and go', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const store = new Packs();
        const { index, packs } = store;
        const model = new Map<number, ModelPack>();
        for (const each of steps) {
          if ('add' in each) {
            const pack = store.add(each.add);
            const condemned = model.get(pack)?.condemned ?? false;
            model.set(pack, { chunks: each.add, condemned, lost: false, bad: new Set() });
            continue;
          }
          const [pack, known] = [...model][each.at % Math.max(1, model.size)] ?? [];
          if (pack === undefined || known === undefined) continue;
          if (each.what === 'condemn' || each.what === 'pardon') {
            known.condemned = each.what === 'condemn';
            index.setPackState(pack, known.condemned ? packStates.condemned : packStates.kept);
          } else if (each.what === 'lose') {
            packs.setLost(packs.id(pack));
            known.lost = true;
          } else if (each.what === 'mark') {
            const [chunk = 0] = known.chunks;
            known.bad.add(chunk);
            index.markBad({ pack, offset: chunk * 1000 });
          } else if (each.what === 'collect') {
            store.collect(pack);
            model.delete(pack);
          } else for (const _ of index.sweep());
        }
        const ids = Array.from({ length: 41 }, (_, chunk) => entry(chunk, 0).id);
        const all = await index.copies(ids);
        const found = await index.find(ids);
        for (const [chunk, copies] of all.entries()) {
          const holders = [...model].filter(([, { chunks }]) => chunks.includes(chunk));
          // What was in a lost pack is known as long as its table of contents is at hand.
          const sure = holders.filter(([, { lost }]) => !lost).map(([pack]) => pack);
          const seen = copies.map(({ pack }) => pack);
          expect(holders.map(([pack]) => pack)).toEqual(expect.arrayContaining(seen));
          expect(seen).toEqual(expect.arrayContaining(sure));
          expect(copies.every(({ offset, crc }) => offset === chunk * 1000 && crc === chunk)).toBe(true);
          const isGood = ([, { lost, bad }]: [number, ModelPack]) => !lost && !bad.has(chunk);
          const good = holders.filter(isGood);
          for (const copy of copies) expect(copy.bad).toBe(!good.some(([pack]) => pack === copy.pack));
          expect(found[chunk] !== undefined).toBe(good.length > 0);
          const lasting = good.some(([, { condemned }]) => !condemned);
          const [kept] = await index.findLasting([entry(chunk, 0).id], 100 + chunk);
          expect(kept !== undefined).toBe(lasting);
          expect(await index.find([entry(chunk, 0).id], 99)).toEqual([undefined]);
          const candidates = index.candidates(entry(chunk, 0).id);
          expect(candidates).toEqual(expect.arrayContaining(copies.map((copy) => copy.entry)));
        }
        const present = [...model.values()].filter(({ lost }) => !lost).flatMap(({ chunks }) => chunks);
        expect(index.chunks).toBe(present.length);
        expect(index.plainBytes).toBe(present.reduce((sum, chunk) => sum + 100 + chunk, 0));
        for (const _ of index.sweep());
        expect(index.table.count).toBe([...model.values()].flatMap(({ chunks }) => chunks).length);
      }),
      { numRuns: 150, seed: 1 },
    );
  });

  test('reads a table of contents once for many chunks, and none for a chunk it does not have', async () => {
    const store = new Packs(0);
    const ids = Array.from({ length: 100 }, (_, number) => {
      const id = Buffer.alloc(32);
      id.writeUInt32BE(number * 40_000_000 + 1);
      return id;
    });
    const trailer = encodeTrailer(ids.slice(0, 50).map((id, number) => ({ ...entry(1, number), id })));
    const packId = packIdOfTrailer(trailer);
    const packBytes = trailer.length + packFooterBytes;
    store.backend.objects.set(packName(packId), Buffer.concat([trailer, encodeFooter(0, trailer)]));
    store.packs.setPresent(packId, packBytes);
    store.index.addPack({ packId, packBytes, trailer });
    store.add([1]); // takes the place in the cache
    const misses = await store.index.find(ids.slice(50));
    expect(misses.every((copy) => copy === undefined)).toBe(true);
    expect(store.trailers.loads).toBe(0);
    expect((await store.index.find(ids)).filter((copy) => copy !== undefined)).toHaveLength(50);
    expect(store.trailers.loads).toBe(1);
  });

  test('does not know a number again that a collected pack has had', () => {
    const store = new Packs();
    const pack = store.add([1, 2]);
    const first = store.index.candidates(entry(1, 0).id);
    store.collect(pack);
    expect(store.index.candidates(entry(1, 0).id)).toEqual([]);
    expect(store.add([1, 2])).toBe(pack); // the very same pack
    const second = store.index.candidates(entry(1, 0).id);
    expect(second).toHaveLength(1);
    expect(second).not.toEqual(first);
    for (const _ of store.index.sweep());
    expect(store.index.candidates(entry(1, 0).id)).toEqual(second);
    expect(store.index.table.count).toBe(2);
  });

  test('takes no more memory by chunks that come and go', () => {
    const store = new Packs();
    let most = 0;
    for (let round = 0; round < 50; round++) {
      const pack = store.add([round % 40, (round + 1) % 40, (round + 2) % 40]);
      most = Math.max(most, store.index.table.bytes);
      store.collect(pack);
      for (const _ of store.index.sweep());
    }
    expect(store.index.table.count).toBe(0);
    expect(most).toBeLessThan(4000);
  });

  test('puts no mark on what is in a pack that has gone', () => {
    const store = new Packs();
    const { index } = store;
    const pack = store.add([3, 4]);
    index.markBad({ pack, offset: 3000 });
    index.markBad({ pack, offset: 4000 });
    index.markGood({ pack, offset: 4000 });
    expect(index.hasDamage).toBe(true);
    store.collect(pack);
    expect(index.hasDamage).toBe(false);
    index.markBad({ pack, offset: 3000 }); // by someone who looked it up before
    expect(index.hasDamage).toBe(false);
  });
});

describe('a table of contents that cannot be read when it is needed', () => {
  async function withSegment(): Promise<{ store: Packs; pack: number; name: string }> {
    const store = new Packs(0);
    const pack = store.add([5, 6]);
    await store.backend.put('index/a.segment', encodeSegment([store.section([5, 6])]));
    await store.backend.put('holdfast-store', [Buffer.from('x')]);
    store.add([1]);
    return { store, pack, name: packName(store.packs.id(pack)) };
  }

  test('is taken from a segment', async () => {
    const { store, pack, name } = await withSegment();
    const bytes = store.backend.objects.get(name) ?? Buffer.alloc(0);
    bytes[frameBytes + 3] = (bytes[frameBytes + 3] ?? 0) ^ 1;
    expect((await store.index.find([entry(5, 0).id]))[0]).toMatchObject({ pack, offset: 5000, bad: false });
    expect(store.packs.hasDamage).toBe(false);
  });

  test('is taken from a segment that came later, or from another when the segments were merged', async () => {
    const { store, name } = await withSegment();
    store.backend.objects.set(name, Buffer.alloc(frameBytes));
    expect((await store.index.copies([entry(5, 0).id]))[0]).toHaveLength(1);
    store.add([1]);
    store.backend.objects.delete('index/a.segment');
    store.trailers.forget(store.packs.number(store.section([5, 6]).packId));
    expect((await store.index.copies([entry(5, 0).id]))[0]).toHaveLength(0);
    await store.backend.put('index/b.segment', encodeSegment([store.section([5, 6])]));
    expect((await store.index.copies([entry(5, 0).id]))[0]).toHaveLength(1);
  });

  test('counts as unknown where no segment has it, and as known when it can be read again', async () => {
    const { store, pack, name } = await withSegment();
    store.backend.objects.delete('index/a.segment');
    const bytes = store.backend.objects.get(name) ?? Buffer.alloc(0);
    bytes[frameBytes + 3] = (bytes[frameBytes + 3] ?? 0) ^ 1;
    const [found] = await store.index.lookUp([entry(5, 0).id]);
    expect(found?.copies).toEqual([]);
    expect(found?.doubtful).toHaveLength(1);
    expect(store.packs.unreadable.get(store.packs.id(pack))).toMatch('damaged');
    bytes[frameBytes + 3] = (bytes[frameBytes + 3] ?? 0) ^ 1;
    expect((await store.index.find([entry(5, 0).id]))[0]).toMatchObject({ pack, offset: 5000 });
    expect(store.packs.unreadable.size).toBe(0);
  });

  test('shows that the pack has gone: what was in it is bad, and no writer relies on it', async () => {
    const { store, pack, name } = await withSegment();
    store.backend.objects.delete(name);
    expect((await store.index.copies([entry(5, 0).id]))[0]).toEqual([
      expect.objectContaining({ pack, offset: 5000, bad: true }),
    ]);
    expect(await store.index.findLasting([entry(5, 0).id], 105)).toEqual([undefined]);
    expect(store.index.hasDamage).toBe(true);
  });
});
