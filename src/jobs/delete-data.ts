import { deleteEmptyItem, findItem, type ItemRow } from '../catalog/index.ts';
import { changeWithJob, type ItemPayload, judged } from './change-item.ts';
import { catalogTime } from './clock.ts';
import type { Operation } from './engine.ts';
import { giveBackDisks } from './give-back-disks.ts';
import type { Workshop } from './workshop.ts';

interface DeletePayload extends ItemPayload {
  /** There is no recovery point that could be wanted back: nothing of the item is kept. */
  gone: boolean;
}

/**
 * Stops protection and soft-deletes the item's data: it can be brought back until it is purged.
 * @param typedName the item's name, as whoever asks has typed it
 * @returns id of the DeleteBackupData job
 * @throws what speaks against it, UserErrorOperationDeniedOnImmutableItem among others
 */
export async function deleteData(workshop: Workshop, item: ItemRow, typedName: string): Promise<string> {
  const outcome = await judged(workshop, item, { kind: 'stopAndDelete', typedName });
  const now = workshop.clock.now();
  return changeWithJob<DeletePayload>(
    workshop,
    item,
    'DeleteBackupData',
    {
      state: 'SoftDeleted',
      policy_name: null,
      deleted_at: catalogTime(now),
      purge_at: catalogTime(outcome.purgeAt ?? now),
    },
    { itemId: item.item_id, gone: outcome.next === 'Gone' },
  );
}

/** The item is soft-deleted when the job begins; it gives the VM its own disks back. */
export function deleteDataOperation(workshop: Workshop): Operation<DeletePayload> {
  const run: Operation<DeletePayload>['run'] = async (context) => {
    const { itemId, gone } = context.payload;
    const item = await findItem(workshop.db, itemId);
    if (item === undefined) return 'Completed'; // forgotten by an earlier run, which died before it could say so
    await context.setProperties(
      gone ? { 'Recovery points': '0' } : { 'Data is kept until': item.purge_at ?? 'it is purged' },
    );
    const status = await giveBackDisks(workshop, context);
    if (gone) await context.write((tx) => deleteEmptyItem(tx, itemId));
    return status;
  };
  return { run, resume: run };
}
