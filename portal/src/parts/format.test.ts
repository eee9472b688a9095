import { expect, it } from 'vitest';
import {
  counted,
  formatBytes,
  formatRelative,
  formatRemaining,
  formatSeconds,
  secondsOf,
  spaced,
} from './format.ts';

it('writes sizes in binary units', () => {
  expect([0, 999, 1000, 1536, 1024 ** 3, 512 * 2 ** 20, 10 * 2 ** 40].map(formatBytes)).toEqual([
    '0 B',
    '999 B',
    '0.98 KiB',
    '1.5 KiB',
    '1 GiB',
    '512 MiB',
    '10 TiB',
  ]);
});

it('writes spans by their two greatest units', () => {
  expect([0, 0.84, 9.96, 59.6, 192, 3600, 7500, 90_000].map(formatSeconds)).toEqual([
    '0 s',
    '0.8 s',
    '10 s',
    '1 min',
    '3 min 12 s',
    '1 h',
    '2 h 5 min',
    '1 d 1 h',
  ]);
});

it('reads the spans of the API', () => {
  expect(['PT1H2M3.5S', 'PT0S', 'PT90S', 'PT26H'].map(secondsOf)).toEqual([3723.5, 0, 90, 93_600]);
});

it('says no more of what is left than is known', () => {
  expect([5, 240, 9000].map(formatRemaining)).toEqual([
    'less than a minute left',
    'about 4 min left',
    'about 3 h left',
  ]);
});

it('says how long ago or ahead', () => {
  const now = Date.parse('2026-11-21T12:00:00Z');
  const said = ['2026-11-21T11:59:40Z', '2026-11-21T09:00:00Z', '2026-11-23T12:00:00Z'].map((time) =>
    formatRelative(time, now),
  );
  expect(said).toEqual(['just now', '3 hours ago', 'in 2 days']);
});

it('takes words apart and counts', () => {
  expect(spaced('CompletedWithWarnings')).toBe('Completed with warnings');
  expect(spaced('shut off')).toBe('Shut off');
  expect([counted(1, 'VM'), counted(3, 'VM')]).toEqual(['1 VM', '3 VMs']);
});
