import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FingerprintTable, lastEntry, shardCount } from './fingerprint-table.ts';
import { randomFrom } from './testing/scheduler.ts';

/** The first 35 bits are all the table sees; `rest` is beyond them. */
function idOf(shard: number, key: number, rest = 0): Buffer {
  const id = Buffer.alloc(32, rest);
  id[0] = shard >> 3;
  id.writeUInt32BE((((shard & 7) << 29) | (key << 5) | (rest & 31)) >>> 0, 1);
  return id;
}

/** Few keys, at both ends and crowded in between. */
const keys = [0, 1, 2, 3, 0x7f_ffff, 0x80_0000, 0x80_0001, 0xff_fffc, 0xff_fffd, 0xff_fffe];
const chunk = fc.record({
  shard: fc.constantFrom(0, 1, 1025, shardCount - 1),
  key: fc.oneof(fc.constantFrom(...keys), fc.integer({ min: 0, max: 0xff_fffe })),
});
const step = fc.oneof(
  { weight: 30, arbitrary: chunk },
  { weight: 1, arbitrary: fc.record({ drop: fc.nat(6) }) },
);

type Model = { shard: number; key: number; entries: number[] }[];

function expectSame(table: FingerprintTable, model: Model): void {
  for (const { shard, key, entries } of model) {
    expect(table.candidates(idOf(shard, key))).toEqual(entries);
    expect(table.candidates(idOf(shard, key, 7))).toEqual(entries); // a stranger with the same beginning
  }
  expect(table.count).toBe(model.reduce((sum, { entries }) => sum + entries.length, 0));
}

function copyOf(table: FingerprintTable): FingerprintTable {
  const copy = new FingerprintTable();
  for (let shard = 0; shard < shardCount; shard++)
    if (!copy.fill(shard, table.packed(shard, same), same)) throw new Error(`shard ${shard} was refused`);
  return copy;
}

const same = (entry: number) => entry;

describe('the table of fingerprints', () => {
  test('has what a plain map would have, while entries come and go and it is written and read', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const table = new FingerprintTable();
        const model: Model = [];
        let next = 0;
        for (const each of steps) {
          if ('drop' in each) {
            const keep = (entry: number) => entry % 7 !== each.drop;
            for (const _ of table.retain(keep));
            for (const known of model) known.entries = known.entries.filter(keep);
            continue;
          }
          const { shard, key } = each;
          let known = model.find((other) => other.shard === shard && other.key === key);
          if (known === undefined) {
            known = { shard, key, entries: [] };
            model.push(known);
          }
          table.insert(idOf(shard, key), 0, next);
          known.entries.push(next++);
        }
        expectSame(table, model);
        expectSame(copyOf(table), model);
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  test('finds everything in a crowded shard and nothing else, and takes eight bytes a chunk', () => {
    const table = new FingerprintTable();
    const random = randomFrom(5);
    const known = new Map<number, number[]>();
    for (let entry = 0; entry < 50_000; entry++) {
      const key = random(0xff_ffff);
      table.insert(idOf(77, key), 0, entry);
      known.set(key, [...(known.get(key) ?? []), entry]);
    }
    expect(table.bytes / 50_000).toBeLessThan(8);
    for (const [key, entries] of known) {
      expect(table.candidates(idOf(77, key))).toEqual(entries);
      const other = (key + 1) % 0xff_ffff;
      if (!known.has(other)) expect(table.candidates(idOf(77, other))).toEqual([]);
      expect(table.candidates(idOf(78, key))).toEqual([]);
    }
    for (const _ of table.retain((entry) => entry < 100));
    expect(table.count).toBe(100);
    for (const [key, entries] of known)
      expect(table.candidates(idOf(77, key))).toEqual(entries.filter((entry) => entry < 100));
  });

  test('borg #8535: stays as it is however often entries come and go', () => {
    const table = new FingerprintTable();
    const random = randomFrom(8);
    let live = new Map<number, number>();
    let next = 0;
    let most = 0;
    for (let round = 0; round < 60; round++) {
      while (live.size < 2000) {
        const key = random(0x1_0000_0000);
        if (live.has(key)) continue;
        table.insert(idOf(3, key), 0, next);
        live.set(key, next++);
      }
      if (round === 5) most = table.bytes;
      // Nothing is left where an entry has been: what is not there is not found, and looked for in no time.
      const kept = new Map([...live].filter(([, entry]) => entry % 5 !== round % 5));
      for (const _ of table.retain((entry) => entry % 5 !== round % 5));
      const gone = [...live.keys()].filter((key) => !kept.has(key)).slice(0, 50);
      live = kept;
      for (const key of gone) expect(table.candidates(idOf(3, key))).toEqual([]);
      expect(table.count).toBe(live.size);
    }
    for (const [key, entry] of live) expect(table.candidates(idOf(3, key))).toEqual([entry]);
    expect(table.bytes).toBeLessThan(most * 1.25);
  });

  test('takes chunks whose ids all begin alike', () => {
    for (const key of [0, 0x80_0000, 0xff_ffff]) {
      const table = new FingerprintTable();
      const all = Array.from({ length: 3000 }, (_, entry) => entry);
      for (const entry of all) table.insert(idOf(5, key), 0, entry);
      expect(table.candidates(idOf(5, key))).toEqual(all);
      expect(copyOf(table).candidates(idOf(5, key))).toEqual(all);
    }
  });

  test('keeps the highest number there is', () => {
    const table = new FingerprintTable();
    table.insert(idOf(5, 9), 0, lastEntry);
    expect(copyOf(table).candidates(idOf(5, 9))).toEqual([lastEntry]);
  });

  test('gives entries other numbers on their way out and in, and leaves some behind', () => {
    const table = new FingerprintTable();
    for (let entry = 0; entry < 20; entry++) table.insert(idOf(5, entry * 1000), 0, entry);
    const packed = table.packed(5, (entry) => (entry % 2 === 0 ? entry / 2 : undefined));
    const copy = new FingerprintTable();
    expect(copy.fill(5, packed, (entry) => (entry < 5 ? entry + 100 : undefined))).toBe(true);
    expect(copy.count).toBe(5);
    expect(copy.candidates(idOf(5, 8000))).toEqual([104]);
    expect(copy.candidates(idOf(5, 1000))).toEqual([]);
    expect(copy.candidates(idOf(5, 10_000))).toEqual([]);
  });

  test('takes the highest key, which is that of empty slots, for the one before', () => {
    const table = new FingerprintTable();
    table.insert(idOf(5, 0xff_ffff), 0, 1);
    table.insert(idOf(5, 0xff_fffe), 0, 2);
    for (const each of [table, copyOf(table)]) {
      expect(each.candidates(idOf(5, 0xff_ffff))).toEqual([1, 2]);
      expect(each.candidates(idOf(5, 0xff_fffe))).toEqual([1, 2]);
    }
  });

  test('refuses what is not in order or no key, and a shard that has some', () => {
    const packed = (...slots: [key: number, entry: number][]) => ({
      entries: Uint32Array.from(slots, ([, entry]) => entry),
      keys: Uint8Array.from(slots.flatMap(([key]) => [key >> 16, key >> 8, key])),
    });
    const table = new FingerprintTable();
    expect(table.fill(3, packed([7, 1], [6, 2]), same)).toBe(false);
    expect(table.fill(3, packed([0xff_ffff, 1]), same)).toBe(false);
    expect(table.fill(3, { ...packed([7, 1]), entries: Uint32Array.of() }, same)).toBe(false);
    expect(table.count).toBe(0);
    expect(table.fill(3, packed([6, 2], [7, 1]), same)).toBe(true);
    expect(table.fill(3, packed([6, 2]), same)).toBe(false);
  });
});
