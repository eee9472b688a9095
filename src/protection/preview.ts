import { HoldfastError } from '../errors/index.ts';
import { dutyOf } from './duty.ts';
import { endOfInstantRestore, expiryUnder, type RuleName, scheduledBasis } from './expiry.ts';
import type { BackupPolicy } from './policy.ts';
import { hoursOfWindow, runsBetween, type ScheduledRun } from './schedule.ts';
import type { RetentionTag } from './tags.ts';

/** A point that a policy would take, if every backup succeeds at its time. */
export interface PreviewedPoint {
  run: ScheduledRun;
  toVault: boolean;
  /** The rules that mark it. */
  tags: RetentionTag[];
  /** The rule that decides when it expires. */
  ruleName: RuleName | undefined;
  expiresAt: Temporal.Instant;
  /** When its snapshot is given up, while the vault keeps it on. */
  snapshotUntil: Temporal.Instant;
}

/** Points in one preview at most: four years of a backup every four hours, 27 years of daily ones. */
export const mostPreviewedPoints = 10_000;

/**
 * The points that a policy would take after `from` and up to `to`.
 * @param options.firstBackup the item has no point yet, so that its first goes to the vault whatever the hour
 * @throws InvalidInput when the span is empty or has more than {@link mostPreviewedPoints} points
 */
export function previewPolicy(
  policy: BackupPolicy,
  from: Temporal.Instant,
  to: Temporal.Instant,
  { firstBackup = false }: { firstBackup?: boolean } = {},
): PreviewedPoint[] {
  const days = from.until(to).total('hours') / 24;
  if (days <= 0) throw new HoldfastError('InvalidInput', `The span from ${from} to ${to} is empty.`);
  const points = days * runsPerDay(policy);
  if (points > mostPreviewedPoints)
    throw new HoldfastError(
      'InvalidInput',
      `Policy '${policy.name}' makes about ${Math.round(points)} points from ${from} to ${to}; a preview shows ${mostPreviewedPoints} at most.`,
      { action: 'Ask for a shorter span.' },
    );
  let done = from;
  let hasVaultPoint = !firstBackup;
  return runsBetween(policy, from, to).map((run) => {
    const { toVault, tags } = dutyOf(policy, run, done, hasVaultPoint);
    if (toVault) done = run.at;
    hasVaultPoint ||= toVault;
    return {
      run,
      toVault,
      tags,
      ...expiryUnder(policy, scheduledBasis(policy, run.at, tags)),
      snapshotUntil: endOfInstantRestore(policy, run.at),
    };
  });
}

function runsPerDay({ schedule }: BackupPolicy): number {
  if (schedule.frequency === 'Hourly') return hoursOfWindow(schedule).length;
  return schedule.frequency === 'Weekly' ? schedule.days.length / 7 : 1;
}
