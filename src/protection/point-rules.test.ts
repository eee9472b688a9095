import { describe, expect, it } from 'vitest';
import { judgePointDeletion, judgePointExtension } from './point-rules.ts';
import type { RetainedPoint } from './retention.ts';
import { securityOfNewVault } from './vault-security.ts';

const now = Temporal.Instant.from('2026-02-01T00:00:00Z');
const point = (pointId: string, changes: Partial<RetainedPoint> = {}): RetainedPoint => ({
  pointId,
  takenAt: Temporal.Instant.from('2026-01-20T00:00:00Z'),
  inSnapshot: false,
  inVault: true,
  expiresAt: now.add({ hours: 240 }),
  ...changes,
});

describe('deleting one point', () => {
  const deletion = (target: RetainedPoint, others: RetainedPoint[], security = securityOfNewVault) => {
    const judgement = judgePointDeletion(target, [target, ...others], security, now);
    return judgement.allowed ? `${judgement.softDeleteUntil}` : judgement.refusals.map(({ code }) => code);
  };
  const last = ['UserErrorLastRecoveryPoint'];

  it('soft-deletes it', () => {
    expect(deletion(point('a'), [point('b')])).toBe('2026-02-15T00:00:00Z');
  });

  it('is refused for the last good one, and the last good one in the vault', () => {
    expect(deletion(point('a'), [])).toEqual(last);
    expect(deletion(point('a'), [point('b', { damaged: true })])).toEqual(last);
    expect(deletion(point('a'), [point('b', { softDeletedUntil: now })])).toEqual(last);
    expect(deletion(point('a'), [point('b', { inSnapshot: true, inVault: false })])).toEqual(last);
    expect(deletion(point('a', { damaged: true }), [])).toBe('2026-02-15T00:00:00Z');
    const messageWith = (...others: RetainedPoint[]) => {
      const judgement = judgePointDeletion(point('a'), [point('a'), ...others], securityOfNewVault, now);
      return judgement.allowed ? undefined : judgement.refusals[0].message;
    };
    expect(messageWith()).toMatch(/last good one of its item\.$/);
    expect(messageWith(point('b', { inSnapshot: true, inVault: false }))).toMatch(
      /of its item in the vault\.$/,
    );
  });

  it('is refused in an immutable vault until it has expired', () => {
    const immutable = { ...securityOfNewVault, immutability: 'Unlocked' as const };
    expect(deletion(point('a'), [point('b')], immutable)).toEqual([
      'UserErrorOperationDeniedOnImmutableItem',
    ]);
    expect(deletion(point('a'), [], immutable)[0]).toBe('UserErrorOperationDeniedOnImmutableItem');
    expect(deletion(point('a', { expiresAt: now }), [point('b')], immutable)).toBe('2026-02-15T00:00:00Z');
    const snapshot = point('a', { inSnapshot: true, inVault: false });
    expect(deletion(snapshot, [point('b')], immutable)).toBe('2026-02-15T00:00:00Z');
  });
});

it('keeps one point longer, never for less, and for 99 years from now at most', () => {
  const { expiresAt } = point('a');
  const latest = Temporal.Instant.from('2125-02-01T00:00:00Z');
  const allowed = (until: Temporal.Instant) => judgePointExtension(point('a'), until, now).allowed;
  expect([expiresAt.subtract({ nanoseconds: 1 }), expiresAt, latest].map(allowed)).toEqual([
    false,
    true,
    true,
  ]);
  expect(allowed(latest.add({ nanoseconds: 1 }))).toBe(false);
});
