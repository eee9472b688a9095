import { expect, it } from 'vitest';
import { dateIn, dayEnd } from './days.ts';

it('counts days by the calendar', () => {
  const now = new Date(2026, 1, 27, 23, 30);
  expect([0, 2, 30].map((days) => dateIn(days, now))).toEqual(['2026-02-27', '2026-03-01', '2026-03-29']);
});

it('finds the end of a day', () => {
  expect(dayEnd('2026-11-21')).toBe(new Date(2026, 10, 21, 23, 59, 59).getTime());
  expect(dayEnd('')).toBeUndefined();
  expect(dayEnd('21.11.2026')).toBeUndefined();
});
