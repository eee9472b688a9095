import {
  findJob,
  findPoint,
  getDefinition,
  getVault,
  type ItemRow,
  inVault,
  listPoints,
  markProtected,
  updatePoint,
} from '../catalog/index.ts';
import { isHoldfastError, messageOf } from '../errors/index.ts';
import type { FrozenPoint, MachineDefinition } from '../machines/index.ts';
import { backupJobStatus, crowdedOut, type JobStatus } from '../protection/index.ts';
import { type BackupPayload, transferToVault } from './backup-payload.ts';
import { hostCarries } from './host-carries.ts';
import type { JobContext, RunningTask } from './job-context.ts';
import { transferClaim } from './limits.ts';
import { snapshotOnlyBasis } from './point-keeping.ts';
import { expiryColumns, lastPolicyOf, shownExpiry } from './policies.ts';
import { retainedPoint } from './retained-point.ts';
import type { StoredPoint } from './stored-point.ts';
import { type DiskTransfer, transferPoint } from './transfer.ts';
import type { Workshop } from './workshop.ts';

/** The status table of a backup: a failed transfer leaves a snapshot to restore from, hence a warning. */
export async function transferPhase(
  workshop: Workshop,
  context: JobContext<BackupPayload>,
  item: ItemRow,
): Promise<{ status: JobStatus; error?: unknown }> {
  const crowded = await crowdedPoints(workshop, item);
  if (context.payload.staysSnapshot === true && crowded.size === 0) {
    await context.skipTask(
      transferToVault,
      'the policy asks for no copy of this one in the vault; the next transfer brings its changes too',
    );
    return { status: backupJobStatus('Completed', 'Skipped') };
  }
  // Left out before the process died: then it stays so, because the point's expiry may say so already.
  const skipped = context.taskStatus(transferToVault) === 'Skipped';
  await using phase = skipped ? undefined : await workshop.phases.tryEnter('transfer', item.item_id);
  if (phase === undefined) {
    await context.skipTask(
      transferToVault,
      'an earlier backup is still being transferred; the next transfer brings these changes too',
    );
    await keepAsSnapshotOnly(workshop, context, item);
    return { status: backupJobStatus('Completed', 'Skipped') };
  }
  try {
    const transfers = await context.runTask(transferToVault, async (task) => {
      const isAsked = context.payload.onDemand !== undefined;
      using _place = await workshop.transfers.enter(
        context.signal,
        transferClaim(item.host_name, item.vault_id, isAsked),
      );
      await bringMissedPoints(workshop, context, item, crowded, task);
      return transferAndNote(workshop, context, item, context.payload.pointId, task);
    });
    const stored = transfers.reduce((sum, disk) => sum + disk.storedBytes, 0);
    await context.setProperties({ 'Backup Size': `${Math.ceil(stored / 2 ** 20)} MB` });
    return { status: backupJobStatus('Completed', 'Completed') };
  } catch (error) {
    if (context.signal.aborted || context.willRetry(error)) throw error;
    if (!isHoldfastError(error))
      workshop.log.error({ jobId: context.jobId, err: error }, `transfer failed: ${messageOf(error)}`);
    return { status: backupJobStatus('Completed', 'Failed'), error };
  }
}

/** The point stays a snapshot, and what its day owed goes to the next. Doing it twice changes nothing. */
async function keepAsSnapshotOnly(
  workshop: Workshop,
  context: JobContext<BackupPayload>,
  item: ItemRow,
): Promise<void> {
  const { pointId } = context.payload;
  const point = await findPoint(workshop.db, item.item_id, pointId);
  if (point === undefined) throw new Error(`point ${pointId} is not in the catalog`);
  const basis = snapshotOnlyBasis(item, context.payload, Temporal.Instant.from(point.taken_at));
  const expiry = expiryColumns(lastPolicyOf(item), basis);
  const change = { ...expiry, basis_json: JSON.stringify(basis) };
  await context.write((tx) => updatePoint(tx, pointId, change));
  await context.setProperties({ 'Recovery Point Expiry Time in UTC': shownExpiry(expiry) });
}

/** Points that have to be brought to the vault because the host carries no more snapshots. */
async function crowdedPoints({ db }: Workshop, item: ItemRow): Promise<ReadonlySet<string>> {
  const points = await listPoints(db, item.item_id);
  return new Set(crowdedOut(points.map(retainedPoint), hostCarries(points)));
}

/**
 * Brings the earlier points whose own transfer failed, and those that are to make room, oldest first: they are recovery
 * points with an expiry of their own, and while one exists only as a snapshot, no layer above it can be merged. One that can't be brought now is
 * tried again with the next backup.
 */
async function bringMissedPoints(
  workshop: Workshop,
  context: JobContext<BackupPayload>,
  item: ItemRow,
  crowded: ReadonlySet<string>,
  task: RunningTask,
): Promise<void> {
  for (const point of await listPoints(workshop.db, item.item_id)) {
    if (point.point_id === context.payload.pointId) return;
    if (point.in_snapshot !== 1 || point.in_vault !== inVault.no) continue;
    const isOfThisMachine = (JSON.parse(point.frozen_json) as StoredPoint).machineUuid === item.vm_uuid;
    const tasks = (await findJob(workshop.db, point.job_id))?.tasks ?? [];
    const hasFailed = tasks.some((each) => each.task_id === transferToVault && each.status === 'Failed');
    const makesRoom = crowded.has(point.point_id);
    if (!isOfThisMachine || !(hasFailed || makesRoom)) continue;
    try {
      const why = hasFailed ? 'whose transfer had failed' : 'as the host carries no more snapshots';
      await task.say(`bringing recovery point ${point.point_id}, ${why}, first`);
      await transferAndNote(workshop, context, item, point.point_id, task);
    } catch (error) {
      context.signal.throwIfAborted();
      workshop.log.warn(
        { itemId: item.item_id, pointId: point.point_id, err: error },
        'still not in the vault',
      );
    }
  }
}

async function transferAndNote(
  workshop: Workshop,
  context: JobContext<BackupPayload>,
  item: ItemRow,
  pointId: string,
  task: RunningTask,
): Promise<DiskTransfer[]> {
  const [host, vault, points] = await Promise.all([
    workshop.estate.host(item.host_name),
    getVault(workshop.db, item.vault_id),
    listPoints(workshop.db, item.item_id),
  ]);
  const point = points.find((candidate) => candidate.point_id === pointId);
  if (point === undefined) throw new Error(`point ${pointId} is not in the catalog`);
  const store = await workshop.estate.store(vault);
  const frozen: FrozenPoint = {
    ...(JSON.parse(point.frozen_json) as StoredPoint),
    definition: JSON.parse(await getDefinition(workshop.db, pointId)) as MachineDefinition,
  };
  // A process that died between the store's commit and the catalog's note has left the work done.
  const done = await alreadyStored(store, item.item_id, pointId);
  const transfers =
    done ??
    (await transferPoint({
      host,
      store,
      itemId: item.item_id,
      machineUuid: item.vm_uuid,
      pointId,
      since: points.findLast(
        (earlier) => earlier.in_vault === inVault.yes && earlier.taken_at < point.taken_at,
      )?.point_id,
      createdAt: point.taken_at,
      metadata: {
        vault: vault.name,
        policy: item.policy_name,
        expiresAt: point.expires_at,
        ruleName: point.rule_name,
        basis: JSON.parse(point.basis_json),
        frozen,
      },
      task,
      nowMs: () => workshop.clock.monotonicMs(),
      signal: context.signal,
    }));
  await context.write(async (tx) => {
    await updatePoint(tx, pointId, { in_vault: inVault.yes, transfer_json: JSON.stringify(transfers) });
    await markProtected(tx, item.item_id);
  });
  return transfers;
}

async function alreadyStored(
  store: Awaited<ReturnType<Workshop['estate']['store']>>,
  itemId: string,
  pointId: string,
): Promise<DiskTransfer[] | undefined> {
  try {
    const record = await store.readPoint(itemId, pointId);
    return record.disks.map(({ name, disk }) => ({
      target: name,
      sizeBytes: disk.sizeBytes,
      basis: 'stored before the service was restarted',
      readBytes: 0,
      newBytes: 0,
      storedBytes: 0,
    }));
  } catch (error) {
    if (isHoldfastError(error, 'RecoveryPointNotInStore')) return undefined;
    throw error;
  }
}
