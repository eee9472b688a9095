import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  findJob,
  insertPolicy,
  type JobRow,
  listJobs,
  listPoints,
  noteDamaged,
  type PointRow,
  updateItem,
  updatePoint,
} from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { type BackupPolicy, defaultPolicy, expiryUnder } from '../protection/index.ts';
import { startBackup } from './backup.ts';
import { savePolicy } from './edit-policy.ts';
import { hostCarries } from './host-carries.ts';
import { maintainItem, maintenanceIdle } from './maintenance.ts';
import { planNextBackup } from './next-backup.ts';
import { lastPolicyOf, underPolicy } from './policies.ts';
import { basisOf } from './retained-point.ts';
import { startDueBackups } from './scheduler.ts';
import { allEnded, died } from './testing/deaths.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';
import { securityOf } from './vault-security.ts';

let estate: SmallEstate;

const nightly: BackupPolicy = { ...defaultPolicy, name: 'Nightly' };
const keptFor = (count: number): BackupPolicy => ({ ...nightly, retention: { daily: { count } } });

beforeEach(async () => {
  estate = await createSmallEstate();
  estate.now = Temporal.Instant.from('2026-03-01T12:00:00Z');
  await prepare(nightly);
});
afterEach(() => estate[Symbol.asyncDispose]());

async function prepare(policy: BackupPolicy): Promise<void> {
  const { db } = estate.workshop;
  await insertPolicy(db, 'v1', policy);
  await updateItem(db, estate.itemId, underPolicy(policy, estate.now));
  await planNextBackup(db, estate.itemId, estate.now);
}

const points = () => listPoints(estate.workshop.db, estate.itemId);
const idle = () => maintenanceIdle(estate.workshop);

/** A scheduled backup on each of so many days. */
async function days(count: number): Promise<void> {
  for (let day = 0; day < count; day += 1) {
    estate.now = estate.now.add({ hours: 24 });
    for (const jobId of await startDueBackups(estate.workshop)) await estate.settled(jobId);
  }
}

async function edit(policy: BackupPolicy): Promise<void> {
  // Jobs are listed by their start.
  estate.now = estate.now.add({ seconds: 1 });
  await savePolicy(estate.workshop, estate.vault, policy, securityOf(estate.vault));
  await allEnded(estate);
}

async function maintained(): Promise<void> {
  maintainItem(estate.workshop, estate.itemId);
  await idle();
}

async function cleanUps(): Promise<(JobRow & { shown: Record<string, string> })[]> {
  const jobs = await listJobs(estate.workshop.db, 'v1', { operation: 'ExpirePoints' }, { limit: 99 });
  return jobs.map((job) => ({ ...job, shown: JSON.parse(job.property_bag_json) as Record<string, string> }));
}

describe('the clean-up of expired points', () => {
  it('is a job that says what it removed and why, and no job where nothing is removed', async () => {
    await days(2);
    expect(await cleanUps()).toEqual([]);
    await days(1);
    const [job] = await cleanUps();
    const [first] = await points();
    expect(job).toMatchObject({ status: 'Completed', entity_name: 'web', user_triggered: 0 });
    expect(job?.shown).toEqual({
      'VM Name': 'web',
      'Snapshots given up': '1',
      [`${first?.taken_at}, snapshot`]: expect.stringMatching(
        /^is removed: instant restore ended 2026-03-04/,
      ),
    });
    expect((await findJob(estate.workshop.db, job?.job_id ?? ''))?.tasks).toMatchObject([
      { task_id: 'Merge snapshots on host', status: 'Completed' },
    ]);
    expect(await estate.host.listPoints(estate.vmUuid)).not.toContain(first?.point_id);
  });

  it('says what it could not do yet, once; a later one does it', async () => {
    await days(2);
    estate.host.onCall = (operation) => {
      if (operation === 'expirePoints') throw new HoldfastError('HostUnreachable', 'Away.');
    };
    await days(1);
    await maintained();
    const [job, ...more] = await cleanUps();
    expect(more).toEqual([]);
    expect(job?.status).toBe('CompletedWithWarnings');
    expect(JSON.parse(job?.error_json ?? '')).toMatchObject({ code: 'HostUnreachable' });
    estate.host.onCall = () => {};
    await maintained();
    expect(await estate.host.listPoints(estate.vmUuid)).toHaveLength(2);
    expect(await cleanUps()).toHaveLength(1);
  });

  it('soft-deletes what an edit makes expire, brings it back with the edit taken back, and removes it in the end', async () => {
    await days(12);
    const before = await points();
    await edit(keptFor(7));
    const deleted = (await points()).filter((point) => point.soft_deleted_until !== null);
    expect(deleted.map((point) => point.point_id)).toEqual(before.slice(0, 5).map((point) => point.point_id));
    expect((await cleanUps())[0]?.shown).toMatchObject({ 'Soft-deleted': '5' });
    await edit(nightly);
    expect((await cleanUps())[0]?.shown).toMatchObject({ Undeleted: '5' });
    const now = await points();
    expect(
      now.map(({ point_id, expires_at, promised_until, soft_deleted_until }) => [
        point_id,
        expires_at,
        promised_until,
        soft_deleted_until,
      ]),
    ).toEqual(before.map(({ point_id, expires_at }) => [point_id, expires_at, null, null]));
    await edit(keptFor(7));
    estate.now = estate.now.add({ hours: 24 * 14 - 1 });
    await maintained();
    expect(await points()).toHaveLength(12);
    estate.now = estate.now.add({ hours: 1 });
    await maintained();
    expect((await points()).map((point) => point.point_id)).not.toContain(deleted[0]?.point_id);
  });

  it('never removes the last point that is not damaged', async () => {
    await days(3);
    const [first, ...others] = (await points()).map((point) => point.point_id);
    await noteDamaged(estate.workshop.db, 'v1', new Set(others));
    estate.now = estate.now.add({ hours: 24 * 400 });
    await maintained();
    const left = await points();
    expect(left.map((point) => point.point_id)).toContain(first);
    expect(left.find((point) => point.point_id === first)?.in_vault).toBe(1);
  });

  it('gives up more snapshots where a VM has many disks: its host carries fewer', async () => {
    await days(1);
    const [point] = await points();
    const withDisks = (count: number) =>
      hostCarries([{ ...point, frozen_json: JSON.stringify({ disks: Array(count).fill({}) }) } as PointRow]);
    expect([1, 6, 16, 32].map(withDisks)).toEqual([120, 120, 42, 17]);
    expect(hostCarries([])).toBe(120);
  });

  it('goes on after whichever write its process died at', async () => {
    await days(4);
    let deaths = 0;
    for (let write = 0; ; write += 1) {
      estate.now = estate.now.add({ hours: 24 });
      const jobId = await startBackup(estate.workshop, await estate.item(), { runAt: `${estate.now}` });
      await estate.workshop.engine.wait(jobId);
      await idle();
      const [oldest] = (await points()).filter((point) => point.in_vault === 1);
      await updatePoint(estate.workshop.db, oldest?.point_id ?? '', {
        expires_at: '2026-01-01T00:00:00.000Z',
        basis_json: JSON.stringify({
          takenAt: oldest?.taken_at,
          tags: [],
          retainUntil: '2026-01-01T00:00:00Z',
        }),
      });
      estate.dieAtWrite(write);
      maintainItem(estate.workshop, estate.itemId);
      await Promise.race([idle(), died(estate)]);
      const isOver = !estate.isDead();
      await estate.restart();
      await allEnded(estate);
      await maintained();
      expect(
        (await cleanUps()).filter((job) => job.ended_at === null),
        `write ${write}`,
      ).toEqual([]);
      expect(
        (await points()).map((point) => point.point_id),
        `write ${write}`,
      ).not.toContain(oldest?.point_id);
      if (isOver) break;
      deaths += 1;
    }
    expect(deaths).toBeGreaterThan(5);
  }, 60_000);
});

/** Retentions short enough to be seen ending. */
const forms: BackupPolicy[] = [
  {
    ...nightly,
    name: 'Any',
    policyType: 'V2',
    instantRetentionDays: 3,
    schedule: { frequency: 'Hourly', windowStart: '08:00', intervalHours: 6, windowHours: 24 },
    retention: { daily: { count: 9 }, weekly: { count: 3, days: ['Sunday'] } },
  },
  { ...nightly, name: 'Any', policyType: 'V2', instantRetentionDays: 1, retention: { daily: { count: 20 } } },
  {
    ...nightly,
    name: 'Any',
    policyType: 'V2',
    instantRetentionDays: 7,
    timeZone: 'Europe/Berlin',
    retention: { daily: { count: 7 } },
  },
];

const step = fc.record({
  hours: fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 2, max: 9 }) },
    { weight: 2, arbitrary: fc.integer({ min: 24, max: 150 }) },
  ),
  fails: fc.constantFrom('nothing', 'nothing', 'nothing', 'takePoint', 'openPoint'),
  edit: fc.integer({ min: 0, max: 9 }),
  damage: fc.integer({ min: 0, max: 12 }),
});

/** A month of a backup a day and nothing going wrong: whatever is drawn beside it, points expire. */
const quietMonth = Array.from({ length: 26 }, () => ({ hours: 26, fails: 'nothing', edit: 9, damage: 99 }));

it('keeps what it promised, over weeks of failures, outages, edits and damage', async () => {
  let removals = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 28 }), async (steps) => {
      await estate[Symbol.asyncDispose]();
      estate = await createSmallEstate();
      estate.now = Temporal.Instant.from('2026-03-01T12:00:00Z');
      await prepare(forms[0] as BackupPolicy);
      const { db } = estate.workshop;
      for (const { hours, fails, edit: change, damage } of steps) {
        estate.now = estate.now.add({ hours });
        const before = await points();
        const form = forms[change];
        if (form !== undefined) {
          const expiries = before.map((point) => point.expires_at);
          const policy = lastPolicyOf(await estate.item());
          await edit(form);
          if (change === 0) await edit(policy);
          const there = new Map((await points()).map((point) => [point.point_id, point.expires_at]));
          if (change === 0)
            for (const [i, { point_id: id }] of before.entries())
              if (there.has(id)) expect(there.get(id)).toBe(expiries[i]);
        }
        estate.host.onCall = (operation) => {
          if (operation === fails) throw new HoldfastError('HostUnreachable', 'Away.');
        };
        for (const jobId of await startDueBackups(estate.workshop)) await estate.settled(jobId);
        estate.host.onCall = () => {};
        const hit = before[damage];
        if (hit !== undefined) await noteDamaged(db, 'v1', new Set([hit.point_id]));
        const mid = await points();
        await maintained();
        const now = new Map((await points()).map((point) => [point.point_id, point]));
        const policy = lastPolicyOf(await estate.item());
        const time = estate.now.toString({ fractionalSecondDigits: 3 });
        for (const gone of before.filter((point) => !now.has(point.point_id))) {
          removals += 1;
          const { expiresAt } = expiryUnder(policy, basisOf(gone));
          expect(Temporal.Instant.compare(expiresAt, estate.now)).toBeLessThanOrEqual(0);
          const until = gone.soft_deleted_until ?? gone.promised_until ?? gone.expires_at;
          expect(until <= time, `${gone.point_id} until ${until}, gone ${time}`).toBe(true);
        }
        const good = mid.filter((point) => point.damaged === 0);
        const last = [good.at(-1), good.findLast((point) => point.in_vault === 1)];
        for (const point of last) if (point !== undefined) expect(now.get(point.point_id)).toBeDefined();
        if (last[1] !== undefined) expect(now.get(last[1].point_id)?.in_vault).toBe(1);
        const { points: records } = await (await estate.store()).listPoints();
        expect(records.map((record) => record.pointId).sort()).toEqual(
          [...now.values()]
            .filter((point) => point.in_vault === 1)
            .map((point) => point.point_id)
            .sort(),
        );
      }
    }),
    { numRuns: 3, examples: [[quietMonth]] },
  );
  expect(removals).toBeGreaterThan(0);
}, 120_000);
