import { afterEach, beforeEach, expect, it } from 'vitest';
import { findItem, findJob, listJobs, listLeftLayers } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { startBackup } from './backup.ts';
import { deleteData } from './delete-data.ts';
import { maintainAll } from './maintenance.ts';
import { purge } from './purge.ts';
import { stopProtection } from './stop-protection.ts';
import { allEnded } from './testing/deaths.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';

let estate: SmallEstate;

beforeEach(async () => {
  estate = await createSmallEstate();
  await estate.settled(await startBackup(estate.workshop, await estate.item(), { onDemand: {} }));
});
afterEach(() => estate[Symbol.asyncDispose]());

const leave = () => {
  estate.host.onCall = () => {
    throw new HoldfastError('HostUnreachable', 'It is away.');
  };
};
const comeBack = () => {
  estate.host.onCall = () => {};
};
const pass = (days: number) => {
  estate.now = estate.now.add({ hours: 24 * days });
};

async function endOf(jobId: string) {
  await estate.settled(jobId);
  const job = (await findJob(estate.workshop.db, jobId))?.job;
  return [job?.status, ...(job?.error_json == null ? [] : [JSON.parse(job.error_json).code])];
}

async function maintained(): Promise<void> {
  await maintainAll(estate.workshop);
  await estate.idle();
  await allEnded(estate);
}

const removals = async () =>
  (await listJobs(estate.workshop.db, 'v1', { operation: 'RemoveLayers' }, { limit: 9 })).map(
    ({ status, entity_name: name }) => `${name} ${status}`,
  );

it('stops, deletes and purges what is on a host that is gone, and cleans up when that is back', async () => {
  leave();
  const unreachable = ['CompletedWithWarnings', 'HostUnreachable'];
  const removed = await deleteData(estate.workshop, await estate.item(), 'web');
  expect(await endOf(removed)).toEqual(unreachable);
  pass(14);
  expect(await endOf(await purge(estate.workshop, await estate.item(), { userTriggered: false }))).toEqual(
    unreachable,
  );
  expect(await findItem(estate.workshop.db, 'i1')).toBeUndefined();
  expect((await (await estate.store()).listPoints()).points).toEqual([]);
  expect(await listLeftLayers(estate.workshop.db)).toMatchObject([
    { host_name: 'memory', vm_uuid: estate.vmUuid, vm_name: 'web', vault_id: 'v1' },
  ]);

  await maintained();
  expect(await removals()).toEqual([]); // no job for a host that does not answer
  comeBack();
  expect(await estate.host.listPoints(estate.vmUuid)).toHaveLength(1);
  await maintained();
  expect(await removals()).toEqual(['web Completed']);
  expect(await estate.host.listPoints(estate.vmUuid)).toEqual([]);
  expect(await listLeftLayers(estate.workshop.db)).toEqual([]);
  await maintained();
  expect(await removals()).toHaveLength(1);
});

it('leaves the layers of a VM alone that is protected again by then', async () => {
  leave();
  const stopped = await stopProtection(estate.workshop, await estate.item());
  expect(await endOf(stopped)).toEqual(['CompletedWithWarnings', 'HostUnreachable']);
  comeBack();
  const { db } = estate.workshop;
  await db.updateTable('items').set({ state: 'Protected', policy_name: 'DefaultPolicy' }).execute();
  await estate.settled(await startBackup(estate.workshop, await estate.item(), { onDemand: {} }));
  const before = await estate.host.listPoints(estate.vmUuid);
  await maintained();
  expect(await removals()).toEqual(['web Completed']);
  expect(await estate.host.listPoints(estate.vmUuid)).toEqual(before.slice(-1));
});
