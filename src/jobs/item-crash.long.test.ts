import { expect, it } from 'vitest';
import { findItem, type JobRow, listJobs, listPoints } from '../catalog/index.ts';
import { startBackup } from './backup.ts';
import { configureProtection } from './configure.ts';
import { deleteData } from './delete-data.ts';
import { purge, startDuePurges } from './purge.ts';
import { stopProtection } from './stop-protection.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';
import { undelete } from './undelete.ts';
import { changeVaultSecurity } from './vault-security.ts';

const backUp = async (estate: SmallEstate) => {
  estate.now = estate.now.add({ seconds: 1 });
  await estate.settled(await startBackup(estate.workshop, await estate.item(), { onDemand: {} }));
};
const remove = async (estate: SmallEstate) => deleteData(estate.workshop, await estate.item(), 'web');
const done = async (estate: SmallEstate, jobId: Promise<string>) => estate.settled(await jobId);
const suspend = async (estate: SmallEstate) =>
  stopProtection(estate.workshop, await estate.item(), 'suspend');
const immutable = async (estate: SmallEstate) => {
  estate.vault = await changeVaultSecurity(estate.workshop, estate.vault, { immutability: 'Unlocked' });
};
const resume = async (estate: SmallEstate) => {
  const [found] = await estate.workshop.estate.listMachines();
  if (found === undefined) throw new Error('the VM is gone');
  return (await configureProtection(estate.workshop, estate.vault, found, { policyName: 'DefaultPolicy' }))
    .jobId;
};

interface Case {
  operation: JobRow['operation'];
  prepare(estate: SmallEstate): Promise<unknown>;
  act(estate: SmallEstate): Promise<string>;
  /** The state before and after; undefined: there is no item any more. */
  from: string;
  to: string | undefined;
}

const cases: Case[] = [
  {
    operation: 'DisableBackup',
    prepare: async () => {},
    act: async (estate) => stopProtection(estate.workshop, await estate.item()),
    from: 'Protected',
    to: 'ProtectionStopped',
  },
  { operation: 'DisableBackup', prepare: immutable, act: suspend, from: 'Protected', to: 'BackupsSuspended' },
  {
    operation: 'ConfigureBackup',
    prepare: async (estate) => {
      await immutable(estate);
      await done(estate, suspend(estate));
    },
    act: resume,
    from: 'BackupsSuspended',
    to: 'Protected',
  },
  {
    operation: 'DeleteBackupData',
    prepare: async () => {},
    act: remove,
    from: 'Protected',
    to: 'SoftDeleted',
  },
  {
    operation: 'Undelete',
    prepare: (estate) => done(estate, remove(estate)),
    act: async (estate) => undelete(estate.workshop, await estate.item()),
    from: 'SoftDeleted',
    to: 'ProtectionStopped',
  },
  {
    operation: 'Purge',
    prepare: async (estate) => {
      await estate.addReplica();
      await estate.replicated();
      await done(estate, remove(estate));
      estate.now = estate.now.add({ hours: 14 * 24 });
    },
    act: async (estate) => purge(estate.workshop, await estate.item(), { userTriggered: false }),
    from: 'SoftDeleted',
    to: undefined,
  },
];

/** More statements than any of them needs. */
const mostStatements = 300;

it.each(cases)(
  'dies after every step of $operation from $from to $to, and leaves nothing half done',
  async ({ operation, prepare, act, from, to }) => {
    for (let step = 0; ; step += 1) {
      expect(step).toBeLessThan(mostStatements);
      await using estate = await createSmallEstate();
      await backUp(estate);
      await backUp(estate);
      await prepare(estate);
      const kept = (await listPoints(estate.workshop.db, 'i1')).map((row) => [row.point_id, row.in_vault]);
      const before = (await estate.item()).state;
      expect(before).toBe(from);
      const jobsBefore = await ended(estate, operation);
      estate.dieAtStatement(step);
      await act(estate).then(
        (jobId) => estate.settled(jobId),
        (error: unknown) => {
          if (!estate.isDead()) throw error;
        },
      );
      const hasDied = estate.isDead();
      await estate.restart();
      await estate.idle();
      const jobs = (await ended(estate, operation)).slice(jobsBefore.length);
      const state = (await findItem(estate.workshop.db, 'i1'))?.state;
      // The change and its job, ended well; or neither.
      expect([state, jobs], `died at statement ${step}`).toEqual(
        jobs.length === 0 && hasDied ? [from, []] : [to, ['Completed']],
      );
      const points = (await listPoints(estate.workshop.db, 'i1')).map((row) => [row.point_id, row.in_vault]);
      const stored = (await (await estate.store()).listPoints()).points.length;
      if (to === undefined) {
        await startDuePurges(estate.workshop);
        await estate.idle();
        expect(await findItem(estate.workshop.db, 'i1')).toBeUndefined();
        expect((await (await estate.store()).listPoints()).points).toEqual([]);
        const replica = await estate.workshop.db.selectFrom('replicas').selectAll().executeTakeFirstOrThrow();
        expect((await (await estate.workshop.estate.replica(replica)).listPoints()).points).toEqual([]);
        expect(await estate.host.listPoints(estate.vmUuid)).toEqual([]);
      } else {
        expect(points).toEqual(kept);
        expect(stored).toBe(kept.length);
      }
      if (!hasDied) return;
    }
  },
  300_000,
);

async function ended(estate: SmallEstate, operation: string): Promise<string[]> {
  const jobs = await listJobs(estate.workshop.db, 'v1', { operation }, { limit: 100 });
  return jobs.toReversed().map(({ status }) => status);
}
