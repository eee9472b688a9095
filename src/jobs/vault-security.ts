import { changeSecurity, type VaultRow } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import {
  judgeImmutability,
  judgeSoftDelete,
  type Refusal,
  refusalError,
  type SoftDelete,
  type VaultSecurity,
} from '../protection/index.ts';
import type { Workshop } from './workshop.ts';

/** What protects a vault's data against those who manage it: asked by whatever removes or shortens something. */
export function securityOf(vault: VaultRow): VaultSecurity {
  return {
    immutability: vault.immutability,
    softDelete: { state: vault.soft_delete, days: vault.soft_delete_days },
  };
}

/** What is asked for; what is left out stays. */
export interface WantedSecurity {
  immutability?: VaultSecurity['immutability'] | undefined;
  softDelete?: SoftDelete['state'] | 'Disabled' | undefined;
  softDeleteDays?: number | undefined;
}

/**
 * The security of a vault after a change.
 * @throws UserErrorImmutabilityLocked, UserErrorImmutabilityNotUnlocked, UserErrorSoftDeleteAlwaysOn, InvalidInput
 */
export function securityAfter(name: string, from: VaultSecurity, wanted: WantedSecurity): VaultSecurity {
  const immutability = wanted.immutability ?? from.immutability;
  const state = wanted.softDelete ?? from.softDelete.state;
  const days = wanted.softDeleteDays ?? from.softDelete.days;
  const [first, ...more] = [
    judgeImmutability(from.immutability, immutability),
    judgeSoftDelete(from.softDelete, { state, days }),
  ].flatMap((judgement): readonly Refusal[] => (judgement.allowed ? [] : judgement.refusals));
  if (first !== undefined) throw refusalError([first, ...more], name);
  // Disabled has just been refused.
  return { immutability, softDelete: { state: state as SoftDelete['state'], days } };
}

/** As columns of a vault. */
export const securityColumns = ({ immutability, softDelete }: VaultSecurity) => ({
  immutability,
  soft_delete: softDelete.state,
  soft_delete_days: softDelete.days,
});

/** Changes the security of a vault. @throws as {@link securityAfter}, ResourceInUse when somebody else does at once */
export async function changeVaultSecurity(
  { db, log }: Workshop,
  vault: VaultRow,
  wanted: WantedSecurity,
): Promise<VaultRow> {
  const before = securityOf(vault);
  const after = securityAfter(vault.name, before, wanted);
  if (!(await changeSecurity(db, vault, securityColumns(after))))
    throw new HoldfastError('ResourceInUse', `The security of vault '${vault.name}' has just been changed.`, {
      target: vault.name,
      action: 'Look at the vault, and try again if the change is still wanted.',
    });
  log.info({ vault: vault.name, before, after }, 'the security of a vault was set');
  return { ...vault, ...securityColumns(after) };
}
