import type { Updateable } from 'kysely';
import type { Database } from './catalog.ts';
import type { StoreUpkeepRow } from './schema.ts';

/** How the upkeep of a vault's store goes; a vault that nobody has noted anything about has all of it before itself. */
export async function getUpkeep(db: Database, vaultId: string): Promise<StoreUpkeepRow> {
  const row = await db
    .selectFrom('store_upkeep')
    .selectAll()
    .where('vault_id', '=', vaultId)
    .executeTakeFirst();
  return (
    row ?? {
      vault_id: vaultId,
      verify_every_days: null,
      verify_cursor_json: null,
      verify_started_at: null,
      verified_at: null,
      verification_json: null,
      collected_at: null,
    }
  );
}

export async function saveUpkeep(
  db: Database,
  vaultId: string,
  change: Omit<Updateable<StoreUpkeepRow>, 'vault_id'>,
): Promise<void> {
  await db
    .insertInto('store_upkeep')
    .values({ vault_id: vaultId, ...change })
    .onConflict((conflict) => conflict.column('vault_id').doUpdateSet(change))
    .execute();
}
