import { type Database, type ItemRow, listPoints, updateItem, updatePoint } from '../catalog/index.ts';
import { type BackupPolicy, expiryUnder, type PointBasis, retentionOf } from '../protection/index.ts';
import { catalogTime } from './clock.ts';
import { planNextBackup } from './next-backup.ts';
import { basisOf } from './retained-point.ts';

/** The policy an item is under, undefined when its protection is stopped. */
export function policyOf(item: ItemRow): BackupPolicy | undefined {
  return item.policy_name === null ? undefined : lastPolicyOf(item);
}

/** The policy an item is under or, where its protection is stopped, the last it had. */
export function lastPolicyOf({ policy_json: json }: Pick<ItemRow, 'policy_json'>): BackupPolicy {
  return JSON.parse(json) as BackupPolicy;
}

/** What a row of an item says of the policy it is put under, and from when on. */
export function underPolicy(policy: BackupPolicy, since: Temporal.Instant) {
  return {
    policy_name: policy.name,
    policy_json: JSON.stringify(policy),
    duties_since: catalogTime(since),
    schedule_handled_until: catalogTime(since),
  };
}

/**
 * Puts an item under a policy: another one, or its own that was edited, or one that resumes its protection. Its points
 * expire as the policy says from now on. What the schedule of the policy before still owed is owed no more, unless the
 * schedule stays the same.
 * @param tx a transaction: it is done as a whole or not at all
 * @param options.resumed protection was stopped or suspended: nothing was owed meanwhile
 */
export async function putUnderPolicy(
  tx: Database,
  item: ItemRow,
  policy: BackupPolicy,
  now: Temporal.Instant,
  { resumed = false }: { resumed?: boolean } = {},
): Promise<void> {
  const goesOn = !resumed && item.policy_name === policy.name && hasSameTimetable(lastPolicyOf(item), policy);
  const { duties_since, schedule_handled_until, ...settings } = underPolicy(policy, now);
  await updateItem(tx, item.item_id, {
    ...settings,
    ...(goesOn ? {} : { duties_since, schedule_handled_until }),
  });
  for (const point of await listPoints(tx, item.item_id)) {
    const change = expiryColumns(policy, basisOf(point), point);
    if (
      change.expires_at !== point.expires_at ||
      change.rule_name !== point.rule_name ||
      change.promised_until !== point.promised_until
    )
      await updatePoint(tx, point.point_id, change);
  }
  await planNextBackup(tx, item.item_id, now);
}

function hasSameTimetable(a: BackupPolicy, b: BackupPolicy): boolean {
  return a.timeZone === b.timeZone && JSON.stringify(a.schedule) === JSON.stringify(b.schedule);
}

/** A point's expiry as its job shows it. */
export function shownExpiry({ expires_at: text }: { expires_at: string }): string {
  return Temporal.Instant.from(text).toString({ smallestUnit: 'second' });
}

/**
 * What a row of a point says of its expiry.
 * @param before what it said until now: a point keeps the longest promise it ever had, for soft delete
 */
export function expiryColumns(
  policy: BackupPolicy,
  basis: PointBasis,
  before?: { expires_at: string; promised_until: string | null },
): { expires_at: string; rule_name: string | null; promised_until: string | null } {
  const { expiresAt, ruleName } = expiryUnder(policy, basis);
  const expires = catalogTime(expiresAt);
  const promises = before === undefined ? [] : [before.expires_at, before.promised_until ?? ''];
  // Times of the catalog sort as text.
  const longest = [expires, ...promises].toSorted().at(-1) ?? expires;
  return {
    expires_at: expires,
    rule_name: ruleName ?? null,
    promised_until: longest === expires ? null : longest,
  };
}

/** The policy by which points of an item expire, undefined where nothing removes them. */
export function retentionPolicyOf(item: ItemRow): BackupPolicy | undefined {
  return retentionOf(item.state) === 'nothing' ? undefined : lastPolicyOf(item);
}
