import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EntryMap, type EntryStretch } from './entry-map.ts';

test('gives what a plain map would give', () => {
  const part = fc.record({
    gap: fc.constantFrom(0, 0, 1, 300),
    entries: fc.constantFrom(1, 3, 255, 256, 700),
  });
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), fc.boolean(), fc.nat(300), (parts, moves, rest) => {
      const stretches: EntryStretch[] = [];
      const model = new Map<number, number>();
      let next = 0;
      let to = 0;
      for (const { gap, entries } of parts) {
        const first = next + gap;
        stretches.push({ first, entries, to: moves ? to : first });
        for (let entry = 0; entry < entries; entry++) model.set(first + entry, (moves ? to : first) + entry);
        next = first + entries;
        to += entries;
      }
      const map = new EntryMap(stretches, next + rest);
      for (let entry = 0; entry < next + rest + 600; entry++) expect(map.get(entry)).toBe(model.get(entry));
    }),
    { numRuns: 100, seed: 1 },
  );
});
