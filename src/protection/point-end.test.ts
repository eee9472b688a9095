import { expect, it } from 'vitest';
import { type ItemState, itemStates } from './item-life.ts';
import { endOfPoint } from './point-end.ts';

const at = (day: number) => Temporal.Instant.from(`2026-01-0${day}T00:00:00Z`);
const end = (state: ItemState, point: Partial<Parameters<typeof endOfPoint>[1]> = {}) => {
  const purgeAt = state === 'SoftDeleted' ? at(9) : undefined;
  const found = endOfPoint({ state, purgeAt }, { expiresAt: at(1), ...point });
  return 'at' in found ? `${found.by} ${found.at}` : found.by;
};

const expiry = `expiry ${at(1)}`;
const removal = `removal ${at(2)}`;
const purge = `purge ${at(9)}`;

it('goes by the state of the item, not by a date that is left from before', () => {
  const point = { expiresAt: at(1) };
  expect(endOfPoint({ state: 'ProtectionStopped', purgeAt: at(9) }, point)).toEqual({ by: 'deletion' });
  expect(endOfPoint({ state: 'Protected', purgeAt: at(9) }, point)).toEqual({ by: 'expiry', at: at(1) });
});

it.each<[string, Parameters<typeof end>[1], string[]]>([
  ['whose time is to come', {}, [expiry, expiry, 'deletion', expiry, purge]],
  ['that an edit soft-deleted', { softDeletedUntil: at(2) }, [removal, removal, 'deletion', removal, purge]],
  [
    'that a person deleted',
    { softDeletedUntil: at(2), deletedByPerson: true },
    [removal, removal, removal, removal, purge],
  ],
])('tells what ends a point %s, by the state of its item', (_, point, expected) => {
  expect(itemStates.map((state) => end(state, point))).toEqual(expected);
});
