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
import { HoldfastError, isHoldfastError, messageOf } from '../errors/index.ts';
import type { JobStatus } from '../protection/index.ts';
import { healPoint, type PointDamage, type Store, type VerifyCursor } from '../store/index.ts';
import type { Operation } from './engine.ts';
import type { JobContext, RunningTask } from './job-context.ts';
import { createPace } from './pace.ts';
import { createProgressSum } from './progress.ts';
import { noReplica } from './replicate.ts';
import { damagedPointWords, namePoints } from './store-damage.ts';
import { defaultVerifyEveryDays, scheduledBytesPerSecond } from './verify-due.ts';
import type { Workshop } from './workshop.ts';

export const checkReplicaTask = 'Check replica';

/** How often the cursor is written down: what a crash can make a verification do again. */
const cursorIntervalMs = 5_000;

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
  const { vaultId } = context.payload;
  const vault = await getVault(db, vaultId);
  const row = await findReplica(db, vaultId);
  if (row === undefined) throw noReplica(vault);
  const { damaged, healed, harmless } = await context.runTask(checkReplicaTask, async (task) => {
    using _place = await workshop.verifications.enter(context.signal);
    await updateReplica(db, vaultId, { verify_started_at: nowText(workshop) });
    const store = await workshop.estate.replica(row);
    const report = await checkAll(workshop, context, row, store, task);
    const left = await healFromVault(workshop, context, vault, store, report.damagedPoints);
    await updateReplica(db, vaultId, { verify_cursor_json: null, verified_at: nowText(workshop) });
    return {
      damaged: left,
      healed: report.damagedPoints.length - left.length,
      harmless: report.damagedPacks[0] ?? report.damagedObjects[0],
    };
  });
  if (healed > 0) await context.setProperties({ 'Healed from vault': `${healed} recovery point(s)` });
  if (damaged.length > 0) {
    const words = (await namePoints(workshop, vault, damaged)).slice(0, 5).map(damagedPointWords);
    throw new HoldfastError(
      'StoreDamaged',
      `${damaged.length} recovery point(s) in the replica of vault '${vault.name}' can not be restored in full. ${words.join('. ')}.`,
      {
        target: row.store_path,
        action: "Restore these points from the vault's own store while it has them.",
      },
    );
  }
  if (harmless === undefined) return 'Completed';
  await context.setError({
    code: 'StoreDamaged',
    message: `There was damage in the replica of vault '${vault.name}', and no recovery point has lost anything by it: ${harmless.message}`,
    action: `Check the disk or service under ${row.store_path} (at ${clock.now().toString({ smallestUnit: 'second' })}).`,
  });
  return 'CompletedWithWarnings';
}

const nowText = ({ clock }: Workshop) => clock.now().toString({ fractionalSecondDigits: 3 });

/** Reads the whole store, and keeps the cursor in the catalog while it does. */
async function checkAll(
  workshop: Workshop,
  context: JobContext<VerifyReplicaPayload>,
  row: ReplicaRow,
  store: Store,
  task: RunningTask,
) {
  const { db, clock } = workshop;
  const { bytesPerSecond } = context.payload;
  const rate = bytesPerSecond === undefined ? undefined : createPace(bytesPerSecond, clock);
  const progress = createProgressSum(() => clock.monotonicMs());
  task.reportProgress(() => progress.snapshot());
  let cursor =
    row.verify_cursor_json === null ? undefined : (JSON.parse(row.verify_cursor_json) as VerifyCursor);
  let savedAt = clock.monotonicMs();
  const saveCursor = async () => {
    savedAt = clock.monotonicMs();
    if (cursor !== undefined)
      await updateReplica(db, row.vault_id, { verify_cursor_json: JSON.stringify(cursor) });
  };
  try {
    return await store.verify({
      signal: context.signal,
      ...(cursor === undefined ? {} : { cursor }),
      onProgress(now) {
        cursor = now.cursor;
        if (now.phase !== 'packs') return;
        progress.setTotal(now.total);
        const { done } = now;
        progress.update('packs', { processedBytes: done, readBytes: done, newBytes: 0, storedBytes: 0 });
      },
      async pace(bytes, signal) {
        if (clock.monotonicMs() - savedAt >= cursorIntervalMs) await saveCursor();
        await rate?.(bytes, signal);
      },
    });
  } catch (error) {
    await saveCursor();
    throw error;
  }
}

/** Stores anew what the vault's own store still has. Returns the points that stay damaged. */
async function healFromVault(
  workshop: Workshop,
  { signal }: JobContext<VerifyReplicaPayload>,
  vault: VaultRow,
  replica: Store,
  damaged: readonly PointDamage[],
): Promise<PointDamage[]> {
  const left: PointDamage[] = [];
  for (const point of damaged) {
    signal.throwIfAborted();
    try {
      const healed = await healPoint(replica, await workshop.estate.store(vault), point, { signal });
      if (healed?.lostBytes !== 0) left.push(point);
    } catch (error) {
      signal.throwIfAborted();
      workshop.log.warn(
        { vault: vault.name, pointId: point.pointId, err: error },
        'not healed from the vault',
      );
      left.push(point);
    }
  }
  return left;
}

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
