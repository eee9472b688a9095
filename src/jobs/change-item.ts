import type { Updateable } from 'kysely';
import { changeItem, type Database, type ItemRow, type JobRow } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import {
  type ItemAction,
  type ItemOutcome,
  judgeItemAction,
  refusalError,
  securityOfNewVault,
  type VmFacts,
} from '../protection/index.ts';
import { factsOf, securityOfItem } from './item-facts.ts';
import { planNextBackup } from './next-backup.ts';
import type { Workshop } from './workshop.ts';

/** Input of every job that changes an item. */
export interface ItemPayload {
  itemId: string;
}

/**
 * Where an action leads.
 * @param vm what is known of the item's VM; undefined: it is gone, or makes no difference
 * @throws what speaks against it
 */
export async function judged(
  workshop: Workshop,
  item: ItemRow,
  action: ItemAction,
  vm?: VmFacts | undefined,
): Promise<ItemOutcome> {
  const judgement = judgeItemAction(
    await factsOf(workshop.db, item, vm),
    action,
    await securityOfItem(workshop, item),
    workshop.clock.now(),
  );
  if (judgement.allowed) return judgement;
  throw refusalError(judgement.refusals, item.vm_name);
}

/**
 * Refuses a backup of an item that has no policy in force. What else there is to know of it makes no difference, and
 * whether its VM is there, the job finds out: so thousands can be started at once.
 * @throws UserErrorBcmDatasourceNotPresent, UserErrorItemSoftDeleted, InvalidInput
 */
export function refuseBackup(
  item: ItemRow,
  retainUntil: Temporal.Instant | undefined,
  now: Temporal.Instant,
): void {
  const { vm_name: name, state } = item;
  const facts = {
    ...{ name, state, policy: undefined, hasVaultPoint: false, points: 0, running: [] },
    ...{ lastExpiry: undefined, purgeAt: undefined, vm: { name, region: '', disks: [] } },
  };
  const action = { kind: 'backupNow' as const, ...(retainUntil && { retainUntil }) };
  const judgement = judgeItemAction(facts, action, securityOfNewVault, now);
  if (!judgement.allowed) throw refusalError(judgement.refusals, name);
}

/**
 * Makes a change of an item and starts the job that goes with it: both are written down together, or neither is.
 * @throws BMSUserErrorConflictingProtectionOperation when somebody else has changed the item since it was read
 */
export async function changeWithJob<Payload extends ItemPayload>(
  workshop: Workshop,
  item: ItemRow,
  operation: JobRow['operation'],
  change: Updateable<ItemRow>,
  payload: Payload,
  options: {
    taskIds?: readonly string[];
    userTriggered?: boolean;
    /** More that is written down with it. */
    alongside?: (tx: Database) => Promise<void>;
  } = {},
): Promise<string> {
  return workshop.engine.start<Payload>(operation, {
    vaultId: item.vault_id,
    itemId: item.item_id,
    entityName: item.vm_name,
    userTriggered: options.userTriggered ?? true,
    payload,
    taskIds: options.taskIds ?? [],
    alongside: async (tx) => {
      if (!(await changeItem(tx, item, change))) throw changedMeanwhile(item);
      await options.alongside?.(tx);
      await planNextBackup(tx, item.item_id, workshop.clock.now());
    },
  });
}

export const changedMeanwhile = (item: Pick<ItemRow, 'vm_name'>) =>
  new HoldfastError(
    'BMSUserErrorConflictingProtectionOperation',
    `The protection of '${item.vm_name}' has just been changed by somebody else.`,
    { target: item.vm_name, action: 'Look at the item, and try again if the change is still wanted.' },
  );
