import { type ItemState, retentionOf } from './item-life.ts';
import type { RetainedPoint } from './retention.ts';

/**
 * What ends a recovery point, and when:
 * - `expiry`: its retention, at its expiry (the last good point stays past it);
 * - `removal`: somebody, or an edit of its policy, has soft-deleted it;
 * - `purge`: its item is soft-deleted, and takes it along;
 * - `deletion`: nothing but deleting the data of its item, whose protection is stopped; resuming gives it an expiry again.
 */
export type PointEnd = { by: 'expiry' | 'removal' | 'purge'; at: Temporal.Instant } | { by: 'deletion' };

/** What ends a point of an item in this state. What only an edit has soft-deleted is kept, too, while protection is stopped. */
export function endOfPoint(
  item: { state: ItemState; purgeAt: Temporal.Instant | undefined },
  point: Pick<RetainedPoint, 'expiresAt' | 'softDeletedUntil' | 'deletedByPerson'>,
): PointEnd {
  if (item.state === 'SoftDeleted' && item.purgeAt !== undefined) return { by: 'purge', at: item.purgeAt };
  const isRetained = retentionOf(item.state) === 'nothing';
  if (point.softDeletedUntil !== undefined && (!isRetained || point.deletedByPerson === true))
    return { by: 'removal', at: point.softDeletedUntil };
  return isRetained ? { by: 'deletion' } : { by: 'expiry', at: point.expiresAt };
}
