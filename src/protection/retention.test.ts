import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expiryOf } from './expiry.ts';
import { defaultPolicy, enhancedPolicy } from './policy.ts';
import { crowdedOut, decideRetention, type RetainedPoint } from './retention.ts';
import { anyMoment, anyPolicy } from './testing/arbitraries.ts';

const at = (text: string) => Temporal.Instant.from(text);

function point(
  pointId: string,
  takenAt: string,
  tiers: { snapshot?: boolean; vault?: boolean },
): RetainedPoint {
  const taken = at(takenAt);
  return {
    pointId,
    takenAt: taken,
    inSnapshot: tiers.snapshot ?? false,
    inVault: tiers.vault ?? false,
    expiresAt: expiryOf(defaultPolicy, taken, undefined).expiresAt,
  };
}

const dropped = (points: RetainedPoint[], now: string) =>
  decideRetention(points, defaultPolicy, at(now))
    .filter((decision) => !decision.keep)
    .map((decision) => `${decision.pointId}/${decision.tier}`);

describe('retention', () => {
  it('gives up snapshots after the instant restore period', () => {
    const points = [
      point('a', '2026-01-01T20:00:00Z', { snapshot: true, vault: true }),
      point('b', '2026-01-02T20:00:00Z', { snapshot: true, vault: true }),
      point('c', '2026-01-03T20:00:00Z', { snapshot: true, vault: true }),
    ];
    expect(dropped(points, '2026-01-03T19:59:59Z')).toEqual([]);
    expect(dropped(points, '2026-01-03T20:00:00Z')).toEqual(['a/snapshot']);
  });

  it('keeps the newest snapshot and the last point in the vault whatever their age', () => {
    const points = [
      point('a', '2025-01-01T20:00:00Z', { vault: true }),
      point('b', '2025-01-02T20:00:00Z', { snapshot: true, vault: true }),
    ];
    expect(dropped(points, '2026-01-01T00:00:00Z')).toEqual(['a/vault']);
  });

  it('keeps the snapshot that the next transfer counts from, though newer ones exist', () => {
    const points = [
      point('vaulted', '2026-01-01T20:00:00Z', { snapshot: true, vault: true }),
      point('skipped', '2026-01-09T20:00:00Z', { snapshot: true }),
    ];
    expect(dropped(points, '2026-01-10T00:00:00Z')).toEqual([]);
  });

  it('keeps a point that is only a snapshot until it expires, whatever the instant restore period', () => {
    const points = [
      point('only', '2026-01-01T20:00:00Z', { snapshot: true }),
      point('vaulted', '2026-01-02T20:00:00Z', { snapshot: true, vault: true }),
      point('newest', '2026-01-09T20:00:00Z', { snapshot: true, vault: true }),
    ];
    expect(dropped(points, '2026-01-31T19:59:59Z')).toEqual(['vaulted/snapshot']);
    expect(dropped(points, '2026-01-31T20:00:00Z')).toEqual(['only/snapshot', 'vaulted/snapshot']);
  });

  it('keeps ten snapshots at most of those that the vault has too, the newest', () => {
    const points = Array.from({ length: 14 }, (_, n) =>
      point(`p${n}`, `2026-01-01T${String(n).padStart(2, '0')}:00:00Z`, { snapshot: true, vault: n !== 1 }),
    );
    expect(dropped(points, '2026-01-01T15:00:00Z')).toEqual(['p0/snapshot', 'p2/snapshot', 'p3/snapshot']);
    const fewer = decideRetention(points, defaultPolicy, at('2026-01-01T15:00:00Z'), { hostCarries: 2 });
    const left = fewer.filter(({ tier, keep }) => tier === 'snapshot' && keep).map(({ pointId }) => pointId);
    expect(left).toEqual(['p1', 'p12', 'p13']);
  });

  it('names those that exist nowhere else, and that the host does not carry, to be brought to the vault', () => {
    const points = Array.from({ length: 6 }, (_, n) =>
      point(`p${n}`, `2026-01-01T0${n}:00:00Z`, { snapshot: n !== 1, vault: n === 0 || n === 1 }),
    ).toReversed();
    expect([6, 5, 4, 3, 2].map((carries) => crowdedOut(points, carries))).toEqual([
      [],
      [],
      [],
      ['p2'],
      ['p2', 'p3'],
    ]);
  });
});

it.each([
  [defaultPolicy, 10],
  [enhancedPolicy, 110],
])('carries $name snapshots that the vault has too, up to %i', (policy, most) => {
  const now = at('2026-01-08T00:00:00Z');
  const gone = (count: number) =>
    decideRetention(
      Array.from({ length: count }, (_, n) =>
        point(`p${n}`, `${now.subtract({ minutes: count - n })}`, { snapshot: true, vault: true }),
      ),
      policy,
      now,
    ).filter(({ keep }) => !keep);
  expect(gone(most)).toEqual([]);
  expect(gone(most + 1)).toMatchObject([{ pointId: 'p0', tier: 'snapshot' }]);
});

describe('the last point', () => {
  const old = point('old', '2025-01-01T20:00:00Z', { vault: true });
  const newer = point('newer', '2025-01-02T20:00:00Z', { vault: true });
  const newest = point('newest', '2025-01-03T20:00:00Z', { vault: true });

  it('is the newest that can be restored: damage costs no older one its place', () => {
    expect(dropped([old, newer, { ...newest, damaged: true }], '2026-01-01T00:00:00Z')).toEqual([
      'old/vault',
      'newest/vault',
    ]);
  });

  it('is kept for a reason that says which it is, and nothing of it is to be changed', () => {
    const reasons = (...points: RetainedPoint[]) =>
      decideRetention(points, defaultPolicy, at('2026-01-01T00:00:00Z')).filter(({ keep }) => keep);
    const kept = (pointId: string, reason: string) => ({ pointId, tier: 'vault', keep: true, reason });
    expect(reasons(newest)).toEqual([
      kept('newest', 'last recovery point in the vault, past its expiry 2025-02-02T20:00:00Z'),
    ]);
    expect(reasons(newer, { ...newest, damaged: true })).toEqual([
      kept('newer', 'last good recovery point, past its expiry 2025-02-01T20:00:00Z'),
    ]);
    expect(reasons({ ...newest, expiresAt: at('2026-01-01T00:00:01Z') })).toEqual([
      kept('newest', 'retained until 2026-01-01T00:00:01Z'),
    ]);
  });

  it('stays in the vault beside a newer one that is a snapshot only', () => {
    const snapshot = point('snapshot', '2025-01-04T20:00:00Z', { snapshot: true });
    expect(dropped([old, newer, snapshot], '2026-01-01T00:00:00Z')).toEqual(['old/vault']);
  });
});

describe('points that an edit of their policy makes expire', () => {
  const now = at('2026-02-01T00:00:00Z');
  const lost: RetainedPoint = {
    ...point('lost', '2026-01-01T20:00:00Z', { vault: true }),
    expiresAt: at('2026-01-08T20:00:00Z'),
    promisedUntil: at('2026-03-01T20:00:00Z'),
  };
  const newest = point('newest', '2026-01-31T20:00:00Z', { vault: true });
  const fate = (changes: Partial<RetainedPoint>, when = now, softDeleteDays = 14) =>
    decideRetention([{ ...lost, ...changes }, newest], defaultPolicy, when, { softDeleteDays })[0];

  it('are soft-deleted first, for the days that are set then', () => {
    const until = (days: number) => [fate({}, now, days)].map((it) => [it?.keep, `${it?.softDeleteUntil}`]);
    expect(until(14)).toEqual([[true, '2026-02-15T00:00:00Z']]);
    expect(until(180)).toEqual([[true, '2026-07-31T00:00:00Z']]);
    expect(until(1)).toEqual([[true, '2026-02-02T00:00:00Z']]);
    const [plain] = decideRetention([lost, newest], defaultPolicy, now);
    expect(plain).toMatchObject({ pointId: 'lost', keep: false });
  });

  it('are removed at the end of that, not before', () => {
    const softDeletedUntil = at('2026-02-15T00:00:00Z');
    expect(fate({ softDeletedUntil }, at('2026-02-14T23:59:59Z'))).toMatchObject({ keep: true });
    expect(fate({ softDeletedUntil }, softDeletedUntil)).toMatchObject({ keep: false });
  });

  it('come back when the retention is raised again', () => {
    const raised = { softDeletedUntil: at('2026-02-15T00:00:00Z'), expiresAt: at('2026-03-01T20:00:00Z') };
    expect(fate(raised)).toMatchObject({ keep: true, undelete: true });
  });

  it('are removed at once where soft delete is disabled, or where their time would be over anyway', () => {
    expect(fate({}, now, 0)).toMatchObject({ keep: false });
    expect(fate({}, at('2026-03-01T20:00:00Z'))).toMatchObject({ keep: false });
  });
});

describe('a point that a person deleted', () => {
  const deleted: RetainedPoint = {
    ...point('deleted', '2026-01-30T20:00:00Z', { vault: true }),
    softDeletedUntil: at('2026-02-15T00:00:00Z'),
    deletedByPerson: true,
  };
  const newest = point('newest', '2026-01-31T20:00:00Z', { vault: true });

  it('is removed when its soft delete is over, though its policy would keep it; nothing undeletes it before', () => {
    const fate = (when: string) =>
      decideRetention([deleted, newest], defaultPolicy, at(when), { softDeleteDays: 14 })[0];
    expect(fate('2026-02-14T23:59:59Z')).toEqual({
      pointId: 'deleted',
      tier: 'vault',
      keep: true,
      reason: 'soft-deleted, to be removed 2026-02-15T00:00:00Z',
    });
    expect(fate('2026-02-15T00:00:00Z')).toMatchObject({ keep: false });
  });

  it('stays where it has become the last good one', () => {
    const alone = { ...deleted, inVault: false, inSnapshot: true };
    const other = { ...newest, inVault: false, inSnapshot: true, damaged: true };
    expect(dropped([alone, other], '2027-01-01T00:00:00Z')).toEqual([]);
    // Of several that persons deleted, and none else, the newest.
    const older = { ...deleted, pointId: 'older', takenAt: at('2026-01-29T20:00:00Z') };
    expect(dropped([older, deleted], '2027-01-01T00:00:00Z')).toEqual(['older/vault']);
    const here = { ...deleted, inVault: false, inSnapshot: true };
    expect(dropped([{ ...older, inVault: false, inSnapshot: true }, here], '2027-01-01T00:00:00Z')).toEqual([
      'older/snapshot',
    ]);
    expect(dropped([deleted, { ...newest, damaged: true }], '2027-01-01T00:00:00Z')).toEqual([
      'newest/vault',
    ]);
    expect(
      dropped([newest, { ...deleted, takenAt: at('2026-02-01T00:00:00Z') }], '2027-01-01T00:00:00Z'),
    ).toEqual(['deleted/vault']);
  });
});

it('over any policy and history: nothing goes before its time, the last never, and all has a reason', () => {
  const tiers = fc.constantFrom({ vault: true }, { snapshot: true }, { snapshot: true, vault: true });
  const days = fc.array(fc.record({ gap: fc.integer({ min: 0, max: 40 }), tiers, damaged: fc.boolean() }), {
    minLength: 1,
    maxLength: 25,
  });
  fc.assert(
    fc.property(anyPolicy(), anyMoment, days, fc.nat(20_000), (policy, start, history, later) => {
      let moment = start;
      const points = history.map((step, i): RetainedPoint => {
        moment = moment.add({ hours: step.gap * 6 + 1 });
        const { expiresAt } = expiryOf(policy, moment, undefined);
        const { snapshot = false, vault = false } = step.tiers as { snapshot?: boolean; vault?: boolean };
        return {
          pointId: `p${i}`,
          takenAt: moment,
          inSnapshot: snapshot,
          inVault: vault,
          expiresAt,
          damaged: step.damaged,
        };
      });
      const now = moment.add({ hours: later });
      const decisions = decideRetention(points, policy, now);
      const left = (found: RetainedPoint) =>
        decisions.some((decision) => decision.pointId === found.pointId && decision.keep);
      for (const each of points) {
        const own = decisions.filter((decision) => decision.pointId === each.pointId);
        expect(own).toHaveLength(Number(each.inSnapshot) + Number(each.inVault));
        for (const { reason } of own) expect(reason).not.toBe('');
        if (Temporal.Instant.compare(now, each.expiresAt) < 0) expect(left(each)).toBe(true);
        // What exists in the vault leaves it only when the point goes altogether.
        if (each.inVault && left(each) && !each.inSnapshot)
          expect(own.every((decision) => decision.keep)).toBe(true);
      }
      const good = points.filter((each) => !each.damaged);
      if (good.length > 0) expect(left(good.at(-1) as RetainedPoint)).toBe(true);
      const goodInVault = good.filter((each) => each.inVault).at(-1);
      if (goodInVault !== undefined)
        expect(decisions.find((d) => d.pointId === goodInVault.pointId && d.tier === 'vault')?.keep).toBe(
          true,
        );
    }),
  );
});
