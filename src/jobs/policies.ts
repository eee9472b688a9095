import { type Database, findPolicy, type ItemRow } from '../catalog/index.ts';
import type { BackupPolicy } from '../protection/index.ts';

/** The policy an item is under, undefined when its protection is stopped. */
export async function policyOf(db: Database, item: ItemRow): Promise<BackupPolicy | undefined> {
  if (item.policy_name === null) return undefined;
  const policy = await findPolicy(db, item.vault_id, item.policy_name);
  if (policy === undefined)
    throw new Error(`item ${item.item_id} names policy ${item.policy_name}, which is gone`);
  return policy;
}
