import type { ItemRow } from '../catalog/index.ts';
import { changeWithJob, type ItemPayload, judged } from './change-item.ts';
import type { Operation } from './engine.ts';
import { giveBackDisks } from './give-back-disks.ts';
import type { Workshop } from './workshop.ts';

/**
 * Stops protection. `stopAndKeep`: the recovery points stay until somebody deletes them. `suspend`, in immutable vaults
 * only: they go on to expire, as the policy says that is in force now.
 * @returns id of the DisableBackup job
 * @throws what speaks against it
 */
export async function stopProtection(
  workshop: Workshop,
  item: ItemRow,
  kind: 'stopAndKeep' | 'suspend' = 'stopAndKeep',
): Promise<string> {
  const { next } = await judged(workshop, item, { kind });
  if (next === 'Gone') throw new Error(`stopping protection does not lead to '${next}'`);
  return changeWithJob<ItemPayload>(
    workshop,
    item,
    'DisableBackup',
    { state: next, policy_name: null },
    { itemId: item.item_id },
  );
}

/** The protection has ended when the job begins; it gives the VM its own disks back. */
export function disableOperation(workshop: Workshop): Operation<ItemPayload> {
  const giveBack: Operation<ItemPayload>['run'] = (context) => giveBackDisks(workshop, context);
  return { run: giveBack, resume: giveBack };
}
