import {
  changeItem,
  type Database,
  findPoint,
  getItem,
  type ItemRow,
  insertPoint,
  inVault,
  updateItem,
  updatePoint,
} from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import type { JobStatus } from '../protection/index.ts';
import { refreshAgent } from './agent-record.ts';
import { type BackupPayload, takeSnapshot, transferToVault } from './backup-payload.ts';
import { transferPhase } from './backup-transfer.ts';
import { followName } from './bind-item.ts';
import { changedMeanwhile, refuseBackup } from './change-item.ts';
import { catalogTime } from './clock.ts';
import { jobErrorOf, type NewJob, type Operation } from './engine.ts';
import { type JobContext, ServiceStopping } from './job-context.ts';
import { maintainItem } from './maintenance.ts';
import { newPointId } from './point-id.ts';
import { keepingOf } from './point-keeping.ts';
import { pointRowOf } from './point-row.ts';
import { shownExpiry } from './policies.ts';
import { replicateAfterBackup } from './replicate-due.ts';
import { consistencyProperties, takeSnapshotPoint } from './snapshot-point.ts';
import type { Workshop } from './workshop.ts';

export interface BackupOptions {
  /** Undefined for a scheduled backup. */
  onDemand?: { until?: string };
  /** See `BackupPayload.runAt`. */
  runAt?: string;
}

/**
 * Starts a backup of an item.
 * @throws UserErrorBcmDatasourceNotPresent, UserErrorItemSoftDeleted, UserErrorBackupOperationInProgress, InvalidInput
 */
export async function startBackup(
  workshop: Workshop,
  item: ItemRow,
  options: BackupOptions,
): Promise<string> {
  return workshop.engine.start('Backup', {
    ...newBackup(workshop, item, options),
    alongside: async (tx) => {
      // Nothing that ends protection comes between: it would not know of this backup.
      const latest = await getItem(tx, item.item_id);
      if (latest.policy_name === null || !(await changeItem(tx, latest, {}))) throw changedMeanwhile(item);
    },
  });
}

/**
 * The job that {@link startBackup} starts. Whoever starts it has to see to it that the item is not changed meanwhile.
 * @throws what it throws
 */
export function newBackup(
  workshop: Pick<Workshop, 'clock' | 'phases'>,
  item: ItemRow,
  options: BackupOptions,
): NewJob<BackupPayload> {
  const until = options.onDemand?.until;
  refuseBackup(item, until === undefined ? undefined : Temporal.Instant.from(until), workshop.clock.now());
  if (workshop.phases.isHeld('snapshot', item.item_id)) throw snapshotRunning(item);
  return {
    vaultId: item.vault_id,
    itemId: item.item_id,
    entityName: item.vm_name,
    userTriggered: options.onDemand !== undefined,
    payload: { itemId: item.item_id, pointId: newPointId(workshop.clock.now()), ...options },
    taskIds: [takeSnapshot, transferToVault],
  };
}

function snapshotRunning(item: ItemRow): HoldfastError {
  return new HoldfastError(
    'UserErrorBackupOperationInProgress',
    `Another backup of '${item.vm_name}' is taking its snapshot right now.`,
    { target: item.vm_name },
  );
}

export function backupOperation(workshop: Workshop): Operation<BackupPayload> {
  return {
    run: (context) => finishWith(workshop, context, () => backUp(workshop, context)),
    resume: (context) => finishWith(workshop, context, () => resumeBackup(workshop, context)),
    retry: (context) => finishWith(workshop, context, () => backUp(workshop, context)),
    ended({ itemId }) {
      maintainItem(workshop, itemId);
      replicateAfterBackup(workshop, itemId);
    },
    cancelRefusal: () => undefined,
  };
}

/** Whatever the outcome, the item says how its last backup went. */
async function finishWith(
  workshop: Workshop,
  context: JobContext<BackupPayload>,
  work: () => Promise<{ status: JobStatus; error?: unknown }>,
): Promise<JobStatus> {
  const { itemId } = context.payload;
  const note = async (status: JobStatus, error?: unknown) => {
    const last = {
      last_backup_status: status,
      last_backup_at: catalogTime(workshop.clock.now()),
      last_error_json: error === undefined ? null : JSON.stringify(jobErrorOf(error)),
    };
    await context.write((tx) => updateItem(tx, itemId, last));
  };
  try {
    context.signal.throwIfAborted();
    const { status, error } = await work();
    await note(status, error);
    if (error !== undefined) await context.setError(jobErrorOf(error));
    return status;
  } catch (error) {
    if (context.signal.reason instanceof ServiceStopping || context.willRetry(error)) throw error;
    if (context.signal.aborted) await context.write((tx) => discardPoint(tx, context.payload));
    // Azure's table has no transfer that waits for a snapshot which was not taken.
    await context.endUnbegun('there is no snapshot that could be transferred');
    if (context.signal.aborted) await note('Cancelled');
    else await note('Failed', error);
    throw error;
  }
}

/**
 * Gives up what a cancelled backup has made: its snapshot, and a record that it may have committed and not noted. The
 * maintenance after the job removes them, and the next backup starts from the last good point. A point that is in the
 * vault already stays: that it is there was said.
 */
async function discardPoint(tx: Database, { itemId, pointId }: BackupPayload): Promise<void> {
  const point = await findPoint(tx, itemId, pointId);
  if (point === undefined || point.in_vault !== inVault.no) return;
  await updatePoint(tx, pointId, { in_snapshot: 0, in_vault: inVault.leaving });
}

/** Done again after a failure, it goes on with the point that it has. */
async function backUp(workshop: Workshop, context: JobContext<BackupPayload>) {
  const { itemId, pointId } = context.payload;
  const item = await getItem(workshop.db, itemId);
  if ((await findPoint(workshop.db, itemId, pointId)) === undefined) {
    // Protection may have been stopped since it was started.
    refuseBackup(item, undefined, workshop.clock.now());
    await using phase = await workshop.phases.tryEnter('snapshot', item.item_id);
    if (phase === undefined) throw snapshotRunning(item);
    await context.runTask(takeSnapshot, () => snapshotPhase(workshop, context, item));
  }
  await context.completeTask(takeSnapshot);
  return transferPhase(workshop, context, item);
}

/**
 * A backup whose process died. A point that the host has taken is noted now, and the transfer is done again; what was
 * already stored is found there. A snapshot that was not taken is not taken now either: its moment has passed.
 */
async function resumeBackup(workshop: Workshop, context: JobContext<BackupPayload>) {
  const item = await getItem(workshop.db, context.payload.itemId);
  const { pointId } = context.payload;
  const noted = await findPoint(workshop.db, item.item_id, pointId);
  if (noted === undefined) {
    await using phase = await workshop.phases.tryEnter('snapshot', item.item_id);
    const host = await workshop.estate.host(item.host_name);
    if (phase === undefined || !(await host.listPoints(item.vm_uuid)).includes(pointId)) {
      throw new HoldfastError(
        'JobInterrupted',
        `The service stopped while the snapshot of '${item.vm_name}' was being taken.`,
        { target: item.vm_name },
      );
    }
    // Asked again for a point it has, the host tells what it told the process that died.
    await context.runTask(takeSnapshot, () => snapshotPhase(workshop, context, item));
  }
  await context.completeTask(takeSnapshot);
  return transferPhase(workshop, context, item);
}

async function snapshotPhase(
  workshop: Workshop,
  context: JobContext<BackupPayload>,
  item: ItemRow,
): Promise<void> {
  const frozen = await takeSnapshotPoint(workshop, context, item);
  const takenAt = Temporal.Instant.from(frozen.takenAt);
  const { runAt } = context.payload;
  const { basis, toVault } = await keepingOf(workshop.db, item, context.payload, takenAt);
  if (!toVault) await context.savePayload({ staysSnapshot: true });
  const { point, definitionJson } = pointRowOf(item, frozen, {
    jobId: context.jobId,
    basis,
    runAt: runAt ?? (context.payload.onDemand === undefined ? catalogTime(takenAt) : null),
  });
  await context.write((tx) => insertPoint(tx, point, definitionJson));
  await context.setProperties({
    'Backed-up disk(s)': frozen.disks.map((disk) => disk.target).join(';'),
    ...(frozen.excludedDisks.length === 0 ? {} : { 'Excluded disk(s)': frozen.excludedDisks.join(';') }),
    'Recovery Point Expiry Time in UTC': shownExpiry(point),
    ...consistencyProperties(frozen),
  });
  await refreshAgent(workshop, item, frozen);
  await followName(workshop, item, frozen.machineName);
}
