import { type BackupPolicy, onDemandRetentionDays } from './policy.ts';
import { type RetentionTag, retentionTags, tagsOn } from './tags.ts';
import { timeZoneOf } from './time-zones.ts';

/** What governs a point's life: a retention rule, or the instant restore period of a point that is only a snapshot. */
export type RuleName = RetentionTag | 'InstantRestore';

/**
 * What decides how long a point is kept. It is fixed when the point is taken and stays with it; the policy in force
 * does the rest (`expiryUnder`).
 */
export interface PointBasis {
  takenAt: Temporal.Instant;
  /** The rules that marked the point, each with the end it gave the point then. */
  tags: readonly { rule: RuleName; until: Temporal.Instant }[];
  /** A date somebody chose: "retain till" of an on-demand backup, or a later extension of a single point. */
  retainUntil?: Temporal.Instant;
}

export interface Expiry {
  expiresAt: Temporal.Instant;
  /** The rule that gives the point its end; undefined when a person chose the date. */
  ruleName: RuleName | undefined;
}

/** What a scheduled point is kept by. Without tags it is only a snapshot, and lives for the instant restore period. */
export function scheduledBasis(
  policy: BackupPolicy,
  takenAt: Temporal.Instant,
  tags: readonly RetentionTag[],
): PointBasis {
  const rules: readonly RuleName[] = tags.length === 0 ? ['InstantRestore'] : tags;
  return {
    takenAt,
    tags: rules.flatMap((rule) => {
      const until = endUnder(policy, rule, takenAt);
      return until === undefined ? [] : [{ rule, until }];
    }),
  };
}

/** What an on-demand point is kept by: the date its caller chose, or 30 days; no rule of the policy touches it. */
export function onDemandBasis(
  policy: BackupPolicy,
  takenAt: Temporal.Instant,
  retainUntil: Temporal.Instant | undefined,
): PointBasis {
  return {
    takenAt,
    tags: [],
    retainUntil: retainUntil ?? addTo(takenAt, { days: onDemandRetentionDays }, policy),
  };
}

/**
 * When a point expires under a policy, and the rule that says so: the latest of the ends that its rules give it.
 *
 * The rules that marked a point stay the same for its life, while their durations are those of the policy in force;
 * a rule that the policy no longer has keeps what it promised when the point was taken. So an edit acts on existing
 * points, and editing back restores every expiry.
 */
export function expiryUnder(policy: BackupPolicy, basis: PointBasis): Expiry {
  const ends: Expiry[] = basis.tags
    .toSorted((a, b) => rank(a.rule) - rank(b.rule))
    .map(({ rule, until }) => ({
      ruleName: rule,
      expiresAt: endUnder(policy, rule, basis.takenAt) ?? until,
    }));
  if (basis.retainUntil !== undefined) ends.push({ ruleName: undefined, expiresAt: basis.retainUntil });
  if (ends.length === 0)
    return { ruleName: undefined, expiresAt: endOfInstantRestore(policy, basis.takenAt) };
  return ends.reduce((best, end) =>
    Temporal.Instant.compare(end.expiresAt, best.expiresAt) >= 0 ? end : best,
  );
}

const rank = (rule: RuleName) => retentionTags.indexOf(rule as RetentionTag);

/** When a rule of the policy lets go of a point; undefined when the policy has no such rule. */
function endUnder(
  policy: BackupPolicy,
  rule: RuleName,
  takenAt: Temporal.Instant,
): Temporal.Instant | undefined {
  if (rule === 'InstantRestore') return endOfInstantRestore(policy, takenAt);
  const duration = durationOf(policy, rule);
  return duration && addTo(takenAt, duration, policy);
}

/** How long a rule of the policy keeps the points it marks; undefined when the policy has no such rule. */
export function durationOf(
  policy: BackupPolicy,
  rule: RetentionTag,
): { days: number } | { weeks: number } | { months: number } | { years: number } | undefined {
  const { daily, weekly, monthly, yearly } = policy.retention;
  switch (rule) {
    case 'Daily':
      return daily && { days: daily.count };
    case 'Weekly':
      return weekly && { weeks: weekly.count };
    case 'Monthly':
      return monthly && { months: monthly.count };
    case 'Yearly':
      return yearly && { years: yearly.count };
  }
}

/** When the snapshot of a point is given up, if the vault has the point. */
export function endOfInstantRestore(policy: BackupPolicy, takenAt: Temporal.Instant): Temporal.Instant {
  return addTo(takenAt, { days: policy.instantRetentionDays }, policy);
}

/** Calendar days, months and years of the policy's zone: a point of 20:00 expires at 20:00. */
function addTo(
  moment: Temporal.Instant,
  duration: Temporal.DurationLike,
  policy: BackupPolicy,
): Temporal.Instant {
  return moment.toZonedDateTimeISO(timeZoneOf(policy)).add(duration).toInstant();
}

/**
 * When a point taken at `takenAt` expires if it reaches the vault.
 * @param onDemand of an on-demand point: the date its caller chose
 * @param tags the rules that mark it; those of the day it was taken on if nothing else is known
 */
export function expiryOf(
  policy: BackupPolicy,
  takenAt: Temporal.Instant,
  onDemand: { until?: Temporal.Instant } | undefined,
  tags: readonly RetentionTag[] = tagsOn(
    policy.retention,
    takenAt.toZonedDateTimeISO(timeZoneOf(policy)).toPlainDate(),
  ),
): Expiry {
  return expiryUnder(
    policy,
    onDemand === undefined
      ? scheduledBasis(policy, takenAt, tags)
      : onDemandBasis(policy, takenAt, onDemand.until),
  );
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
  return onDemand?.until ?? endOfInstantRestore(policy, takenAt);
}
