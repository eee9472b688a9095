import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { listJobs } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { startBackup } from './backup.ts';
import { maintainAll } from './maintenance.ts';
import { startOldJobRemovals } from './remove-old-jobs.ts';
import { allEnded } from './testing/deaths.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';

let estate: SmallEstate;

beforeEach(async () => {
  estate = await createSmallEstate();
});
afterEach(() => estate[Symbol.asyncDispose]());

const pass = (hours: number) => {
  estate.now = estate.now.add({ hours });
};
const jobs = async (operation?: string) =>
  listJobs(estate.workshop.db, 'v1', operation === undefined ? {} : { operation }, { limit: 99 });

async function backUp(): Promise<void> {
  await estate.settled(await startBackup(estate.workshop, await estate.item(), { onDemand: {} }));
}

async function maintained(): Promise<void> {
  await maintainAll(estate.workshop);
  await estate.idle();
  await allEnded(estate);
}

it('removes old jobs by a job that says how many and why, and never for its own sake', async () => {
  await backUp();
  await backUp();
  pass(24 * 180);
  await startOldJobRemovals(estate.workshop);
  expect(await jobs('RemoveOldJobs')).toEqual([]); // to the millisecond
  pass(1);
  await startOldJobRemovals(estate.workshop);
  await allEnded(estate);
  const [removal, ...others] = await jobs();
  expect(others).toEqual([]);
  expect(removal).toMatchObject({ operation: 'RemoveOldJobs', status: 'Completed', entity_name: 'Main' });
  expect(JSON.parse(removal?.property_bag_json ?? '')).toEqual({
    'Jobs removed': '2',
    Reason: expect.stringMatching(/^They ended before .*Z; jobs are kept for 180 days\.$/),
  });
  pass(24 * 181);
  await startOldJobRemovals(estate.workshop);
  expect((await jobs()).map(({ job_id: id }) => id)).toEqual([removal?.job_id]);
});

it.each([0, 1, 2, 3, 4])('counts the jobs it removes once, dying at its write %i', async (write) => {
  await backUp();
  pass(24 * 180 + 1);
  estate.dieAtWrite(write);
  await startOldJobRemovals(estate.workshop).catch(() => {});
  await estate.idle().catch(() => {});
  await estate.restart();
  await allEnded(estate);
  await startOldJobRemovals(estate.workshop);
  await allEnded(estate);
  const removed = (await jobs()).map((job) => JSON.parse(job.property_bag_json)['Jobs removed']);
  expect(removed).toEqual(['1']);
});

it('collects a store once a day, by a job that says what went', async () => {
  await backUp();
  await maintained(); // notes that there is nothing yet
  expect(await jobs('CollectStore')).toEqual([]);
  pass(23);
  await maintained();
  expect(await jobs('CollectStore')).toEqual([]);
  pass(1);
  await maintained();
  const [collection] = await jobs('CollectStore');
  expect(collection).toMatchObject({ status: 'Completed', user_triggered: 0, entity_name: 'Main' });
  expect(JSON.parse(collection?.property_bag_json ?? '')).toHaveProperty('Bytes given back');
  pass(1);
  await maintained();
  expect(await jobs('CollectStore')).toHaveLength(1);
});

it('starts no collection of a store that is away, and waits after one that failed', async () => {
  await backUp();
  await maintained();
  pass(24);
  const opened = vi.spyOn(estate.workshop.estate, 'store');
  opened.mockRejectedValue(new HoldfastError('StoreUnavailable', 'It is away.'));
  await maintained();
  expect(await jobs('CollectStore')).toEqual([]);
  opened.mockRestore();
  const store = await estate.store();
  const collect = vi.spyOn(store, 'collect').mockRejectedValue(new HoldfastError('CollectionRefused', 'No.'));
  await maintained();
  pass(5);
  await maintained();
  expect(await jobs('CollectStore')).toMatchObject([{ status: 'Failed' }]);
  collect.mockRestore();
  pass(2);
  await maintained();
  expect(await jobs('CollectStore')).toMatchObject([{ status: 'Completed' }, { status: 'Failed' }]);
});
