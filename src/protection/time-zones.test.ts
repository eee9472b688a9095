import { expect, it } from 'vitest';
import { WINDOWS_TO_IANA_MAP } from 'windows-iana';
import { findTimeZone, timeZoneOf } from './time-zones.ts';

it('knows every zone that Windows names, and the runtime knows the place each stands for', () => {
  const names = new Set(WINDOWS_TO_IANA_MAP.map(({ windowsName }) => windowsName));
  expect(names.size).toBeGreaterThan(130);
  expect([...names].filter((name) => findTimeZone(name) === undefined)).toEqual([]);
});

it.each([
  ['UTC', 'UTC'],
  ['India Standard Time', 'Asia/Kolkata'],
  ['W. Europe Standard Time', 'Europe/Berlin'],
  ['pacific standard time', 'America/Los_Angeles'],
  ['europe/berlin', 'Europe/Berlin'],
])('takes %s for %s', (name, zone) => {
  const found = findTimeZone(name);
  expect(found && new Temporal.ZonedDateTime(0n, found).equals(new Temporal.ZonedDateTime(0n, zone))).toBe(
    true,
  );
});

it.each(['', '+02:00', 'Berlin', 'Europe/Atlantis', '2026-01-01T00:00[UTC]'])('takes %j for none', (name) => {
  expect(findTimeZone(name)).toBeUndefined();
  expect(() => timeZoneOf({ timeZone: name })).toThrow(RangeError);
});
