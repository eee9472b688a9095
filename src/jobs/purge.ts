import {
  deleteEmptyItem,
  deleteGonePoints,
  findItem,
  findReplica,
  getVault,
  type ItemRow,
  inVault,
  listItemsToPurge,
  listOpenJobs,
  listPoints,
  type PointRow,
  updatePoint,
} from '../catalog/index.ts';
import { HoldfastError, isHoldfastError, messageOf } from '../errors/index.ts';
import type { JobStatus } from '../protection/index.ts';
import type { Store } from '../store/index.ts';
import { changeWithJob, type ItemPayload, judged } from './change-item.ts';
import { catalogTime } from './clock.ts';
import type { Operation } from './engine.ts';
import { removeLayers } from './give-back-disks.ts';
import type { JobContext, RunningTask } from './job-context.ts';
import { removeOrLeave } from './left-layers.ts';
import type { Workshop } from './workshop.ts';

export const removeSnapshots = 'Remove snapshots from host';
export const removeFromVault = 'Remove recovery points from vault';
export const removeFromReplica = 'Remove recovery points from replica';

/**
 * Starts removing the data of a soft-deleted item whose time is over. From here there is no way back.
 * @returns id of the Purge job
 * @throws UserErrorItemNotSoftDeleted, UserErrorItemSoftDeleted before its time, ResourceInUse while a job works on it
 */
export async function purge(
  workshop: Workshop,
  item: ItemRow,
  options: { userTriggered: boolean },
): Promise<string> {
  await judged(workshop, item, { kind: 'purge' });
  const open = (await listOpenJobs(workshop.db)).find((job) => job.item_id === item.item_id);
  if (open !== undefined)
    throw new HoldfastError('ResourceInUse', `A ${open.operation} job works on '${item.vm_name}'.`, {
      target: open.job_id,
      action: 'Wait until that job has ended, then try again.',
    });
  return changeWithJob<ItemPayload>(
    workshop,
    item,
    'Purge',
    { purging: 1 },
    { itemId: item.item_id },
    {
      taskIds: [removeSnapshots, removeFromVault, removeFromReplica],
      userTriggered: options.userTriggered,
    },
  );
}

/** Starts what is due. What can't be started now, or failed, is tried again at the next look. */
export async function startDuePurges(workshop: Workshop): Promise<void> {
  const now = catalogTime(workshop.clock.now());
  for (const item of await listItemsToPurge(workshop.db, now)) {
    try {
      await purge(workshop, item, { userTriggered: false });
    } catch (error) {
      const sentence = `a soft-deleted item was not purged: ${messageOf(error)}`;
      const { item_id: itemId } = item;
      if (isHoldfastError(error)) workshop.log.warn({ itemId, code: error.code }, sentence);
      else workshop.log.error({ itemId, err: error }, sentence);
    }
  }
}

/** Taken up again it does the same: what is gone already is passed over. */
export function purgeOperation(workshop: Workshop): Operation<ItemPayload> {
  const run: Operation<ItemPayload>['run'] = async (context) => {
    const item = await findItem(workshop.db, context.payload.itemId);
    // Forgotten by an earlier run, which died before it could say so.
    return item === undefined ? 'Completed' : removeData(workshop, context, item);
  };
  return { run, resume: run };
}

async function removeData(
  workshop: Workshop,
  context: JobContext<ItemPayload>,
  item: ItemRow,
): Promise<JobStatus> {
  const { db, phases, estate } = workshop;
  const { item_id: itemId, vault_id: vaultId } = item;
  await using maintenance = await phases.tryEnter('maintenance', itemId);
  if (maintenance === undefined) throw busy(`'${item.vm_name}' is being maintained.`);
  const points = await listPoints(db, itemId);
  const note = (pointIds: readonly string[], change: Parameters<typeof updatePoint>[2]) =>
    context.write(async (tx) => {
      for (const pointId of pointIds) await updatePoint(tx, pointId, change);
    });
  const tally = points.filter(isSomewhere).length;
  await context.setProperties({
    'Soft-deleted': item.deleted_at ?? '',
    'Recovery points': String(tally),
  });
  const status = await context.runTask(removeSnapshots, async (task) => {
    await note(
      points.map(({ point_id }) => point_id),
      { in_snapshot: 0 },
    );
    const remove = () => removeLayers(workshop, item, context.signal);
    if (await removeOrLeave(workshop, context, item, remove)) return 'Completed';
    await task.say('Left for when the host answers again.');
    return 'CompletedWithWarnings';
  });
  await context.runTask(removeFromVault, async (task) => {
    const store = await estate.store(await getVault(db, vaultId));
    const noted = points.filter((point) => point.in_vault !== inVault.no).map(({ point_id }) => point_id);
    await note(noted, { in_vault: inVault.leaving });
    // Also what a backup has committed there and never came to note.
    await removeRecords(store, itemId, noted, () => true, task, context.signal);
    await note(noted, { in_vault: inVault.no });
  });
  const replica = await findReplica(db, vaultId);
  if (replica === undefined) await context.skipTask(removeFromReplica, 'the vault has no replica');
  else
    await context.runTask(removeFromReplica, async (task) => {
      await using idle = await phases.tryEnter('replication', vaultId);
      if (idle === undefined) throw busy('The vault is being replicated.');
      const [source, target] = [
        await estate.store(await getVault(db, vaultId)),
        await estate.replica(replica),
      ];
      const noted = points.filter((point) => point.in_replica === 1).map(({ point_id }) => point_id);
      // What somebody else has put there is not ours to remove.
      await removeRecords(
        target,
        itemId,
        noted,
        (record) => record.copyOf?.storeId === source.storeId,
        task,
        context.signal,
      );
      await note(noted, { in_replica: 0 });
    });
  await context.write(async (tx) => {
    await deleteGonePoints(tx, itemId);
    if (!(await deleteEmptyItem(tx, itemId))) throw new Error(`item ${itemId} has points after its purge`);
  });
  workshop.log.info({ itemId, vm: item.vm_name, points: tally }, 'a soft-deleted item was purged');
  return status;
}

const isSomewhere = (point: PointRow) =>
  point.in_snapshot === 1 || point.in_vault !== inVault.no || point.in_replica === 1;

const busy = (message: string) =>
  new HoldfastError('BMSUserErrorConflictingProtectionOperation', message, {
    action: 'Nothing has to be done: the purge is tried again within the hour.',
  });

type Listed = Awaited<ReturnType<Store['listPoints']>>['points'][number];

/** Removes an item's records from a store: those that are known to be there, and those that are found there. */
async function removeRecords(
  store: Store,
  itemId: string,
  noted: readonly string[],
  isOurs: (record: Listed) => boolean,
  task: RunningTask,
  signal: AbortSignal,
): Promise<void> {
  const { points } = await store.listPoints();
  const found = points.filter((record) => record.itemId === itemId && isOurs(record));
  const pointIds = [...new Set([...noted, ...found.map(({ pointId }) => pointId)])];
  for (const [number, pointId] of pointIds.entries()) {
    signal.throwIfAborted();
    await task.say(`recovery point ${number + 1} of ${pointIds.length}`);
    try {
      await store.deletePoint(itemId, pointId);
    } catch (error) {
      if (!isHoldfastError(error, 'RecoveryPointNotInStore')) throw error;
    }
  }
  await task.say(`${pointIds.length} removed`);
}
