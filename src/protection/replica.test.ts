import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pointsToCopy, pointsToRemove, type ReplicaPoint, type ReplicaRetention } from './replica.ts';

const start = Temporal.Instant.from('2026-01-01T00:00:00Z');
const day = (number: number) => start.add({ hours: 24 * number });

/** A point of day `number`, retained for 30 days unless told otherwise. */
const point = (number: number, more: Partial<ReplicaPoint> = {}): ReplicaPoint => ({
  itemId: 'vm',
  pointId: `p${number}`,
  takenAt: day(number),
  expiresAt: day(number + 30),
  ...more,
});
const days = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => point(from + i));
const ids = (points: readonly { pointId: string }[]) => points.map(({ pointId }) => pointId);
const follow: ReplicaRetention = { mode: 'follow' };

describe('what is copied', () => {
  test('is what the replica lacks, oldest first, item by item', () => {
    const db = point(2, { itemId: 'db', pointId: 'd2' });
    const order = ['d2', 'p1', 'p3'];
    expect(ids(pointsToCopy([point(3), point(1), db, point(2)], [point(2)], follow, day(3)))).toEqual(order);
    expect(ids(pointsToCopy([db, point(3), point(1)], [], follow, day(3)))).toEqual(order);
  });

  test('is not what a retention of its own would remove at once', () => {
    const keep = (more: object) => ids(pointsToCopy(days(1, 6), [], { mode: 'keep', ...more }, day(7)));
    expect(keep({ count: 2 })).toEqual(['p5', 'p6']);
    expect(keep({ days: 3 })).toEqual(['p5', 'p6']);
    expect(keep({ count: 3, days: 1 })).toEqual(['p4', 'p5', 'p6']);
    expect(ids(pointsToCopy(days(1, 3), [point(9)], { mode: 'keep', count: 2 }, day(10)))).toEqual(['p3']);
  });
});

describe('what is removed', () => {
  const removed = (
    source: ReplicaPoint[],
    replica: ReplicaPoint[],
    retention: ReplicaRetention = follow,
    now = day(60),
  ) => pointsToRemove(source, replica, retention, now);

  test('follows the source when a point has expired there', () => {
    const plan = removed([point(40), point(41)], [point(1), point(2), point(40), point(41)]);
    expect(ids(plan.remove).sort()).toEqual(['p1', 'p2']);
    expect(plan).toMatchObject({ refusal: undefined, heldBack: [] });
    expect(plan.remove[0]?.reason).toMatch(/expired 2026-02-/);
  });

  test('is never what the source lost before its time, or whose time is not known', () => {
    const replica = [point(40), point(41), point(1, { expiresAt: undefined }), point(42)];
    const plan = removed([point(42)], replica);
    expect(plan.remove).toEqual([]);
    expect(Object.fromEntries(plan.heldBack.map(({ pointId, reason }) => [pointId, reason]))).toEqual({
      p40: expect.stringContaining('before it expires'),
      p41: expect.stringContaining('before it expires'),
      p1: expect.stringContaining('not known'),
    });
  });

  test('is refused when it is most of what there is', () => {
    expect(removed([], days(1, 20), follow, day(365)).refusal).toMatch(/19 of the replica's 20/);
    expect(removed([], days(1, 3), follow, day(365)).refusal).toBeUndefined();
    expect(removed([], days(1, 20), { mode: 'keep', count: 5 }, day(365)).refusal).toMatch(/15 of/);
  });

  test('is refused from five on, and where more than half would go', () => {
    const refused = (count: number, kept: number) =>
      removed([], days(1, count + kept), { mode: 'keep', count: kept }, day(365)).refusal !== undefined;
    expect([refused(4, 1), refused(5, 1), refused(5, 4), refused(5, 5)]).toEqual([false, true, true, false]);
  });

  test('begins at the moment of expiry', () => {
    const gone = (now: Temporal.Instant) => ids(removed([], [point(1), point(9)], follow, now).remove);
    expect(gone(day(31).subtract({ nanoseconds: 1 }))).toEqual([]);
    expect(gone(day(31))).toEqual(['p1']);
    const keep = (now: Temporal.Instant) =>
      ids(removed([], [point(1), point(9)], { mode: 'keep', days: 3 }, now).remove);
    expect(keep(day(4).subtract({ nanoseconds: 1 }))).toEqual([]);
    expect(keep(day(4))).toEqual(['p1']);
    // Neither a count nor days: the newest, whatever it is called.
    const twins = [point(1, { pointId: 'a' }), point(1, { pointId: 'c' }), point(1, { pointId: 'b' })];
    expect(ids(removed([], twins, { mode: 'keep' }, day(1)).remove)).toEqual(['b', 'a']);
  });

  test('under a retention of its own does not ask the source', () => {
    const plan = removed(days(1, 6), days(1, 6), { mode: 'keep', count: 2, days: 3 }, day(7));
    expect(ids(plan.remove)).toEqual(['p4', 'p3', 'p2', 'p1']);
  });
});

test('an empty source never empties a replica, nothing wanted is removed, and no item loses its last point', () => {
  const points = fc.uniqueArray(
    fc.record({
      itemId: fc.constantFrom('a', 'b'),
      number: fc.integer({ min: 0, max: 60 }),
      retained: fc.option(fc.integer({ min: 1, max: 40 })),
    }),
    { selector: ({ itemId, number }) => `${itemId}${number}`, maxLength: 30 },
  );
  const retentions = fc.oneof(
    fc.constant(follow),
    fc.record({ mode: fc.constant('keep' as const), count: fc.nat(5), days: fc.nat(30) }),
  );
  fc.assert(
    fc.property(
      points,
      points,
      retentions,
      fc.integer({ min: 0, max: 120 }),
      (source, replica, retention, at) => {
        const made = (list: typeof source) =>
          list.map(({ itemId, number, retained }) =>
            point(number, {
              itemId,
              pointId: `${itemId}${number}`,
              expiresAt: retained === null ? undefined : day(number + retained),
            }),
          );
        const [from, there, now] = [made(source), made(replica), day(at)];
        const copied = [...there, ...pointsToCopy(from, there, retention, now)];
        for (const [before, name] of [
          [there, 'as it is'],
          [copied, 'after copying'],
        ] as const) {
          const { remove } = pointsToRemove(from, before, retention, now);
          const gone = new Set(ids(remove));
          for (const itemId of new Set(before.map((each) => each.itemId)))
            expect(
              before.some((each) => each.itemId === itemId && !gone.has(each.pointId)),
              name,
            ).toBe(true);
        }
        // What was copied a moment ago is not removed now.
        const gone = new Set(ids(pointsToRemove(from, copied, retention, now).remove));
        for (const { pointId } of pointsToCopy(from, there, retention, now))
          expect(gone.has(pointId)).toBe(false);
        if (retention.mode === 'follow')
          for (const { pointId } of pointsToRemove([], there, follow, now).remove) {
            const one = there.find((each) => each.pointId === pointId);
            expect(one?.expiresAt !== undefined && Temporal.Instant.compare(one.expiresAt, now) <= 0).toBe(
              true,
            );
          }
      },
    ),
  );
});
