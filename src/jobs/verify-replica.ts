import {
  findReplica,
  getUpkeep,
  getVault,
  listOpenJobs,
  listReplicas,
  type ReplicaRow,
  updateReplica,
  type VaultRow,
} from '../catalog/index.ts';
import { isHoldfastError, messageOf } from '../errors/index.ts';
import type { JobStatus } from '../protection/index.ts';
import type { Operation } from './engine.ts';
import { healedProperties, healFromVault } from './heal-points.ts';
import type { JobContext } from './job-context.ts';
import { readStore } from './read-store.ts';
import { noReplica } from './replicate.ts';
import { damagedReplicaError, namePoints } from './store-damage.ts';
import { defaultVerifyEveryDays, scheduledBytesPerSecond } from './verify-due.ts';
import type { Workshop } from './workshop.ts';

export const checkReplicaTask = 'Check replica';

/** After one that did not come to its end, the next try. */
const retryHours = 24;

export interface VerifyReplicaPayload {
  vaultId: string;
  bytesPerSecond: number | undefined;
}

/** Starts the verification of a vault's replica; where one is under way, returns that job. @throws ResourceNotFound */
export async function startReplicaVerification(
  workshop: Workshop,
  vault: VaultRow,
  options: { userTriggered: boolean; bytesPerSecond?: number | undefined },
): Promise<string> {
  if ((await findReplica(workshop.db, vault.vault_id)) === undefined) throw noReplica(vault);
  const open = (await listOpenJobs(workshop.db)).find(
    (job) => job.operation === 'VerifyReplica' && job.vault_id === vault.vault_id,
  );
  if (open !== undefined) return open.job_id;
  const { userTriggered, bytesPerSecond } = options;
  return workshop.engine.start<VerifyReplicaPayload>('VerifyReplica', {
    vaultId: vault.vault_id,
    itemId: undefined,
    entityName: vault.name,
    userTriggered,
    payload: { vaultId: vault.vault_id, bytesPerSecond },
    taskIds: [checkReplicaTask],
  });
}

/** Taken up again, or started anew after one that was stopped, it goes on where its cursor is. */
export function verifyReplicaOperation(workshop: Workshop): Operation<VerifyReplicaPayload> {
  return {
    run: (context) => verify(workshop, context),
    resume: (context) => verify(workshop, context),
    cancelRefusal: () => undefined,
  };
}

async function verify(workshop: Workshop, context: JobContext<VerifyReplicaPayload>): Promise<JobStatus> {
  const { db, clock } = workshop;
  const { vaultId, bytesPerSecond } = context.payload;
  const { signal } = context;
  const vault = await getVault(db, vaultId);
  const row = await findReplica(db, vaultId);
  if (row === undefined) throw noReplica(vault);
  const { healing, harmless } = await context.runTask(checkReplicaTask, async (task) => {
    using _place = await workshop.verifications.enter(signal);
    await updateReplica(db, vaultId, { verify_started_at: nowText(workshop) });
    const store = await workshop.estate.replica(row);
    const report = await readStore(workshop, store, task, {
      cursorJson: row.verify_cursor_json,
      saveCursor: (json) => updateReplica(db, vaultId, { verify_cursor_json: json }),
      bytesPerSecond,
      signal,
    });
    const healed = await healFromVault(workshop, vault, store, report.damagedPoints, signal);
    await updateReplica(db, vaultId, { verify_cursor_json: null, verified_at: nowText(workshop) });
    return { healing: healed, harmless: report.damagedPacks[0] ?? report.damagedObjects[0] };
  });
  await context.setProperties(healedProperties(healing, 'vault'));
  const { damaged } = healing;
  if (damaged.length > 0)
    throw damagedReplicaError(vault, row, await namePoints(workshop, vault, damaged), damaged.length);
  if (harmless === undefined) return 'Completed';
  await context.setError({
    code: 'StoreDamaged',
    message: `There was damage in the replica of vault '${vault.name}', and no recovery point has lost anything by it: ${harmless.message}`,
    action: `Check the disk or service under ${row.store_path} (at ${clock.now().toString({ smallestUnit: 'second' })}).`,
  });
  return 'CompletedWithWarnings';
}

const nowText = ({ clock }: Workshop) => clock.now().toString({ fractionalSecondDigits: 3 });

/** Starts the verifications of replicas that are due, as often as the vault's own store is verified. */
export async function startDueReplicaVerifications(workshop: Workshop): Promise<void> {
  for (const row of await listReplicas(workshop.db)) {
    try {
      const { verify_every_days: everyDays } = await getUpkeep(workshop.db, row.vault_id);
      if (!isReplicaVerificationDue(row, everyDays ?? defaultVerifyEveryDays, workshop.clock.now())) continue;
      const rate = Math.min(row.bytes_per_second ?? scheduledBytesPerSecond, scheduledBytesPerSecond);
      const vault = await getVault(workshop.db, row.vault_id);
      await startReplicaVerification(workshop, vault, { userTriggered: false, bytesPerSecond: rate });
    } catch (error) {
      if (workshop.signal.aborted) return;
      const sentence = `verification of a replica not started: ${messageOf(error)}`;
      if (isHoldfastError(error)) workshop.log.warn({ vaultId: row.vault_id, code: error.code }, sentence);
      else workshop.log.error({ vaultId: row.vault_id, err: error }, sentence);
    }
  }
}

/** So many days after the last one ended, or after the replica was set up; 0 days is never. */
export function isReplicaVerificationDue(
  row: Pick<ReplicaRow, 'created_at' | 'verify_started_at' | 'verified_at'>,
  days: number,
  now: Temporal.Instant,
): boolean {
  const { created_at: created, verify_started_at: started, verified_at: verified } = row;
  if (days === 0) return false;
  // A moment in the future is that of a clock gone wrong: waiting for it to come could take years.
  const hasPassed = (moment: string, hours: number) => {
    const since = now.since(Temporal.Instant.from(moment)).total('hours');
    return since < 0 || since >= hours;
  };
  if (started !== null && (verified === null || verified < started)) return hasPassed(started, retryHours);
  return hasPassed(verified ?? created, days * 24);
}
