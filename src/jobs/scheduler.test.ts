import { afterEach, beforeEach, expect, it } from 'vitest';
import { getItem, insertItem, listDueItems, listJobs, updateItem } from '../catalog/index.ts';
import { maintenanceIdle } from './maintenance.ts';
import { planNextBackup } from './next-backup.ts';
import { startDueBackups } from './scheduler.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';

let estate: SmallEstate;
beforeEach(async () => {
  estate = await createSmallEstate();
});
afterEach(() => estate[Symbol.asyncDispose]());

async function addItem(name: string): Promise<void> {
  const { db } = estate.workshop;
  const vmUuid = estate.host.addMachine(name, { vda: 4096 });
  await insertItem(db, { ...(await estate.item()), item_id: name, vm_uuid: vmUuid, vm_name: name });
  await planNextBackup(db, name, estate.now);
}

async function look(): Promise<string[]> {
  const jobIds = await startDueBackups(estate.workshop);
  await Promise.all(jobIds.map((jobId) => estate.workshop.engine.wait(jobId)));
  const jobs = await listJobs(estate.workshop.db, 'v1', {}, { limit: 1000 });
  return jobIds.map((jobId) => jobs.find((job) => job.job_id === jobId)?.item_id ?? '');
}

it('spreads the starts of a run, and starts each item once a day, always at its own time', async () => {
  const names = Array.from({ length: 12 }, (_, i) => `vm-${i}`);
  for (const name of names) await addItem(name);
  // The count of those under the policy is part of each one's place; now it is the same for all.
  for (const name of ['i1', ...names]) await planNextBackup(estate.workshop.db, name, estate.now);
  const policyTime = (await getItem(estate.workshop.db, 'vm-0')).next_due_at ?? '';
  estate.now = Temporal.Instant.from(policyTime).subtract({ minutes: 5 });
  expect(await look()).toEqual([]);
  const days: Map<string, number>[] = [];
  for (let day = 0; day < 2; day += 1) {
    const startedAt = new Map<string, number>();
    for (let step = 0; step < 60; step += 1) {
      for (const name of await look()) {
        expect(startedAt.has(name)).toBe(false);
        startedAt.set(name, step);
      }
      estate.now = estate.now.add({ seconds: 10 });
    }
    expect([...startedAt.keys()].sort()).toEqual([...names, 'i1'].sort());
    expect(new Set(startedAt.values()).size).toBeGreaterThan(4);
    days.push(startedAt);
    estate.now = estate.now.add({ hours: 24 }).subtract({ seconds: 600 });
  }
  expect(days[1]).toEqual(days[0]);
  await maintenanceIdle(estate.workshop);
});

it('looks only at what is due: an item without a schedule is not looked at again', async () => {
  const { db } = estate.workshop;
  const due = () => listDueItems(db, '2999-01-01T00:00:00.000Z', { after: undefined, limit: 10 });
  expect((await due()).map((item) => item.item_id)).toEqual(['i1']);
  await updateItem(db, 'i1', { state: 'ProtectionStopped', policy_name: null });
  await planNextBackup(db, 'i1', estate.now);
  expect(await due()).toEqual([]);
  await updateItem(db, 'i1', { state: 'Protected', policy_name: 'DefaultPolicy' });
  await planNextBackup(db, 'i1', estate.now);
  expect(await due()).toHaveLength(1);
  // Whoever forgets to plan costs one look, and starts nothing.
  await updateItem(db, 'i1', { state: 'ProtectionStopped', policy_name: null });
  estate.now = estate.now.add({ hours: 48 });
  expect(await look()).toEqual([]);
  expect(await due()).toEqual([]);
});

it('pages through more than it writes down at once, and past what can not be started', async () => {
  const { db } = estate.workshop;
  for (const name of ['a', 'b', 'c', 'd', 'e']) await addItem(name);
  const pages: string[][] = [];
  let after: Awaited<ReturnType<typeof listDueItems>>[number] | undefined;
  do {
    const page = await listDueItems(db, '2999-01-01T00:00:00.000Z', { after, limit: 2 });
    pages.push(page.map((item) => item.item_id));
    after = page.at(-1);
  } while (after !== undefined);
  expect(pages.map((page) => page.length)).toEqual([2, 2, 2, 0]);
  expect(new Set(pages.flat()).size).toBe(6);
});
