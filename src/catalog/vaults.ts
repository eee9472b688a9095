import { sql, type Updateable } from 'kysely';
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

export async function updateVault(
  db: Database,
  vaultId: string,
  change: Updateable<VaultRow>,
): Promise<void> {
  await db.updateTable('vaults').set(change).where('vault_id', '=', vaultId).execute();
}

/**
 * Changes what protects a vault's data, provided it still is what it was when that was decided.
 * @returns false when somebody else has changed it since; then nothing is changed
 */
export async function changeSecurity(
  db: Database,
  { vault_id: vaultId, immutability, soft_delete: softDelete }: VaultRow,
  change: Pick<VaultRow, 'immutability' | 'soft_delete' | 'soft_delete_days'>,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('vaults')
    .set(change)
    .where('vault_id', '=', vaultId)
    .where('immutability', '=', immutability)
    .where('soft_delete', '=', softDelete)
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n;
}

export async function deleteVault(db: Database, vaultId: string): Promise<void> {
  await db.deleteFrom('vaults').where('vault_id', '=', vaultId).execute();
}
