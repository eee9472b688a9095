import { describe, expect, test } from 'vitest';
import { PackRanges } from './pack-ranges.ts';

function rangesOf(...counts: number[]): PackRanges {
  const ranges = new PackRanges();
  for (const [pack, entries] of counts.entries())
    ranges.add({ pack, entries, packBytes: 2 ** 33 + pack, plainBytes: entries * 10 });
  return ranges;
}

describe('the ranges of packs', () => {
  test('tell the pack of every entry, with large ones and empty ones among them', () => {
    const counts = [3, 0, 1000, 1, 0, 0, 255, 256, 257, 0];
    const ranges = rangesOf(...counts);
    let entry = 0;
    for (const [pack, entries] of counts.entries()) {
      expect(ranges.of(pack)).toEqual({
        pack,
        first: entry,
        entries,
        packBytes: 2 ** 33 + pack,
        plainBytes: entries * 10,
      });
      for (let number = 0; number < entries; number++) expect(ranges.with(entry++)?.pack).toBe(pack);
    }
    expect(ranges.end).toBe(entry);
    expect([...ranges.live()].map(({ pack }) => pack)).toEqual([...counts.keys()]);
  });

  test('belong to nobody once their pack has gone, and numbers are not given twice', () => {
    const ranges = rangesOf(5, 5, 5);
    ranges.remove(1);
    ranges.remove(7);
    expect(ranges.of(1)).toBeUndefined();
    expect(ranges.with(7)).toBeUndefined();
    expect(ranges.add({ pack: 1, entries: 2, packBytes: 1, plainBytes: 1 })).toBe(15);
    ranges.addPlainBytes(1, 6);
    expect(ranges.with(7)).toBeUndefined();
    expect(ranges.with(16)).toMatchObject({ pack: 1, first: 15, plainBytes: 7 });
    expect([...ranges.live()].map(({ pack }) => pack)).toEqual([0, 2, 1]);
    const live = ranges.liveEntries();
    expect([0, 4, 5, 9, 10, 16].map((entry) => live.get(entry))).toEqual([
      0,
      4,
      undefined,
      undefined,
      10,
      16,
    ]);
  });
});
