import type { BackupPolicy } from './policy.ts';
import { runsBetween, type ScheduledRun } from './schedule.ts';
import { type RetentionTag, retentionTags, tagsOn } from './tags.ts';

/** What a scheduled backup has to do beside taking its snapshot. */
export interface Duty {
  /** Whether it brings its point to the vault; without, the point lives as a snapshot only. */
  toVault: boolean;
  /** The rules that mark its point, in their order; none for a point that stays a snapshot. */
  tags: RetentionTag[];
}

/** How far back missed duties are looked for, in days: beyond it every rule has had a later day of its own. */
const longestLookBack = 366;

/**
 * What the run at `run` has to do.
 *
 * Duties are those of days: each run of a daily or weekly schedule, and the last run of each day of an hourly one,
 * brings its day's point to the vault and earns its day's tags. A duty that went undone, because the backup failed or
 * nothing was running, passes to the next backup. So the first one after an outage brings what was missed, and the
 * yearly point of a January whose chosen day failed is that of the day after instead of none at all.
 *
 * @param done duties up to this moment are done, or were never due: the run that the newest point in the vault was
 *   for, or when protection began, was resumed or came under this policy, whichever is latest
 * @param hasVaultPoint an item's first point goes to the vault whatever the hour: until it is there nothing is safe
 */
export function dutyOf(
  policy: BackupPolicy,
  run: Pick<ScheduledRun, 'at'>,
  done: Temporal.Instant,
  hasVaultPoint: boolean,
): Duty {
  const horizon = run.at.subtract({ hours: 24 * longestLookBack });
  const from = Temporal.Instant.compare(done, horizon) > 0 ? done : horizon;
  const open = runsBetween(policy, from, run.at).filter(({ lastOfDay }) => lastOfDay);
  if (open.length === 0 && hasVaultPoint) return { toVault: false, tags: [] };
  const marks = new Set(open.flatMap(({ date }) => tagsOn(policy.retention, date)));
  // A first point that no duty asks for has its day's point still to come; it is kept as a day's point all the same.
  if (open.length === 0 && policy.retention.daily !== undefined) marks.add('Daily');
  return { toVault: true, tags: retentionTags.filter((tag) => marks.has(tag)) };
}
