/** How long the second store of a vault keeps what was copied there. */
export type ReplicaRetention =
  | { mode: 'follow' }
  /** The newest `count` of an item and all younger than `days`: whatever either of them keeps. At least one is given. */
  | { mode: 'keep'; count?: number | undefined; days?: number | undefined };

/** What the rules need to know of a point, in the vault's store or in its replica. */
export interface ReplicaPoint {
  itemId: string;
  pointId: string;
  takenAt: Temporal.Instant;
  /** As written down with the point; undefined where that is not known. */
  expiresAt?: Temporal.Instant | undefined;
}

export interface ReplicaRemovals {
  remove: { itemId: string; pointId: string; reason: string }[];
  /** What the source does not have any more and the replica keeps, though it follows the source. */
  heldBack: { itemId: string; pointId: string; reason: string }[];
  /** Why nothing is to be removed unless somebody has looked; undefined when it may go ahead. */
  refusal: string | undefined;
}

/** Fewer removals than this are never too many at once. */
const harmlessRemovals = 5;

const newestFirst = (a: ReplicaPoint, b: ReplicaPoint) =>
  Temporal.Instant.compare(b.takenAt, a.takenAt) || (a.pointId < b.pointId ? 1 : -1);

function byItem(points: readonly ReplicaPoint[]): Map<string, ReplicaPoint[]> {
  const items = Map.groupBy(points, ({ itemId }) => itemId);
  for (const list of items.values()) list.sort(newestFirst);
  return items;
}

/** Why a retention of its own keeps a point, by its place among its item's, newest 0; undefined: it does not. */
function keptBecause(
  point: ReplicaPoint,
  place: number,
  { count = 0, days = 0 }: { count?: number | undefined; days?: number | undefined },
  now: Temporal.Instant,
): string | undefined {
  if (place === 0) return 'newest of the item';
  if (place < count) return `among the newest ${count}`;
  const until = point.takenAt.add({ hours: 24 * days });
  return Temporal.Instant.compare(now, until) < 0 ? `retained until ${until}` : undefined;
}

/**
 * Points of the source that the replica lacks and wants: item by item, oldest first, so that each can begin from the one
 * before it.
 */
export function pointsToCopy<Point extends ReplicaPoint>(
  source: readonly Point[],
  replica: readonly ReplicaPoint[],
  retention: ReplicaRetention,
  now: Temporal.Instant,
): Point[] {
  const there = new Set(replica.map(({ pointId }) => pointId));
  const missing = source
    .filter(({ pointId }) => !there.has(pointId))
    .sort((a, b) => (a.itemId < b.itemId ? -1 : a.itemId > b.itemId ? 1 : newestFirst(b, a)));
  if (retention.mode === 'follow') return missing;
  const wanted = new Set<string>();
  for (const points of byItem([...replica, ...missing]).values())
    for (const [place, point] of points.entries())
      if (keptBecause(point, place, retention, now) !== undefined) wanted.add(point.pointId);
  return missing.filter(({ pointId }) => wanted.has(pointId));
}

/**
 * What goes from the replica, and why. That the source lacks a point is never reason enough: a source that has lost its
 * points, or a listing that shows none, must not empty the replica. It goes when its own time is over too, and never
 * the newest of an item. More than half of all at once is refused, for a clock that went wrong looks like that.
 */
export function pointsToRemove(
  source: readonly ReplicaPoint[],
  replica: readonly ReplicaPoint[],
  retention: ReplicaRetention,
  now: Temporal.Instant,
): ReplicaRemovals {
  const atSource = new Set(source.map(({ pointId }) => pointId));
  const remove: ReplicaRemovals['remove'] = [];
  const heldBack: ReplicaRemovals['heldBack'] = [];
  for (const points of byItem(replica).values()) {
    for (const [place, point] of points.entries()) {
      const { itemId, pointId, expiresAt } = point;
      if (retention.mode === 'keep') {
        if (keptBecause(point, place, retention, now) === undefined)
          remove.push({ itemId, pointId, reason: "the replica's own retention is over" });
        continue;
      }
      if (atSource.has(pointId)) continue;
      const hold =
        place === 0
          ? 'it is the newest of its item here'
          : expiresAt === undefined
            ? 'it is not known when it expires'
            : Temporal.Instant.compare(now, expiresAt) < 0
              ? `the source lost it before it expires, ${expiresAt}`
              : undefined;
      if (hold === undefined)
        remove.push({ itemId, pointId, reason: `expired ${expiresAt}, gone at the source` });
      else heldBack.push({ itemId, pointId, reason: hold });
    }
  }
  const isMany = remove.length >= harmlessRemovals && remove.length * 2 > replica.length;
  const refusal = isMany
    ? `${remove.length} of the replica's ${replica.length} recovery points would go at once`
    : undefined;
  return { remove, heldBack, refusal };
}
