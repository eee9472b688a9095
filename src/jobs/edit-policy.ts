import {
  countItemsUnder,
  type Database,
  deletePolicy,
  findSavedPolicy,
  type ItemRow,
  insertPolicy,
  listItems,
  replacePolicy,
  type SavedPolicy,
  type VaultRow,
} from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import {
  type BackupPolicy,
  judgePolicyDeletion,
  judgePolicyEdit,
  refusalError,
  type VaultSecurity,
} from '../protection/index.ts';
import { type ModifyPolicyPayload, membersToConfigure } from './modify-policy.ts';
import type { Workshop } from './workshop.ts';

/** What an editor had before its eyes. */
export interface EditConditions {
  /** The revision that was edited. Undefined: whatever is there is replaced. */
  revision?: string | undefined;
  /** There must be no policy of this name yet. */
  isNew?: boolean | undefined;
}

/**
 * Saves a policy. Where items are under it, each is put under its new form by a ConfigureBackup job of its own, which
 * a ModifyPolicy job starts; that is written down together with the policy, so none is forgotten. Saving a policy again
 * as it is does so for those that could not follow the last time.
 * @returns the policy as saved, and the ModifyPolicy job where something follows
 * @throws PreconditionFailed, UserErrorPolicyTypeChangeNotAllowed, UserErrorOperationDeniedOnImmutableItem
 */
export async function savePolicy(
  workshop: Workshop,
  vault: VaultRow,
  wanted: BackupPolicy,
  security: VaultSecurity,
  conditions: EditConditions = {},
): Promise<{ saved: SavedPolicy; jobId?: string }> {
  const { db } = workshop;
  const known = await findSavedPolicy(db, vault.vault_id, wanted.name);
  checkConditions(wanted.name, known, conditions);
  if (known === undefined) {
    const revision = await insertPolicy(db, vault.vault_id, wanted).catch(async (cause: unknown) => {
      if ((await findSavedPolicy(db, vault.vault_id, wanted.name)) === undefined) throw cause;
      throw changedMeanwhile(wanted.name, cause);
    });
    return { saved: { policy: wanted, revision } };
  }
  // A name is spelt as it was when the policy was made.
  const policy = { ...wanted, name: known.policy.name };
  const isSame = JSON.stringify(policy) === JSON.stringify(known.policy);
  const judged = judgePolicyEdit(known.policy, policy, [], security);
  if (!judged.allowed) throw refusalError(judged.refusals, policy.name);
  let revision = known.revision;
  const [jobId] = await workshop.engine.startMany<ModifyPolicyPayload>('ModifyPolicy', async (tx) => {
    if (!isSame) {
      const replaced = await replacePolicy(tx, vault.vault_id, policy, known.revision);
      if (replaced === undefined) throw changedMeanwhile(policy.name);
      revision = replaced;
    }
    // Only now: whoever was put under the policy until a moment ago is among them, and nobody is from here on.
    const members = membersToConfigure(await itemsUnder(tx, vault, policy.name), policy);
    if (members.length === 0) return [];
    return [
      {
        vaultId: vault.vault_id,
        itemId: undefined,
        entityName: policy.name,
        userTriggered: true,
        payload: { policyName: policy.name },
        taskIds: [],
      },
    ];
  });
  return { saved: { policy, revision }, ...(jobId !== undefined && { jobId }) };
}

/**
 * Deletes a policy that nothing is under.
 * @returns false when there is none
 * @throws ResourceInUse, PreconditionFailed
 */
export async function removePolicy(
  { db }: Workshop,
  vault: VaultRow,
  name: string,
  conditions: Pick<EditConditions, 'revision'> = {},
): Promise<boolean> {
  const known = await findSavedPolicy(db, vault.vault_id, name);
  if (known === undefined) return false;
  checkConditions(name, known, conditions);
  const refuseInUse = async () => {
    const judged = judgePolicyDeletion(
      known.policy.name,
      await countItemsUnder(db, vault.vault_id, known.policy.name),
    );
    if (!judged.allowed) throw refusalError(judged.refusals, known.policy.name);
  };
  await refuseInUse();
  if (await deletePolicy(db, vault.vault_id, known.policy.name, known.revision)) return true;
  await refuseInUse();
  throw changedMeanwhile(name);
}

/** The items under a policy, whatever their state. */
export async function itemsUnder(db: Database, vault: VaultRow, policyName: string): Promise<ItemRow[]> {
  return (await listItems(db, vault.vault_id)).filter((item) => item.policy_name === policyName);
}

function checkConditions(
  name: string,
  known: SavedPolicy | undefined,
  { revision, isNew = false }: EditConditions,
): void {
  if (isNew && known !== undefined)
    throw new HoldfastError('PreconditionFailed', `There is a policy '${known.policy.name}' already.`, {
      target: name,
      action: 'Choose another name, or edit the policy that is there.',
    });
  if (revision !== undefined && revision !== known?.revision) throw changedMeanwhile(name);
}

const changedMeanwhile = (name: string, cause?: unknown) =>
  new HoldfastError('PreconditionFailed', `Policy '${name}' was changed or deleted by somebody else.`, {
    target: name,
    ...(cause !== undefined && { cause }),
  });
