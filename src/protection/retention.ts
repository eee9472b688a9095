import { endOfInstantRestore } from './expiry.ts';
import type { BackupPolicy, PolicyType } from './policy.ts';

/** What retention needs to know of a recovery point. */
export interface RetainedPoint {
  pointId: string;
  takenAt: Temporal.Instant;
  inSnapshot: boolean;
  inVault: boolean;
  expiresAt: Temporal.Instant;
  /** The latest expiry the point ever had, if it was later: its policy was edited to keep it for less since. */
  promisedUntil?: Temporal.Instant;
  /** Set while the point is soft-deleted: when it will be removed. */
  softDeletedUntil?: Temporal.Instant;
  /** A person deleted the point, before its expiry: only a person brings it back. */
  deletedByPerson?: boolean;
  /** Known not to be restorable as a whole; it is never the one that is kept as the last. */
  damaged?: boolean;
}

/** What to do with one tier of one point, and why. */
export interface RetentionDecision {
  pointId: string;
  tier: 'snapshot' | 'vault';
  keep: boolean;
  reason: string;
  /** The point is soft-deleted from now on, and removed then. */
  softDeleteUntil?: Temporal.Instant;
  /** The point is soft-deleted no more: its expiry is in the future again. */
  undelete?: true;
}

export interface RetentionOptions {
  /** Days that a point is soft-deleted which an edit of its policy makes expire; 0 where soft delete is disabled. */
  softDeleteDays?: number;
  /** Fewer snapshots than the policy's kind may hold, where the host carries no more of them. */
  hostCarries?: number;
}

/**
 * Snapshots kept per item while the vault has the older ones, so that many backups on one day never stand in each
 * other's way. (Azure's own cap is 18 for Standard policies. Enhanced ones hold up to 102 by the schedule, every 4
 * hours for 17 days, and a few on demand come on top.) Points that exist only as snapshots are not given up for it.
 */
export const mostSnapshots: Record<PolicyType, number> = { V1: 10, V2: 110 };

/**
 * Decides both tiers of every point of one item. The newest point, and the newest good one in the vault, are kept past
 * their time: an item never loses its last recovery point to expiry. A point that is a snapshot and nothing else is a
 * recovery point like any other and lives until it expires.
 */
export function decideRetention(
  points: readonly RetainedPoint[],
  policy: BackupPolicy,
  now: Temporal.Instant,
  { softDeleteDays = 0, hostCarries }: RetentionOptions = {},
): RetentionDecision[] {
  const ordered = points.toSorted((a, b) => Temporal.Instant.compare(a.takenAt, b.takenAt));
  const cap = Math.min(mostSnapshots[policy.policyType], hostCarries ?? Number.POSITIVE_INFINITY);
  const snapshots = ordered.filter((point) => point.inSnapshot);
  const outlook: Outlook = {
    newestInSnapshot: snapshots.at(-1)?.pointId,
    newestInVault: ordered.findLast((point) => point.inVault)?.pointId,
    lastGood: lastGoodOf(ordered),
    surplus: new Set(oldestBeyond(snapshots, cap).map(({ pointId }) => pointId)),
    cap,
    policy,
    now,
  };
  return ordered.flatMap((point) => {
    const fate = fateOf(point, outlook, softDeleteDays);
    const decide = (tier: 'snapshot' | 'vault', verdict: Verdict): RetentionDecision => ({
      pointId: point.pointId,
      tier,
      ...verdict,
      ...(fate.softDeleteUntil && { softDeleteUntil: fate.softDeleteUntil }),
      ...(fate.undelete && { undelete: fate.undelete }),
    });
    return [
      ...(point.inSnapshot ? [decide('snapshot', decideSnapshot(point, fate, outlook))] : []),
      ...(point.inVault ? [decide('vault', { keep: fate.keep, reason: fate.reason })] : []),
    ];
  });
}

const oldestBeyond = (snapshots: readonly RetainedPoint[], cap: number) =>
  snapshots.slice(0, Math.max(0, snapshots.length - cap));

/**
 * Points that exist only as snapshots, where an item has more snapshots than its host carries: oldest first. None is given
 * up that is a point's only copy, so these are brought to the vault, whatever the policy asks for, and given up then.
 */
export function crowdedOut(points: readonly RetainedPoint[], hostCarries: number): string[] {
  const snapshots = points
    .filter((point) => point.inSnapshot)
    .toSorted((a, b) => Temporal.Instant.compare(a.takenAt, b.takenAt));
  return oldestBeyond(snapshots, hostCarries)
    .filter((point) => !point.inVault)
    .map(({ pointId }) => pointId);
}

/** The newest good point and the newest good one in the vault; a deleted one only where there is no other. */
function lastGoodOf(ordered: readonly RetainedPoint[]): Set<string> {
  const good = ordered.filter((point) => !point.damaged);
  const left = good.filter((point) => !point.deletedByPerson);
  const inVault = (point: RetainedPoint) => point.inVault;
  const last = [left.at(-1) ?? good.at(-1), left.findLast(inVault) ?? good.findLast(inVault)];
  return new Set(last.flatMap((point) => (point === undefined ? [] : [point.pointId])));
}

interface Outlook {
  newestInSnapshot: string | undefined;
  newestInVault: string | undefined;
  lastGood: ReadonlySet<string>;
  surplus: ReadonlySet<string>;
  cap: number;
  policy: BackupPolicy;
  now: Temporal.Instant;
}

type Verdict = Pick<RetentionDecision, 'keep' | 'reason'>;
type Fate = Verdict & Pick<RetentionDecision, 'softDeleteUntil' | 'undelete'>;

/** Whether the recovery point goes on to exist, in whichever tier. */
function fateOf(
  point: RetainedPoint,
  { lastGood, newestInVault, now }: Outlook,
  softDeleteDays: number,
): Fate {
  const byPerson = point.deletedByPerson === true;
  const undelete = point.softDeletedUntil === undefined || byPerson ? {} : { undelete: true as const };
  if (isBefore(now, point.expiresAt) && !byPerson)
    return { keep: true, reason: `retained until ${point.expiresAt}`, ...undelete };
  if (lastGood.has(point.pointId)) {
    const last =
      point.pointId === newestInVault ? 'last recovery point in the vault' : 'last good recovery point';
    return {
      keep: true,
      reason: `${last}, ${byPerson ? 'though deleted' : `past its expiry ${point.expiresAt}`}`,
      ...undelete,
    };
  }
  if (point.softDeletedUntil !== undefined) {
    const removal = point.softDeletedUntil;
    return isBefore(now, removal)
      ? { keep: true, reason: `soft-deleted, to be removed ${removal}` }
      : {
          keep: false,
          reason: `${byPerson ? 'deleted by a person' : `expired ${point.expiresAt}`}, soft-deleted until ${removal}`,
        };
  }
  const { promisedUntil } = point;
  if (softDeleteDays > 0 && promisedUntil !== undefined && isBefore(now, promisedUntil)) {
    const softDeleteUntil = now.add({ hours: 24 * softDeleteDays });
    return {
      keep: true,
      reason: `its policy was edited to keep it until ${point.expiresAt} instead of ${promisedUntil}; soft-deleted, to be removed ${softDeleteUntil}`,
      softDeleteUntil,
    };
  }
  return { keep: false, reason: `expired ${point.expiresAt}` };
}

function decideSnapshot(point: RetainedPoint, fate: Fate, outlook: Outlook): Verdict {
  const { newestInSnapshot, newestInVault, surplus, cap, policy, now } = outlook;
  if (point.pointId === newestInSnapshot) return { keep: true, reason: 'newest snapshot' };
  if (point.pointId === newestInVault)
    return { keep: true, reason: 'the next transfer counts its changes from here' };
  if (!point.inVault)
    return fate.keep ? { keep: true, reason: `exists only as a snapshot: ${fate.reason}` } : fate;
  if (surplus.has(point.pointId))
    return { keep: false, reason: `in the vault, and ${cap} newer snapshots are kept` };
  const end = endOfInstantRestore(policy, point.takenAt);
  const last = isBefore(point.expiresAt, end) ? point.expiresAt : end;
  return isBefore(now, last)
    ? { keep: true, reason: `instant restore until ${last}` }
    : { keep: false, reason: `instant restore ended ${last}` };
}

const isBefore = (a: Temporal.Instant, b: Temporal.Instant) => Temporal.Instant.compare(a, b) < 0;
