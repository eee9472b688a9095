import { expiryUnder, type PointBasis } from './expiry.ts';
import type { BackupPolicy } from './policy.ts';
import {
  decideRetention,
  type RetainedPoint,
  type RetentionDecision,
  type RetentionOptions,
} from './retention.ts';

/** A point of an item under the policy that is to be edited, or of one that is to get another policy. */
export interface ExistingPoint extends Omit<RetainedPoint, 'expiresAt'> {
  basis: PointBasis;
}

/** What an edit does to one point. */
export interface PointEffect {
  pointId: string;
  before: Temporal.Instant;
  after: Temporal.Instant;
  change: 'longer' | 'shorter' | 'same';
  /** What the next clean-up does with it that it would not do without the edit. */
  atOnce: 'nothing' | 'soft-delete' | 'remove' | 'undelete';
  reason: string;
}

/**
 * What retention has to know of a point once the policy is in force.
 * @param before the policy until now; a point keeps the longest promise it ever had, for soft delete
 */
export function pointUnder(
  point: ExistingPoint,
  policy: BackupPolicy,
  before: BackupPolicy = policy,
): RetainedPoint {
  const { basis, ...rest } = point;
  const expiresAt = expiryUnder(policy, basis).expiresAt;
  const promises = [
    expiryUnder(before, basis).expiresAt,
    ...(point.promisedUntil ? [point.promisedUntil] : []),
  ];
  return { ...rest, expiresAt, promisedUntil: promises.reduce(latest, expiresAt) };
}

/**
 * Which existing points of one item an edit of its policy, or another policy, would keep longer or let expire sooner,
 * and what would happen to them at once.
 */
export function previewEdit(
  points: readonly ExistingPoint[],
  before: BackupPolicy,
  after: BackupPolicy,
  now: Temporal.Instant,
  options: RetentionOptions = {},
): PointEffect[] {
  const without = fates(
    points.map((point) => pointUnder(point, before)),
    before,
    now,
    options,
  );
  const under = fates(
    points.map((point) => pointUnder(point, after, before)),
    after,
    now,
    options,
  );
  return points.map((point) => {
    const earlier = expiryUnder(before, point.basis).expiresAt;
    const later = expiryUnder(after, point.basis).expiresAt;
    const fate = under.get(point.pointId) ?? { action: 'nothing' as const, reason: 'in neither tier' };
    const change =
      (['shorter', 'same', 'longer'] as const)[1 + Temporal.Instant.compare(later, earlier)] ?? 'same';
    return {
      pointId: point.pointId,
      before: earlier,
      after: later,
      change,
      atOnce: without.get(point.pointId)?.action === fate.action ? 'nothing' : fate.action,
      reason: fate.reason,
    };
  });
}

type Fate = { action: PointEffect['atOnce']; reason: string };

/** What clean-up does with each point as a whole: a point goes when the last of its tiers goes. */
function fates(
  points: readonly RetainedPoint[],
  policy: BackupPolicy,
  now: Temporal.Instant,
  options: RetentionOptions,
): Map<string, Fate> {
  const byPoint = Map.groupBy(decideRetention(points, policy, now, options), ({ pointId }) => pointId);
  return new Map([...byPoint].map(([pointId, decisions]) => [pointId, fateOf(decisions)]));
}

function fateOf(decisions: readonly RetentionDecision[]): Fate {
  const kept = decisions.find(({ keep }) => keep);
  if (kept === undefined) return { action: 'remove', reason: decisions[0]?.reason ?? '' };
  if (kept.softDeleteUntil !== undefined) return { action: 'soft-delete', reason: kept.reason };
  return { action: kept.undelete === true ? 'undelete' : 'nothing', reason: kept.reason };
}

const latest = (a: Temporal.Instant, b: Temporal.Instant) => (Temporal.Instant.compare(a, b) < 0 ? b : a);
