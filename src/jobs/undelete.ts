import { type ItemRow, sumPoints } from '../catalog/index.ts';
import { refusalError } from '../protection/index.ts';
import { changeWithJob, type ItemPayload, judged } from './change-item.ts';
import type { Operation } from './engine.ts';
import type { Workshop } from './workshop.ts';

/**
 * Brings a soft-deleted item back, with all its points: its protection is stopped then, and they are kept until it is
 * resumed. Another vault may protect the VM by now; then these points can be restored, and no more.
 * @returns id of the Undelete job
 * @throws UserErrorItemNotSoftDeleted, UserErrorItemBeingPurged, BMSUserErrorConflictingProtectionOperation
 */
export async function undelete(workshop: Workshop, item: ItemRow): Promise<string> {
  if (item.purging === 1)
    throw refusalError(
      [
        {
          code: 'UserErrorItemBeingPurged',
          message: `The time of '${item.vm_name}' was over ${item.purge_at}, and its data is being removed.`,
        },
      ],
      item.vm_name,
    );
  await judged(workshop, item, { kind: 'undelete' });
  return changeWithJob<ItemPayload>(
    workshop,
    item,
    'Undelete',
    { state: 'ProtectionStopped', deleted_at: null, purge_at: null },
    { itemId: item.item_id },
  );
}

/** The item is back when the job begins; it says with how much. */
export function undeleteOperation(workshop: Workshop): Operation<ItemPayload> {
  const run: Operation<ItemPayload>['run'] = async (context) => {
    const { all } = await sumPoints(workshop.db, context.payload.itemId);
    await context.setProperties({ 'Recovery points': String(all) });
    return 'Completed';
  };
  return { run, resume: run };
}
