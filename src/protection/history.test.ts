import fc from 'fast-check';
import { expect, it } from 'vitest';
import { dutyOf } from './duty.ts';
import { expiryUnder, scheduledBasis } from './expiry.ts';
import type { BackupPolicy, Schedule } from './policy.ts';
import { type ExistingPoint, pointUnder } from './preview-edit.ts';
import { decideRetention } from './retention.ts';
import { dueRun, runsBetween } from './schedule.ts';
import { startDelayMs } from './start-spread.ts';
import { tagsOn } from './tags.ts';
import { anyMoment, anyPolicy } from './testing/arbitraries.ts';

/**
 * Months of one item's life with a fake clock: it is backed up when due, sometimes fails, sometimes the service is
 * away, now and then its policy is edited, and after every backup retention is applied. What must hold is said beside
 * it in plain words and checked against what was written down at the time, not against the rules again.
 */
interface Kept extends ExistingPoint {
  /** The longest expiry it ever had, and since when it is soft-deleted. */
  promisedUntil: Temporal.Instant;
  softDeletedSince?: Temporal.Instant;
}

const latest = (a: Temporal.Instant, b: Temporal.Instant) => (Temporal.Instant.compare(a, b) < 0 ? b : a);
const isBefore = (a: Temporal.Instant, b: Temporal.Instant) => Temporal.Instant.compare(a, b) < 0;

/** Retentions short enough to be seen ending. */
const most = { days: 40, weeks: 8, months: 2, years: 1 };
const schedules: fc.Arbitrary<Schedule> = fc.constantFrom<Schedule>(
  { frequency: 'Daily', time: '02:30' },
  { frequency: 'Weekly', days: ['Sunday', 'Thursday'], time: '23:30' },
  { frequency: 'Hourly', windowStart: '08:00', intervalHours: 6, windowHours: 24 },
);

const step = fc.record({
  /** Until the service looks again: mostly an hour or so, sometimes days. */
  hours: fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 1, max: 8 }) },
    { weight: 1, arbitrary: fc.integer({ min: 24, max: 200 }) },
  ),
  snapshot: fc.integer({ min: 0, max: 9 }),
  transfer: fc.integer({ min: 0, max: 4 }),
  edit: fc.integer({ min: 0, max: 20 }),
  damage: fc.integer({ min: 0, max: 40 }),
});

it('keeps what it promised, over months of failures, outages, edits and damage', () => {
  let removals = 0;
  let softDeletions = 0;
  fc.assert(
    fc.property(
      fc.array(anyPolicy({ schedule: schedules, most }), { minLength: 2, maxLength: 3 }),
      anyMoment,
      fc.array(step, { minLength: 60, maxLength: 160 }),
      fc.constantFrom(0, 14),
      fc.string(),
      (policies, start, steps, softDeleteDays, itemId) => {
        let policy = policies[0] as BackupPolicy;
        const delayMs = startDelayMs(itemId, 2 * 3_600_000);
        let now = start;
        let handled = start;
        let vaulted = start;
        let points: Kept[] = [];
        const served = new Set<string>();
        for (const [i, { hours, snapshot, transfer, edit, damage }] of steps.entries()) {
          now = now.add({ hours });
          const other = edit === 0 ? policies[i % policies.length] : undefined;
          if (other !== undefined) {
            policy = other;
            vaulted = latest(vaulted, now);
            handled = latest(handled, now);
          }
          const run = dueRun(policy, handled, now, delayMs);
          if (run !== undefined) {
            // Started once, in its window or when the service is back; never before its time.
            expect(
              isBefore(run.at.add({ milliseconds: delayMs }), now) ||
                run.at.add({ milliseconds: delayMs }).equals(now),
            ).toBe(true);
            expect(served.has(`${run.at}`)).toBe(false);
            served.add(`${run.at}`);
            handled = run.at;
            if (snapshot > 0) points.push(backUp(policy, run, vaulted, points, now, transfer > 0));
            if (snapshot > 0 && points.at(-1)?.inVault) {
              checkDuties(policy, vaulted, run.at, points.at(-1) as Kept);
              vaulted = run.at;
            }
          }
          if (damage === 0 && points.length > 0)
            points[i % points.length] = { ...(points[i % points.length] as Kept), damaged: true };
          const before = points;
          points = cleanUp(points, policy, now, softDeleteDays);
          softDeletions += points.filter(({ softDeletedSince }) => softDeletedSince?.equals(now)).length;
          for (const gone of before.filter(
            ({ pointId }) => !points.some((point) => point.pointId === pointId),
          )) {
            removals += 1;
            // Not before its expiry; and what an edit took, not before it was soft-deleted for as long as it must be.
            expect(isBefore(now, expiryUnder(policy, gone.basis).expiresAt)).toBe(false);
            if (softDeleteDays > 0 && isBefore(now, gone.promisedUntil)) {
              expect(
                gone.softDeletedSince &&
                  isBefore(now, gone.softDeletedSince.add({ hours: 24 * softDeleteDays })),
              ).toBe(false);
            }
          }
          const good = before.filter((point) => !point.damaged).at(-1);
          const goodInVault = before.filter((point) => !point.damaged && point.inVault).at(-1);
          const there = (last: Kept | undefined) => points.find(({ pointId }) => pointId === last?.pointId);
          if (good !== undefined) expect(there(good)).toBeDefined();
          if (goodInVault !== undefined) expect(there(goodInVault)?.inVault).toBe(true);
        }
      },
    ),
    { numRuns: 30 },
  );
  // The histories are such that there was something to see.
  expect(removals).toBeGreaterThan(100);
  expect(softDeletions).toBeGreaterThan(20);
});

function backUp(
  policy: BackupPolicy,
  run: NonNullable<ReturnType<typeof dueRun>>,
  vaulted: Temporal.Instant,
  points: readonly Kept[],
  now: Temporal.Instant,
  transferred: boolean,
): Kept {
  const duty = dutyOf(
    policy,
    run,
    vaulted,
    points.some(({ inVault }) => inVault),
  );
  const inVault = duty.toVault && transferred;
  const basis = scheduledBasis(policy, now, inVault ? duty.tags : []);
  return {
    pointId: `${now}`,
    takenAt: now,
    basis,
    inVault,
    inSnapshot: true,
    promisedUntil: expiryUnder(policy, basis).expiresAt,
  };
}

/** A point in the vault has the tags of every day since the one before it whose backup was the vault's. */
function checkDuties(
  policy: BackupPolicy,
  vaulted: Temporal.Instant,
  run: Temporal.Instant,
  point: Kept,
): void {
  const days = runsBetween(policy, vaulted, run).filter(({ lastOfDay }) => lastOfDay);
  const owed = new Set(days.flatMap(({ date }) => tagsOn(policy.retention, date)));
  expect(point.basis.tags.map(({ rule }) => rule)).toEqual(expect.arrayContaining([...owed]));
}

function cleanUp(
  points: readonly Kept[],
  policy: BackupPolicy,
  now: Temporal.Instant,
  softDeleteDays: number,
): Kept[] {
  const decisions = Map.groupBy(
    decideRetention(
      points.map((point) => pointUnder(point, policy)),
      policy,
      now,
      { softDeleteDays },
    ),
    ({ pointId }) => pointId,
  );
  return points.flatMap((point) => {
    const own = decisions.get(point.pointId) ?? [];
    const keeps = (tier: string) => own.some((decision) => decision.tier === tier && decision.keep);
    const { softDeletedUntil, softDeletedSince, ...rest } = point;
    const marked = own.find(({ softDeleteUntil }) => softDeleteUntil)?.softDeleteUntil;
    const undeleted = own.some(({ undelete }) => undelete);
    const next: Kept = {
      ...rest,
      inSnapshot: keeps('snapshot'),
      inVault: keeps('vault'),
      promisedUntil: latest(point.promisedUntil, expiryUnder(policy, point.basis).expiresAt),
      ...(marked !== undefined && { softDeletedUntil: marked, softDeletedSince: now }),
      ...(marked === undefined && !undeleted && softDeletedUntil && { softDeletedUntil }),
      ...(marked === undefined && !undeleted && softDeletedSince && { softDeletedSince }),
    };
    return next.inSnapshot || next.inVault ? [next] : [];
  });
}
