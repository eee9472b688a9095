import { findReplica, getVault, type ReplicaRow, type VaultRow } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import type { JobStatus } from '../protection/index.ts';
import type { RepairReport } from '../store/index.ts';
import type { Operation } from './engine.ts';
import { type Healing, healedProperties, healFromReplica, healFromVault } from './heal-points.ts';
import type { JobContext } from './job-context.ts';
import { noReplica } from './replicate.ts';
import { type DamagedPoint, damagedPointsError, damagedReplicaError, namePoints } from './store-damage.ts';
import { openStoreJob } from './verify-store.ts';
import type { Workshop } from './workshop.ts';

export const planRepairTask = 'Plan repair';
export const repairTask = 'Repair';

/** Lines of a plan that are kept with the job. */
const planLines = 500;

export interface RepairPayload {
  vaultId: string;
  dryRun: boolean;
  /** The vault's replica, and not its own store. */
  replica?: boolean;
}

/**
 * Of the vault's own store, or of its replica.
 * @throws ResourceInUse while another repair of either is under way @throws ResourceNotFound when it has no replica
 */
export async function startRepair(
  workshop: Workshop,
  vault: VaultRow,
  { dryRun, replica = false }: { dryRun: boolean; replica?: boolean },
): Promise<string> {
  if (replica && (await findReplica(workshop.db, vault.vault_id)) === undefined) throw noReplica(vault);
  const running = await openStoreJob(workshop, vault.vault_id, 'RepairStore');
  if (running !== undefined) {
    throw new HoldfastError('ResourceInUse', `The store of vault '${vault.name}' is being repaired.`, {
      target: running,
      action: 'Wait until that job has ended, then try again.',
    });
  }
  return workshop.engine.start<RepairPayload>('RepairStore', {
    vaultId: vault.vault_id,
    itemId: undefined,
    entityName: vault.name,
    userTriggered: true,
    payload: { vaultId: vault.vault_id, dryRun, replica },
    taskIds: [dryRun ? planRepairTask : repairTask],
  });
}

/** Every step may be done again, so one that died is done from the beginning. */
export function repairStoreOperation(workshop: Workshop): Operation<RepairPayload> {
  return {
    run: (context) => repair(workshop, context),
    resume: (context) => repair(workshop, context),
    cancelRefusal: () => undefined,
  };
}

async function repair(workshop: Workshop, context: JobContext<RepairPayload>): Promise<JobStatus> {
  const { vaultId, dryRun, replica = false } = context.payload;
  const vault = await getVault(workshop.db, vaultId);
  const row = replica ? await findReplica(workshop.db, vaultId) : undefined;
  if (replica && row === undefined) throw noReplica(vault);
  const report = await context.runTask(dryRun ? planRepairTask : repairTask, async () => {
    await using phase = await workshop.phases.tryEnter('repair', vaultId);
    if (phase === undefined)
      throw new HoldfastError('ResourceInUse', `The store of vault '${vault.name}' is being repaired.`);
    const store = await (row === undefined ? workshop.estate.store(vault) : workshop.estate.replica(row));
    const repaired = await store.repair({ dryRun, signal: context.signal });
    if (dryRun) return repaired;
    const heal = row === undefined ? healFromReplica : healFromVault;
    const healing = await heal(workshop, vault, store, repaired.damagedPoints, context.signal);
    const from = row === undefined ? 'replica' : 'vault';
    await context.setProperties(healedProperties(healing, from));
    return { ...repaired, steps: stepsAfter(repaired, healing, from), damagedPoints: healing.damaged };
  });
  await context.setProperties({
    ...(replica ? { Store: 'replica' } : {}),
    Plan: planText(report),
    ...(dryRun ? {} : { 'Chunks salvaged': String(report.salvagedChunks) }),
    ...(report.failed.length === 0
      ? {}
      : { 'Not mended': report.failed.map(({ target, message }) => `${target}: ${message}`).join('\n') }),
  });
  if (dryRun) return 'Completed';
  const [failed] = report.failed;
  const { damagedPoints } = report;
  if (failed === undefined && damagedPoints.length === 0) return 'Completed';
  const points = await namePoints(workshop, vault, damagedPoints);
  const problem =
    failed === undefined
      ? lossError(vault, row, points, damagedPoints.length)
      : new HoldfastError('StoreDamaged', `${failed.target} could not be mended: ${failed.message}`, {
          target: failed.target,
          action: 'Look for the cause, then run the repair again.',
        });
  await context.setError({ code: problem.code, message: problem.message, action: problem.action });
  return 'CompletedWithWarnings';
}

function lossError(
  vault: VaultRow,
  row: ReplicaRow | undefined,
  points: readonly DamagedPoint[],
  count: number,
): HoldfastError {
  return row === undefined
    ? damagedPointsError(vault, points, count)
    : damagedReplicaError(vault, row, points, count);
}

/** What was lost and has come back is lost no more. */
function stepsAfter(
  { steps, damagedPoints }: RepairReport,
  { damaged }: Healing,
  from: string,
): RepairReport['steps'] {
  const still = new Set(damaged);
  const back = damagedPoints.filter((point) => !still.has(point));
  const names = new Set(back.map(({ itemId, pointId }) => `points/${itemId}/${pointId}.point`));
  return steps.map((step) =>
    step.action === 'lost' && names.has(step.target)
      ? { ...step, action: 'heal', reason: `what it had lost was taken from the ${from}` }
      : step,
  );
}

/** One line a step, and a last one with the sum. */
export function planText({ steps, failed, dryRun }: RepairReport): string {
  const lines = steps
    .slice(0, planLines)
    .map(({ action, target, reason }) => `${action} ${target}: ${reason}`);
  if (steps.length > planLines) lines.push(`and ${steps.length - planLines} more`);
  const toDo = steps.filter(({ action }) => action !== 'lost').length;
  const lost = steps.length - toDo;
  const mended = dryRun ? `${toDo} to do` : `${toDo - failed.length} done`;
  const notMended = failed.length === 0 ? '' : `, ${failed.length} not mended`;
  lines.push(steps.length === 0 ? 'nothing to repair' : `${mended}${notMended}, ${lost} lost for now`);
  return lines.join('\n');
}
