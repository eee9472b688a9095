import { expect, it } from 'vitest';
import { cursorFrom } from './read-store.ts';

const startedAt = '2026-11-21T06:00:00Z';
const afterPack = 'ab'.repeat(32);

it('goes on at a cursor that is whole', () => {
  expect(cursorFrom(JSON.stringify({ startedAt }))).toEqual({ startedAt });
  expect(cursorFrom(JSON.stringify({ startedAt, afterPack }))).toEqual({ startedAt, afterPack });
});

it('begins anew where the cursor is missing, cut, or anything else', () => {
  const whole = JSON.stringify({ startedAt, afterPack });
  for (let length = 0; length < whole.length; length++)
    expect(cursorFrom(whole.slice(0, length)), whole.slice(0, length)).toBeUndefined();
  // What is skipped has been read: no pack id but a whole one may say so.
  for (const other of [null, 7, [], {}, { startedAt: 'then' }, { startedAt, afterPack: 'zz' }, { afterPack }])
    expect(cursorFrom(JSON.stringify(other))).toBeUndefined();
  expect(cursorFrom(null)).toBeUndefined();
});
