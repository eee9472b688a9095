import { expect, test } from 'vitest';
import { formatBytes, formatDuration, formatEstimate, formatTime, spanSeconds } from './format.ts';

test.each([
  [undefined, '-'],
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [1024 * 1024 - 1, '1.0 MiB'],
  [1.5 * 1024 ** 3, '1.5 GiB'],
  [5000 * 1024 ** 5, '5000.0 PiB'],
])('%s bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [undefined, '-'],
  [-1, '0 s'],
  [4.21, '4.2 s'],
  [9.96, '10 s'],
  [59.6, '1 min'],
  [65, '1 min 5 s'],
  [7380, '2 h 3 min'],
  [90_000, '1 d 1 h'],
])('%s seconds are %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

test.each([
  [undefined, undefined],
  [-5, undefined],
  [Number.NaN, undefined],
  [Number.POSITIVE_INFINITY, undefined],
  [0, 'about 1 s'],
  [11.2, 'about 12 s'],
  [59.9, 'about 60 s'],
  [250, 'about 4 min'],
  [3569, 'about 59 min'],
  [3600, 'about 1 h'],
  [7500, 'about 2 h 10 min'],
])('%s seconds still to go are %s', (seconds, text) => {
  expect(formatEstimate(seconds)).toBe(text);
});

const now = Date.parse('2026-11-21T05:44:00Z');

test.each([
  [undefined, '-'],
  ['0001-01-01T00:00:00Z', '-'],
  ['2026-11-21T05:43:30Z', '2026-11-21 06:43 CET (just now)'],
  ['2026-11-21T05:39:00Z', '2026-11-21 06:39 CET (5 min ago)'],
  ['2026-11-21T09:00:00Z', '2026-11-21 10:00 CET (in 3 h)'],
  ['2026-07-01T00:00:00Z', '2026-07-01 02:00 CEST'],
])('%s is shown as %s', (iso, text) => {
  expect(formatTime(iso, 'Europe/Berlin', now)).toBe(text);
});

test.each([
  ['PT1H1M12.06S', 3672.06],
  ['P1DT1S', 86_401],
  ['soon', undefined],
  [undefined, undefined],
])('the span %s has %s seconds', (span, seconds) => {
  expect(spanSeconds(span)).toBe(seconds);
});
