import { type Judgement, judge, type Refusal } from './judgement.ts';
import { latestRetainUntil } from './policy-limits.ts';
import type { RetainedPoint } from './retention.ts';
import { refuseRemoval, type VaultSecurity } from './vault-security.ts';

/**
 * Whether one recovery point may be deleted by hand, which Azure can't. It is soft-deleted as everything else is, and
 * the last good point of an item can't be deleted alone: that is what deleting the item's data is for.
 * @param points all points of the item, this one among them
 */
export function judgePointDeletion(
  point: RetainedPoint,
  points: readonly RetainedPoint[],
  security: VaultSecurity,
  now: Temporal.Instant,
): Judgement<{ softDeleteUntil: Temporal.Instant }> {
  const others = points.filter(
    (other) => other.pointId !== point.pointId && !other.damaged && !other.softDeletedUntil,
  );
  const last = others.length === 0 || (point.inVault && !others.some((other) => other.inVault));
  const held = refuseRemoval(
    security,
    `recovery point ${point.pointId}`,
    point.inVault ? point.expiresAt : undefined,
    now,
  );
  const refusals: (Refusal | undefined)[] = [
    // In front, as its advice counts: no other backup helps here, and nobody stops protection for a single point.
    held && {
      ...held,
      action: `Leave it until ${point.expiresAt}: an immutable vault gives nothing up before.`,
    },
    last && !point.damaged
      ? {
          code: 'UserErrorLastRecoveryPoint',
          message: `Recovery point ${point.pointId} of ${point.takenAt} is the last good one of its item${others.length === 0 ? '' : ' in the vault'}.`,
        }
      : undefined,
  ];
  return judge(refusals, { softDeleteUntil: now.add({ hours: 24 * security.softDelete.days }) });
}

/** Whether one recovery point may be kept until another date: a later one, up to 99 years from now, and none sooner. */
export function judgePointExtension(
  point: Pick<RetainedPoint, 'pointId' | 'expiresAt'>,
  until: Temporal.Instant,
  now: Temporal.Instant,
): Judgement<{ retainUntil: Temporal.Instant }> {
  const latest = latestRetainUntil(now);
  const refusals: Refusal[] = [];
  if (Temporal.Instant.compare(until, point.expiresAt) < 0)
    refusals.push({
      code: 'InvalidInput',
      message: `Recovery point ${point.pointId} is kept until ${point.expiresAt}; ${until} is before that.`,
      action: 'Name a later date; to be rid of a point sooner, delete it.',
    });
  if (Temporal.Instant.compare(until, latest) > 0)
    refusals.push({
      code: 'InvalidInput',
      message: `Recovery point ${point.pointId} can't be kept until ${until}: ${latest} is the latest date.`,
    });
  return judge(refusals, { retainUntil: until });
}
