import {
  type Database,
  getVault,
  type ItemRow,
  type JobRow,
  listOpenJobs,
  sumPoints,
} from '../catalog/index.ts';
import type { ItemFacts, VmFacts } from '../protection/index.ts';
import { lastPolicyOf } from './policies.ts';
import { securityOf } from './vault-security.ts';
import type { Workshop } from './workshop.ts';

/** What a job of an item counts as when something else is asked of the item. */
const conflictOf: Partial<Record<JobRow['operation'], ItemFacts['running'][number]>> = {
  ConfigureBackup: 'ConfigureBackup',
  DisableBackup: 'ConfigureBackup',
  DeleteBackupData: 'ConfigureBackup',
  Undelete: 'ConfigureBackup',
  Purge: 'ConfigureBackup',
  Backup: 'Backup',
  Restore: 'Restore',
};

/** The operations that run on an item; one that waits to be tried again looks anew when it is, and is in nobody's way. */
export async function runningOn(db: Database, itemId: string): Promise<ItemFacts['running']> {
  const jobs = await listOpenJobs(db);
  return jobs.flatMap((job) =>
    job.item_id === itemId && job.retry_at === null ? (conflictOf[job.operation] ?? []) : [],
  );
}

/** @param vm what is known of its VM; undefined: it is gone */
export async function factsOf(db: Database, item: ItemRow, vm: VmFacts | undefined): Promise<ItemFacts> {
  const [points, running] = await Promise.all([sumPoints(db, item.item_id), runningOn(db, item.item_id)]);
  return {
    name: item.vm_name,
    state: item.state,
    policy: lastPolicyOf(item),
    vm,
    hasVaultPoint: points.inVault > 0,
    // A backup that runs may be about to note the first.
    points: points.all + (running.includes('Backup') ? 1 : 0),
    lastExpiry: points.lastExpiry === null ? undefined : Temporal.Instant.from(points.lastExpiry),
    purgeAt: item.purge_at === null ? undefined : Temporal.Instant.from(item.purge_at),
    running,
  };
}

export async function securityOfItem({ db }: Workshop, item: ItemRow) {
  return securityOf(await getVault(db, item.vault_id));
}
