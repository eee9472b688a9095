import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dutyOf } from './duty.ts';
import { expiryUnder, scheduledBasis } from './expiry.ts';
import { type BackupPolicy, defaultPolicy, enhancedPolicy } from './policy.ts';
import { mostPreviewedPoints, previewPolicy } from './preview.ts';
import { type ExistingPoint, pointUnder, previewEdit } from './preview-edit.ts';
import { decideRetention } from './retention.ts';
import { dueRun } from './schedule.ts';
import { anyMoment, anyPolicy } from './testing/arbitraries.ts';

const at = (text: string) => Temporal.Instant.from(text);
const weekly: BackupPolicy = {
  ...defaultPolicy,
  retention: { daily: { count: 30 }, weekly: { count: 12, days: ['Sunday'] } },
};

describe('the preview of a policy', () => {
  it('tells each point, its tags, the rule that decides and when it expires', () => {
    const points = previewPolicy(weekly, at('2026-01-02T21:00:00Z'), at('2026-01-05T00:00:00Z'));
    expect(
      points.map(({ run, tags, ruleName, expiresAt }) => [
        `${run.at}`,
        tags.join(),
        ruleName,
        `${expiresAt}`,
      ]),
    ).toEqual([
      ['2026-01-03T20:00:00Z', 'Daily', 'Daily', '2026-02-02T20:00:00Z'],
      ['2026-01-04T20:00:00Z', 'Daily,Weekly', 'Weekly', '2026-03-29T20:00:00Z'],
    ]);
    expect(points[0]?.snapshotUntil).toEqual(at('2026-01-05T20:00:00Z'));
  });

  it('tells which hourly points stay snapshots, and the first of an item', () => {
    const day = [at('2026-01-01T06:00:00Z'), at('2026-01-02T00:00:00Z')] as const;
    const inVault = (firstBackup: boolean) =>
      previewPolicy(enhancedPolicy, ...day, { firstBackup }).map(({ toVault }) => toVault);
    expect(inVault(false)).toEqual([false, false, false, true, false]);
    expect(inVault(true)).toEqual([true, false, false, true, false]);
    const { ruleName, expiresAt } = previewPolicy(enhancedPolicy, ...day)[0] ?? {};
    expect([ruleName, expiresAt]).toEqual(['InstantRestore', at('2026-01-08T08:00:00Z')]);
  });

  it('counts the points of a weekly policy by its days', () => {
    const weekly = { frequency: 'Weekly', days: ['Sunday', 'Monday'], time: '20:00' } as const;
    const policy: BackupPolicy = { ...defaultPolicy, schedule: weekly };
    const start = at('2026-01-01T00:00:00Z');
    expect(() => previewPolicy(policy, start, start.add({ hours: 7 * 24 * 7000 }))).toThrow(
      'makes about 14000 points',
    );
  });

  it('refuses an empty span and one with too many points', () => {
    const start = at('2026-01-01T00:00:00Z');
    expect(() => previewPolicy(weekly, start, start)).toThrow(/is empty/);
    const days = (count: number) => previewPolicy(weekly, start, start.add({ hours: 24 * count }));
    expect(days(mostPreviewedPoints)).toHaveLength(mostPreviewedPoints);
    expect(() => days(mostPreviewedPoints + 1)).toThrow(/10000 at most/);
  });

  it('equals what the decisions do one after another, for any policy and span', () => {
    fc.assert(
      fc.property(anyPolicy(), anyMoment, fc.integer({ min: 1, max: 12 }), (policy, from, days) => {
        const to = from.add({ hours: 24 * days });
        // The doing: a clock that ticks, asks what is due, and takes its point.
        const taken = [];
        let handled = from;
        let vaulted = from;
        for (let now = from; Temporal.Instant.compare(now, to) <= 0; now = now.add({ hours: 1 })) {
          const run = dueRun(policy, handled, now);
          if (run === undefined) continue;
          handled = run.at;
          const duty = dutyOf(policy, run, vaulted, true);
          if (duty.toVault) vaulted = run.at;
          taken.push({
            at: run.at,
            ...duty,
            ...expiryUnder(policy, scheduledBasis(policy, run.at, duty.tags)),
          });
        }
        const previewed = previewPolicy(policy, from, to).map(({ run, snapshotUntil: _, ...rest }) => ({
          at: run.at,
          ...rest,
        }));
        expect(taken).toEqual(previewed.slice(0, taken.length));
        // A run within the last tick of the span has not been seen yet.
        expect(previewed.length - taken.length).toBeLessThanOrEqual(1);
        for (const { tags, toVault } of previewed) expect(tags.length > 0).toBe(toVault);
      }),
      { numRuns: 40 },
    );
  });
});

describe('the preview of an edit', () => {
  const point = (pointId: string, day: string): ExistingPoint => {
    const takenAt = at(`${day}T20:00:00Z`);
    const sunday = Temporal.PlainDate.from(day).dayOfWeek === 7;
    const basis = scheduledBasis(weekly, takenAt, sunday ? ['Daily', 'Weekly'] : ['Daily']);
    return { pointId, takenAt, basis, inSnapshot: false, inVault: true };
  };
  const points = [point('sunday', '2026-01-04'), point('monday', '2026-01-05'), point('last', '2026-01-20')];
  const now = at('2026-01-21T00:00:00Z');
  const effects = (after: BackupPolicy, softDeleteDays = 14) =>
    previewEdit(points, weekly, after, now, { softDeleteDays }).map(({ pointId, change, atOnce }) => [
      pointId,
      change,
      atOnce,
    ]);
  const retaining = (days: number, weeks: number): BackupPolicy => ({
    ...weekly,
    retention: { daily: { count: days }, weekly: { count: weeks, days: ['Sunday'] } },
  });

  it('tells what is kept longer', () => {
    expect(effects(retaining(40, 12))).toEqual([
      ['sunday', 'same', 'nothing'],
      ['monday', 'longer', 'nothing'],
      ['last', 'longer', 'nothing'],
    ]);
  });

  it('tells what expires sooner, and what is lost at once', () => {
    expect(effects(retaining(7, 1))).toEqual([
      ['sunday', 'shorter', 'soft-delete'],
      ['monday', 'shorter', 'soft-delete'],
      ['last', 'shorter', 'nothing'],
    ]);
    expect(effects(retaining(7, 12), 0)).toEqual([
      ['sunday', 'same', 'nothing'],
      ['monday', 'shorter', 'remove'],
      ['last', 'shorter', 'nothing'],
    ]);
  });

  it('tells what comes back', () => {
    const gone = { ...points[1], softDeletedUntil: at('2026-02-01T00:00:00Z') } as ExistingPoint;
    const [effect] = previewEdit([gone, points[2] as ExistingPoint], retaining(7, 12), weekly, now, {
      softDeleteDays: 14,
    });
    expect(effect).toMatchObject({ change: 'longer', atOnce: 'undelete' });
  });

  it('is what retention then does, for any two policies', () => {
    const small = { days: 60, weeks: 20, months: 6, years: 1 };
    fc.assert(
      fc.property(
        anyPolicy({ most: small }),
        anyPolicy({ most: small }),
        anyMoment,
        fc.integer({ min: 1, max: 200 }),
        fc.constantFrom(0, 14, 180),
        (before, after, start, days, softDeleteDays) => {
          const end = start.add({ hours: 24 * 30 });
          const made = previewPolicy(before, start, end).map(
            ({ run, tags, toVault }, i): ExistingPoint => ({
              pointId: `p${i}`,
              takenAt: run.at,
              basis: scheduledBasis(before, run.at, tags),
              inSnapshot: !toVault,
              inVault: toVault,
            }),
          );
          const moment = end.add({ hours: 24 * days });
          // Only what has not gone under the old policy is there to be edited.
          const held = made.map((each) => pointUnder(each, before));
          const kept = new Set(
            decideRetention(held, before, moment).flatMap(({ keep, pointId }) => (keep ? [pointId] : [])),
          );
          const there = made.filter(({ pointId }) => kept.has(pointId));
          const effects = previewEdit(there, before, after, moment, { softDeleteDays });
          const done = decideRetention(
            there.map((each) => pointUnder(each, after, before)),
            after,
            moment,
            { softDeleteDays },
          );
          for (const effect of effects) {
            const own = done.filter(({ pointId }) => pointId === effect.pointId);
            expect(effect.atOnce === 'remove').toBe(own.every(({ keep }) => !keep));
            expect(effect.atOnce === 'soft-delete').toBe(own.some(({ softDeleteUntil }) => softDeleteUntil));
            if (softDeleteDays > 0) expect(effect.atOnce).not.toBe('remove');
            if (effect.change !== 'shorter') expect(effect.atOnce).toBe('nothing');
            expect(effect.reason).not.toBe('');
          }
          // Edited back, everything is as before.
          const back = previewEdit(there, after, before, moment, { softDeleteDays });
          expect(back.map((effect) => effect.after)).toEqual(effects.map((effect) => effect.before));
        },
      ),
      { numRuns: 40 },
    );
  });
});
