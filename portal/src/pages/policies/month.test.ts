import { expect, it } from 'vitest';
import { currentMonth, monthAfter, spanOfMonth, weeksOfMonth } from './month.ts';

it('lays a month out in weeks from Sunday', () => {
  const weeks = weeksOfMonth('2026-02');
  expect(weeks).toHaveLength(4);
  expect(weeks[0]?.[0]).toBe('2026-02-01');
  expect(weeks[3]?.[6]).toBe('2026-02-28');
  const leap = weeksOfMonth('2028-02');
  expect(leap[0]?.slice(0, 3)).toEqual([undefined, undefined, '2028-02-01']);
  expect(leap.flat().filter(Boolean)).toHaveLength(29);
  expect(leap.every((week) => week.length === 7)).toBe(true);
});

it('goes from month to month over the years', () => {
  expect(monthAfter('2026-12')).toBe('2027-01');
  expect(monthAfter('2026-01', -1)).toBe('2025-12');
  expect(currentMonth(Date.parse('2026-11-30T23:59:59Z'))).toBe('2026-11');
  expect(spanOfMonth('2026-12')).toEqual({
    from: '2026-11-29T00:00:00.000Z',
    to: '2027-01-03T00:00:00.000Z',
  });
});
