import { sql } from 'kysely';
import type { BackupPolicy } from '../protection/index.ts';
import type { Database } from './catalog.ts';
import { insertPolicy } from './policies.ts';
import type { VaultRow } from './schema.ts';

export async function listVaults(db: Database): Promise<VaultRow[]> {
  return db.selectFrom('vaults').selectAll().orderBy('name').execute();
}

/** Names are compared without case. */
export async function findVault(
  db: Database,
  resourceGroup: string,
  name: string,
): Promise<VaultRow | undefined> {
  return db
    .selectFrom('vaults')
    .selectAll()
    .where(sql`lower(resource_group)`, '=', resourceGroup.toLowerCase())
    .where(sql`lower(name)`, '=', name.toLowerCase())
    .executeTakeFirst();
}

export async function getVault(db: Database, vaultId: string): Promise<VaultRow> {
  return db.selectFrom('vaults').selectAll().where('vault_id', '=', vaultId).executeTakeFirstOrThrow();
}

/** Adds a vault together with the policies it starts with. */
export async function insertVault(
  db: Database,
  vault: VaultRow,
  policies: readonly BackupPolicy[],
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx.insertInto('vaults').values(vault).execute();
    for (const policy of policies) await insertPolicy(tx, vault.vault_id, policy);
  });
}

export async function updateVaultTags(
  db: Database,
  vaultId: string,
  tags: Record<string, string>,
): Promise<void> {
  await db
    .updateTable('vaults')
    .set({ tags_json: JSON.stringify(tags) })
    .where('vault_id', '=', vaultId)
    .execute();
}

export async function deleteVault(db: Database, vaultId: string): Promise<void> {
  await db.deleteFrom('vaults').where('vault_id', '=', vaultId).execute();
}
