import { type BackupPolicy, onDemandRetentionDays } from './policy.ts';

/** What retention needs to know of a recovery point. */
export interface RetainedPoint {
  pointId: string;
  takenAt: Temporal.Instant;
  inSnapshot: boolean;
  inVault: boolean;
  expiresAt: Temporal.Instant;
}

/** What to do with one tier of one point, and why. */
export interface RetentionDecision {
  pointId: string;
  tier: 'snapshot' | 'vault';
  keep: boolean;
  reason: string;
}

/** When a point taken at `takenAt` expires, and the rule that says so. */
export function expiryOf(
  policy: BackupPolicy,
  takenAt: Temporal.Instant,
  onDemand: { until?: Temporal.Instant } | undefined,
): { expiresAt: Temporal.Instant; ruleName: string | undefined } {
  if (onDemand?.until !== undefined) return { expiresAt: onDemand.until, ruleName: undefined };
  const days = onDemand === undefined ? policy.retention.dailyDays : onDemandRetentionDays;
  const zoned = takenAt.toZonedDateTimeISO(policy.schedule.timeZone);
  return {
    expiresAt: zoned.add({ days }).toInstant(),
    ruleName: onDemand === undefined ? 'Daily' : undefined,
  };
}

/**
 * When a point expires that stays a snapshot because its transfer was left out: Azure keeps a point of the snapshot
 * tier for the instant restore period. A date that the caller chose stands.
 */
export function expiryOfSnapshotOnly(
  policy: BackupPolicy,
  takenAt: Temporal.Instant,
  onDemand: { until?: Temporal.Instant } | undefined,
): Temporal.Instant {
  const { expiresAt } = expiryOf(policy, takenAt, onDemand);
  return onDemand?.until === undefined ? earlier(expiresAt, endOfInstantRestore(policy, takenAt)) : expiresAt;
}

function endOfInstantRestore(policy: BackupPolicy, takenAt: Temporal.Instant): Temporal.Instant {
  return takenAt
    .toZonedDateTimeISO(policy.schedule.timeZone)
    .add({ days: policy.instantRetentionDays })
    .toInstant();
}

const earlier = (a: Temporal.Instant, b: Temporal.Instant) => (Temporal.Instant.compare(a, b) < 0 ? a : b);

/**
 * Snapshots kept per item while the vault has the older ones. Below the longest chain of layers that is allowed, so
 * that many backups on one day never stand in each other's way. (Azure's own cap is 18.)
 */
const mostSnapshots = 10;

/**
 * Decides both tiers of every point of one item. The newest point, and the newest one in the vault, are kept past
 * their time: an item never loses its last recovery point to expiry. A point that is a snapshot and nothing else is a
 * recovery point like any other and lives until it expires.
 */
export function decideRetention(
  points: readonly RetainedPoint[],
  policy: BackupPolicy,
  now: Temporal.Instant,
): RetentionDecision[] {
  const ordered = [...points].sort((a, b) => Temporal.Instant.compare(a.takenAt, b.takenAt));
  const newestInSnapshot = ordered.findLast((point) => point.inSnapshot)?.pointId;
  const newestInVault = ordered.findLast((point) => point.inVault)?.pointId;
  const snapshots = ordered.filter((point) => point.inSnapshot);
  const surplus = new Set(
    snapshots.slice(0, Math.max(0, snapshots.length - mostSnapshots)).map((point) => point.pointId),
  );
  return ordered.flatMap((point) => [
    ...(point.inSnapshot
      ? [decideSnapshot(point, newestInSnapshot, newestInVault, surplus, policy, now)]
      : []),
    ...(point.inVault ? [decideVault(point, newestInVault, now)] : []),
  ]);
}

function decideSnapshot(
  point: RetainedPoint,
  newestInSnapshot: string | undefined,
  newestInVault: string | undefined,
  surplus: ReadonlySet<string>,
  policy: BackupPolicy,
  now: Temporal.Instant,
): RetentionDecision {
  const decision = { pointId: point.pointId, tier: 'snapshot' as const };
  if (point.pointId === newestInSnapshot) return { ...decision, keep: true, reason: 'newest snapshot' };
  if (point.pointId === newestInVault)
    return { ...decision, keep: true, reason: 'the next transfer counts its changes from here' };
  if (!point.inVault) {
    return Temporal.Instant.compare(now, point.expiresAt) < 0
      ? { ...decision, keep: true, reason: `exists only as a snapshot, retained until ${point.expiresAt}` }
      : { ...decision, keep: false, reason: `expired ${point.expiresAt}` };
  }
  if (surplus.has(point.pointId))
    return {
      ...decision,
      keep: false,
      reason: `in the vault, and ${mostSnapshots} newer snapshots are kept`,
    };
  const last = earlier(point.expiresAt, endOfInstantRestore(policy, point.takenAt));
  return Temporal.Instant.compare(now, last) < 0
    ? { ...decision, keep: true, reason: `instant restore until ${last}` }
    : { ...decision, keep: false, reason: `instant restore ended ${last}` };
}

function decideVault(
  point: RetainedPoint,
  newestInVault: string | undefined,
  now: Temporal.Instant,
): RetentionDecision {
  const decision = { pointId: point.pointId, tier: 'vault' as const };
  if (Temporal.Instant.compare(now, point.expiresAt) < 0)
    return { ...decision, keep: true, reason: `retained until ${point.expiresAt}` };
  if (point.pointId === newestInVault)
    return { ...decision, keep: true, reason: 'last recovery point in the vault' };
  return { ...decision, keep: false, reason: `expired ${point.expiresAt}` };
}
