import { findReplica, getItem, getVault, listReplicas, type ReplicaRow } from '../catalog/index.ts';
import { isHoldfastError, messageOf } from '../errors/index.ts';
import { missingInReplica } from './replica-state.ts';
import { openReplication, startReplication } from './replicate.ts';
import type { Workshop } from './workshop.ts';

/** Waiting time after a replication that failed; doubled with each further one, up to the longest. */
const firstRetryMinutes = 5;
const longestRetryMinutes = 6 * 60;

/** With nothing new, the stores are compared, and expired points removed, so often. */
const intervalHours = 24;

/** Sets the replication of a vault going in the background, once a backup of one of its items has ended. */
export function replicateAfterBackup(workshop: Workshop, itemId: string): void {
  workshop.background.add(
    (async () => {
      try {
        const { vault_id: vaultId } = await getItem(workshop.db, itemId);
        const replica = await findReplica(workshop.db, vaultId);
        if (replica !== undefined && replica.failures === 0) await startIfBehind(workshop, replica);
      } catch (error) {
        report(workshop, error);
      }
    })(),
  );
}

/** Starts the replications that are due: of what no backup has set going, of what failed, and the daily comparison. */
export async function startDueReplications(workshop: Workshop): Promise<void> {
  for (const replica of await listReplicas(workshop.db)) {
    try {
      if (isDue(replica, workshop.clock.now())) await start(workshop, replica);
      else if (replica.failures === 0) await startIfBehind(workshop, replica);
    } catch (error) {
      report(workshop, error);
    }
  }
}

async function startIfBehind(workshop: Workshop, replica: ReplicaRow): Promise<void> {
  const missing = await missingInReplica(workshop.db, replica, workshop.clock.now());
  if (missing.length > 0) await start(workshop, replica);
}

async function start(workshop: Workshop, replica: ReplicaRow): Promise<void> {
  if ((await openReplication(workshop, replica.vault_id)) !== undefined) return;
  await startReplication(workshop, await getVault(workshop.db, replica.vault_id), { userTriggered: false });
}

/** By the clock alone: after a failure, when the waiting time is over; otherwise a day after the last success. */
export function isDue(
  replica: Pick<ReplicaRow, 'attempted_at' | 'completed_at' | 'failures'>,
  now: Temporal.Instant,
): boolean {
  const { attempted_at: attempted, completed_at: completed, failures } = replica;
  if (attempted === null) return true;
  const since = (moment: string) => now.since(Temporal.Instant.from(moment)).total('minutes');
  // A moment in the future is that of a clock gone wrong: waiting for it to come could take years.
  if (since(attempted) < 0) return true;
  if (failures > 0)
    return since(attempted) >= Math.min(firstRetryMinutes * 2 ** (failures - 1), longestRetryMinutes);
  return completed === null || since(completed) >= intervalHours * 60;
}

function report(workshop: Workshop, error: unknown): void {
  if (workshop.signal.aborted) return; // taken up again after the next start
  const sentence = `replication not started: ${messageOf(error)}`;
  if (isHoldfastError(error)) workshop.log.warn({ code: error.code }, sentence);
  else workshop.log.error({ err: error }, sentence);
}
