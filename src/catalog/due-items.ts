import { sql } from 'kysely';
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

/** What a look at an item's schedule came to. */
export interface NotedLook {
  itemId: string;
  /** Null for an item that nothing is scheduled for: then only `nextDueAt` changes, to null. */
  handledUntil: string | null;
  nextDueAt: string | null;
}

/**
 * Writes down many looks at once, in the transaction that listed the items as due: nobody else changes them meanwhile. It
 * is a change of the items all the same, for whoever decides on one at this moment.
 */
export async function noteLooks(tx: Database, looks: readonly NotedLook[]): Promise<void> {
  if (looks.length === 0) return;
  // Both databases call the columns so.
  const rows = sql.join(
    looks.map(
      ({ itemId, handledUntil, nextDueAt }) =>
        sql`(${itemId}, cast(${handledUntil} as text), cast(${nextDueAt} as text))`,
    ),
  );
  await sql`
    update items
    set schedule_handled_until = coalesce(looks.column2, schedule_handled_until),
      next_due_at = looks.column3,
      revision = revision + 1
    from (values ${rows}) as looks
    where items.item_id = looks.column1`.execute(tx);
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
