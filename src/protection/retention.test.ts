import { describe, expect, it } from 'vitest';
import { defaultPolicy } from './policy.ts';
import { decideRetention, expiryOf, expiryOfSnapshotOnly, type RetainedPoint } from './retention.ts';

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

  it('gives a point without a transfer the instant restore period, unless its caller chose a date', () => {
    const taken = at('2026-01-01T00:00:00Z');
    const until = at('2026-06-01T00:00:00Z');
    const end = at('2026-01-03T00:00:00Z');
    expect(expiryOfSnapshotOnly(defaultPolicy, taken, undefined)).toEqual(end);
    expect(expiryOfSnapshotOnly(defaultPolicy, taken, {})).toEqual(end);
    expect(expiryOfSnapshotOnly(defaultPolicy, taken, { until })).toEqual(until);
  });

  it('gives an on-demand point the date its caller chose, and no rule', () => {
    const until = at('2026-06-01T00:00:00Z');
    expect(expiryOf(defaultPolicy, at('2026-01-01T00:00:00Z'), { until })).toEqual({
      expiresAt: until,
      ruleName: undefined,
    });
  });

  it('keeps ten snapshots at most of those that the vault has too, the newest', () => {
    const points = Array.from({ length: 14 }, (_, n) =>
      point(`p${n}`, `2026-01-01T${String(n).padStart(2, '0')}:00:00Z`, { snapshot: true, vault: n !== 1 }),
    );
    expect(dropped(points, '2026-01-01T15:00:00Z')).toEqual(['p0/snapshot', 'p2/snapshot', 'p3/snapshot']);
  });
});
