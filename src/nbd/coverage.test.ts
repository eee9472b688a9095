import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Coverage } from './coverage.ts';

test('agrees with a map of bytes, whatever pieces come in whatever order', () => {
  const piece = fc.record({
    start: fc.integer({ min: -2, max: 40 }),
    length: fc.integer({ min: -1, max: 20 }),
  });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 40 }), fc.array(piece, { maxLength: 30 }), (size, list) => {
      const coverage = new Coverage(size);
      const seen = new Array<boolean>(size).fill(false);
      for (const { start, length } of list) {
        const inside = start >= 0 && length > 0 && start + length <= size;
        const fresh = inside && !seen.slice(start, start + length).includes(true);
        expect(coverage.add(start, length)).toBe(fresh);
        if (fresh) seen.fill(true, start, start + length);
        expect(coverage.complete).toBe(!seen.includes(false));
      }
    }),
  );
});

test('a server that scatters single bytes can not make it grow without end', () => {
  const coverage = new Coverage(1_000_000);
  let taken = 0;
  while (coverage.add(2 * taken, 1)) taken++;
  expect(taken).toBe(4096);
});
