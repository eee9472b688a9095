import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DaysOfMonth, RetentionRules } from './policy.ts';
import { weekdays } from './policy.ts';
import { tagsOn } from './tags.ts';

const on = (retention: RetentionRules, date: string) => tagsOn(retention, Temporal.PlainDate.from(date));
const monthly = (days: DaysOfMonth): RetentionRules => ({ monthly: { count: 1, on: days } });

/** The days of 2026 and 2027 that a rule marks. */
function marked(retention: RetentionRules, from = '2026-01-01', to = '2026-12-31'): string[] {
  const found: string[] = [];
  for (
    let date = Temporal.PlainDate.from(from);
    Temporal.PlainDate.compare(date, to) <= 0;
    date = date.add({ days: 1 })
  )
    if (tagsOn(retention, date).length > 0) found.push(date.toString());
  return found;
}

it('marks as the classic example does: 30 days, 104 weeks, 120 months, 99 years', () => {
  const classic: RetentionRules = {
    daily: { count: 30 },
    weekly: { count: 104, days: ['Sunday'] },
    monthly: { count: 120, on: { format: 'Weekly', weekdays: ['Sunday'], weeks: ['Last'] } },
    yearly: {
      count: 99,
      months: ['January'],
      on: { format: 'Weekly', weekdays: ['Sunday'], weeks: ['First'] },
    },
  };
  expect(on(classic, '2026-01-03')).toEqual(['Daily']);
  expect(on(classic, '2026-01-04')).toEqual(['Daily', 'Weekly', 'Yearly']);
  expect(on(classic, '2026-01-11')).toEqual(['Daily', 'Weekly']);
  expect(on(classic, '2026-01-25')).toEqual(['Daily', 'Weekly', 'Monthly']);
  expect(on(classic, '2026-02-01')).toEqual(['Daily', 'Weekly']);
});

describe('days by their number', () => {
  it('marks the last day of each month, whichever it is', () => {
    expect(marked(monthly({ format: 'Daily', days: [], lastDay: true }), '2026-01-01', '2026-04-30')).toEqual(
      ['2026-01-31', '2026-02-28', '2026-03-31', '2026-04-30'],
    );
    expect(on(monthly({ format: 'Daily', days: [], lastDay: true }), '2028-02-28')).toEqual([]);
    expect(on(monthly({ format: 'Daily', days: [], lastDay: true }), '2028-02-29')).toEqual(['Monthly']);
  });

  it('marks nothing in a month that lacks the day', () => {
    expect(
      marked(monthly({ format: 'Daily', days: [31], lastDay: false }), '2026-01-01', '2026-04-30'),
    ).toEqual(['2026-01-31', '2026-03-31']);
  });
});

describe('weekdays of the first to the last week', () => {
  it.each([
    ['First', '2026-03-01'],
    ['Second', '2026-03-08'],
    ['Third', '2026-03-15'],
    ['Fourth', '2026-03-22'],
    ['Last', '2026-03-29'],
  ] as const)('marks the %s Sunday of March 2026, the %s', (week, date) => {
    const rule = monthly({ format: 'Weekly', weekdays: ['Sunday'], weeks: [week] });
    expect(marked(rule, '2026-03-01', '2026-03-31')).toEqual([date]);
  });

  it.each([
    ['2026-02', 22],
    ['2028-02', 23],
    ['2026-04', 24],
    ['2026-03', 25],
  ])('marks each weekday of %s from day %i on as the last, and none before', (month, from) => {
    const rule = monthly({ format: 'Weekly', weekdays: [...weekdays], weeks: ['Last'] });
    const first = Temporal.PlainDate.from(`${month}-01`);
    const found = marked(rule, `${first}`, `${first.with({ day: first.daysInMonth })}`);
    expect(found.map((date) => Number(date.slice(8)))).toEqual(Array.from({ length: 7 }, (_, i) => from + i));
  });

  it('marks the fourth as the last where there are four', () => {
    const rule = monthly({ format: 'Weekly', weekdays: ['Wednesday'], weeks: ['Fourth', 'Last'] });
    expect(marked(rule, '2026-02-01', '2026-02-28')).toEqual(['2026-02-25']);
  });

  it('marks exactly one day of each month for any one weekday and week', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...weekdays),
        fc.constantFrom('First', 'Second', 'Third', 'Fourth', 'Last' as const),
        fc.integer({ min: 1970, max: 2100 }),
        fc.integer({ min: 1, max: 12 }),
        (weekday, week, year, month) => {
          const rule = monthly({ format: 'Weekly', weekdays: [weekday], weeks: [week as 'Last'] });
          const first = Temporal.PlainDate.from({ year, month, day: 1 });
          expect(
            marked(rule, first.toString(), first.with({ day: first.daysInMonth }).toString()),
          ).toHaveLength(1);
        },
      ),
    );
  });
});

it('marks yearly points in the named months only', () => {
  const rule: RetentionRules = {
    yearly: { count: 1, months: ['January', 'July'], on: { format: 'Daily', days: [1], lastDay: false } },
  };
  expect(marked(rule)).toEqual(['2026-01-01', '2026-07-01']);
});
