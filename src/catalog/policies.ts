import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { BackupPolicy } from '../protection/index.ts';
import type { Database } from './catalog.ts';
import { lockUnchanged } from './row-locks.ts';
import type { PolicyRow } from './schema.ts';

/** A policy and the revision it has; see `PolicyRow.revision`. */
export interface SavedPolicy {
  policy: BackupPolicy;
  revision: string;
}

const read = ({ document_json: json, revision }: Pick<PolicyRow, 'document_json' | 'revision'>) => ({
  policy: JSON.parse(json) as BackupPolicy,
  revision,
});

export async function listPolicies(db: Database, vaultId: string): Promise<SavedPolicy[]> {
  const rows = await db
    .selectFrom('policies')
    .selectAll()
    .where('vault_id', '=', vaultId)
    .orderBy('name')
    .execute();
  return rows.map(read);
}

/** Names are compared without case. */
export async function findSavedPolicy(
  db: Database,
  vaultId: string,
  name: string,
): Promise<SavedPolicy | undefined> {
  const row = await db
    .selectFrom('policies')
    .selectAll()
    .where('vault_id', '=', vaultId)
    .where(sql`lower(name)`, '=', name.toLowerCase())
    .executeTakeFirst();
  return row && read(row);
}

/**
 * Whether a policy is in its form of `revision` still. Until the transaction ends it stays so: an edit waits, and finds
 * what is put under the policy meanwhile.
 */
export async function isStillPolicy(
  tx: Database,
  vaultId: string,
  { policy, revision }: SavedPolicy,
): Promise<boolean> {
  const query = tx
    .selectFrom('policies')
    .select('revision')
    .where('vault_id', '=', vaultId)
    .where('name', '=', policy.name);
  return (await lockUnchanged(tx, query).executeTakeFirst())?.revision === revision;
}

/** As {@link findSavedPolicy}, where nobody is going to write it back. */
export async function findPolicy(
  db: Database,
  vaultId: string,
  name: string,
): Promise<BackupPolicy | undefined> {
  return (await findSavedPolicy(db, vaultId, name))?.policy;
}

/** @returns the revision it has now */
export async function insertPolicy(db: Database, vaultId: string, policy: BackupPolicy): Promise<string> {
  const revision = randomUUID();
  await db
    .insertInto('policies')
    .values({ vault_id: vaultId, name: policy.name, document_json: JSON.stringify(policy), revision })
    .execute();
  return revision;
}

/**
 * Puts a policy in the place of the one of its name.
 * @param expected the revision it was made from
 * @returns the revision it has now; undefined, and nothing is changed, if somebody has edited it meanwhile
 */
export async function replacePolicy(
  db: Database,
  vaultId: string,
  policy: BackupPolicy,
  expected: string,
): Promise<string | undefined> {
  const revision = randomUUID();
  const { numUpdatedRows } = await db
    .updateTable('policies')
    .set({ document_json: JSON.stringify(policy), revision })
    .where('vault_id', '=', vaultId)
    .where('name', '=', policy.name)
    .where('revision', '=', expected)
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n ? revision : undefined;
}

/**
 * @param expected as of {@link replacePolicy}
 * @returns false, and nothing is changed, if somebody has edited it meanwhile, or something is under it
 */
export async function deletePolicy(
  db: Database,
  vaultId: string,
  name: string,
  expected: string,
): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('policies')
    .where('vault_id', '=', vaultId)
    .where('name', '=', name)
    .where('revision', '=', expected)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('items')
            .select('item_id')
            .where('items.vault_id', '=', vaultId)
            .where('items.policy_name', '=', name),
        ),
      ),
    )
    .executeTakeFirstOrThrow();
  return numDeletedRows > 0n;
}
