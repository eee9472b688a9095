import { expect, it } from 'vitest';
import { newPointId } from './point-id.ts';

it('gives ids of 15 digits that sort by time, a thousand of one moment too', () => {
  const now = Temporal.Instant.from('2026-03-29T01:30:00Z');
  const ids = Array.from({ length: 1000 }, () => newPointId(now));
  ids.push(newPointId(now.add({ seconds: 1 })));
  expect(ids.every((id) => /^\d{15}$/.test(id))).toBe(true);
  expect(ids.toSorted()).toEqual(ids);
  expect(new Set(ids).size).toBe(ids.length);
});
