import { countOldJobs, listVaults, purgeJobs, purgeOperations, updateJob } from '../catalog/index.ts';
import { catalogTime } from './clock.ts';
import type { Operation } from './engine.ts';
import type { Workshop } from './workshop.ts';

interface OldJobsPayload {
  vaultId: string;
  endedBefore: string;
}

/** What a job that has removed others says of them. */
const removedJobs = 'Jobs removed';

/**
 * Starts a job for every vault that has jobs nobody can want to look up any more. Those that did this before go with the
 * others, and are no reason for it: or each would be the reason for the next.
 */
export async function startOldJobRemovals(workshop: Workshop): Promise<void> {
  const { db, clock, engine, jobHistoryDays } = workshop;
  const endedBefore = catalogTime(clock.now().subtract({ hours: 24 * jobHistoryDays }));
  await purgeOperations(db, endedBefore);
  const old = await countOldJobs(db, endedBefore, 'RemoveOldJobs');
  const vaults = new Map((await listVaults(db)).map((vault) => [vault.vault_id, vault]));
  for (const vaultId of old.keys()) {
    const vault = vaults.get(vaultId);
    if (vault === undefined) {
      // Nobody can look up the jobs of a vault that is gone.
      await db.transaction().execute((tx) => purgeJobs(tx, vaultId, endedBefore));
      continue;
    }
    await engine.start<OldJobsPayload>('RemoveOldJobs', {
      vaultId,
      itemId: undefined,
      entityName: vault.name,
      userTriggered: false,
      payload: { vaultId, endedBefore },
      taskIds: [],
      properties: { Reason: `They ended before ${endedBefore}; jobs are kept for ${jobHistoryDays} days.` },
    });
  }
}

/** That they are gone is written down with how many they were, so that it is done once. */
export function removeOldJobsOperation(): Operation<OldJobsPayload> {
  const run: Operation<OldJobsPayload>['run'] = async (context) => {
    const { vaultId, endedBefore } = context.payload;
    if (context.properties[removedJobs] !== undefined) return 'Completed';
    await context.write(async (tx) => {
      const count = await purgeJobs(tx, vaultId, endedBefore);
      const properties = { ...context.properties, [removedJobs]: String(count) };
      await updateJob(tx, context.jobId, { property_bag_json: JSON.stringify(properties) });
    });
    return 'Completed';
  };
  return { run, resume: run };
}
