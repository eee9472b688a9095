import { expect, it } from 'vitest';
import { parseFilter, parseMoment } from './filter.ts';

it('reads conjunctions, whatever the case and spacing', () => {
  expect(parseFilter("Status EQ 'Failed' and  operation eq 'it''s'", ['status', 'operation'])).toEqual(
    new Map([
      ['status', 'Failed'],
      ['operation', "it's"],
    ]),
  );
  expect(parseFilter(undefined, [])).toEqual(new Map());
});

it.each([
  'status eq Failed',
  "status ne 'x'",
  "status eq 'x' or status eq 'y'",
  "status eq 'x' and",
  "color eq 'red'",
])('refuses %s', (text) => {
  expect(() => parseFilter(text, ['status'])).toThrow(expect.objectContaining({ code: 'InvalidInput' }));
});

it.each([
  ['2026-11-21T15:04:05Z', '2026-11-21T15:04:05.000Z'],
  ['2026-11-21 03:04:05 PM', '2026-11-21T15:04:05.000Z'],
  ['2026-11-21 00:00:00 AM', '2026-11-21T00:00:00.000Z'],
  ['2026-11-21 12:00:00 AM', '2026-11-21T00:00:00.000Z'],
])('reads the moment %s', (text, expected) => {
  expect(parseMoment(text)).toBe(expected);
});

it.each(['yesterday', '2026-13-01 00:00:00 AM', '2026-02-30 01:00:00'])('refuses the moment %s', (text) => {
  expect(() => parseMoment(text)).toThrow(expect.objectContaining({ code: 'InvalidInput' }));
});
