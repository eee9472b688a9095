import type { Database } from './catalog.ts';
import { lockFree } from './row-locks.ts';
import type { ItemRow } from './schema.ts';

/** Where a look at what is due goes on. */
export type DueCursor = Pick<ItemRow, 'next_due_at' | 'item_id'>;

/**
 * Items whose next scheduled backup is due, those that wait longest first, for a transaction to claim: what another
 * worker claims right now is left out. Costs what it returns, however many items there are.
 */
export async function listDueItems(
  db: Database,
  now: string,
  options: { after: DueCursor | undefined; limit: number },
): Promise<ItemRow[]> {
  let query = db.selectFrom('items').selectAll().where('next_due_at', '<=', now);
  const { after } = options;
  if (after !== undefined) {
    query = query.where(({ and, eb, or }) =>
      or([
        eb('next_due_at', '>', after.next_due_at),
        and([eb('next_due_at', '=', after.next_due_at), eb('item_id', '>', after.item_id)]),
      ]),
    );
  }
  return lockFree(db, query.orderBy('next_due_at').orderBy('item_id').limit(options.limit)).execute();
}

/** Scheduled items that were dealt with up to a moment in the future: the clock was ahead once, or was set back. */
export async function listItemsAhead(db: Database, now: string, limit: number): Promise<ItemRow[]> {
  return db
    .selectFrom('items')
    .selectAll()
    .where('schedule_handled_until', '>', now)
    .where('next_due_at', 'is not', null)
    .limit(limit)
    .execute();
}

/** How many items are under a policy, by its exact name. */
export async function countItemsUnder(db: Database, vaultId: string, policyName: string): Promise<number> {
  const { count } = await db
    .selectFrom('items')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('vault_id', '=', vaultId)
    .where('policy_name', '=', policyName)
    .executeTakeFirstOrThrow();
  return Number(count);
}
