import { durationOf } from './expiry.ts';
import { type Judgement, judge, type Refusal } from './judgement.ts';
import type { BackupPolicy } from './policy.ts';
import { retentionTags } from './tags.ts';

/** `Unlocked` protects and can be taken back; `Locked` protects for ever. */
export type Immutability = 'Disabled' | 'Unlocked' | 'Locked';

/** Deleted data waits for `days` before it is removed. `AlwaysON` can't be taken back. */
export interface SoftDelete {
  state: 'Enabled' | 'AlwaysON';
  days: number;
}

/** What protects a vault's data against those who manage it. */
export interface VaultSecurity {
  immutability: Immutability;
  softDelete: SoftDelete;
}

export const softDeleteDaysLimits = { least: 14, most: 180, usual: 14 };

/** How a new vault is protected. */
export const securityOfNewVault: VaultSecurity = {
  immutability: 'Disabled',
  softDelete: { state: 'Enabled', days: softDeleteDaysLimits.usual },
};

export const isImmutable = ({ immutability }: VaultSecurity) => immutability !== 'Disabled';

/** Whether immutability may be set so. A new vault counts as one whose immutability is disabled. */
export function judgeImmutability(from: Immutability, to: Immutability): Judgement {
  const refusals: Refusal[] = [];
  if (from === 'Locked' && to !== 'Locked')
    refusals.push({
      code: 'UserErrorImmutabilityLocked',
      message: 'The immutability of this vault is locked, which nobody can take back.',
    });
  if (from === 'Disabled' && to === 'Locked')
    refusals.push({
      code: 'UserErrorImmutabilityNotUnlocked',
      message:
        "Locking can't be undone, so immutability must have been on, and proven right, before it is locked.",
    });
  return judge(refusals, {});
}

/**
 * Whether soft delete may be set so. The days that count for what is deleted are those at the time of its deletion, so
 * a shorter period takes nothing away from what waits already.
 */
export function judgeSoftDelete(
  from: SoftDelete,
  to: { state: SoftDelete['state'] | 'Disabled'; days: number },
): Judgement {
  const { least, most } = softDeleteDaysLimits;
  const refusals: Refusal[] = [];
  if (to.state === 'Disabled')
    refusals.push({
      code: 'UserErrorSoftDeleteAlwaysOn',
      message:
        "Soft delete can't be switched off: it is what is left when somebody deletes by mistake or by malice.",
    });
  else if (from.state === 'AlwaysON' && to.state !== 'AlwaysON')
    refusals.push({
      code: 'UserErrorSoftDeleteAlwaysOn',
      message: 'Soft delete of this vault is always on, which nobody can take back.',
    });
  if (!Number.isInteger(to.days) || to.days < least || to.days > most)
    refusals.push({
      code: 'InvalidInput',
      message: `Deleted data can be kept for ${least} to ${most} days, not ${to.days}.`,
    });
  return judge(refusals, {});
}

/**
 * What an edit, or another policy, takes away from what the vault keeps: a shorter rule, or one that is gone.
 * Snapshots are not counted: immutability is the vault's.
 */
export function reductionsOf(before: BackupPolicy, after: BackupPolicy): string[] {
  return retentionTags.flatMap((tag) => {
    const had = durationOf(before, tag);
    const has = durationOf(after, tag);
    if (had === undefined) return [];
    const [[unit, count]] = Object.entries(had) as [[string, number]];
    const kept = has === undefined ? 0 : (Object.values(has)[0] as number);
    if (kept >= count) return [];
    const instead = has === undefined ? 'no longer' : `for ${kept} instead of ${count} ${unit}`;
    return [`${tag.toLowerCase()} points would be kept ${instead}`];
  });
}

/** Against a shorter retention in an immutable vault; undefined when nothing speaks against it. */
export function refuseReductions(
  security: VaultSecurity,
  before: BackupPolicy | undefined,
  after: BackupPolicy,
): Refusal | undefined {
  const reductions = before === undefined || !isImmutable(security) ? [] : reductionsOf(before, after);
  if (reductions.length === 0) return undefined;
  return {
    code: 'UserErrorOperationDeniedOnImmutableItem',
    message: `The vault is immutable, and with policy '${after.name}' ${reductions.join(', ')}.`,
    action: 'Keep the retention at least as long as it is. Longer retention and other schedules are allowed.',
  };
}

/** Against removing data from an immutable vault before its time; undefined when nothing speaks against it. */
export function refuseRemoval(
  security: VaultSecurity,
  what: string,
  lastExpiry: Temporal.Instant | undefined,
  now: Temporal.Instant,
): Refusal | undefined {
  if (!isImmutable(security) || lastExpiry === undefined || Temporal.Instant.compare(now, lastExpiry) >= 0)
    return undefined;
  return {
    code: 'UserErrorOperationDeniedOnImmutableItem',
    message: `The vault is immutable, and ${what} must be kept until ${lastExpiry}.`,
    action:
      'Stop protection and keep the data, or suspend backups so that points expire as their policy says.',
  };
}

/** Whether a vault may be deleted. */
export function judgeVaultDeletion(
  vault: string,
  items: number,
  softDeleted: readonly { name: string; purgeAt: Temporal.Instant }[],
): Judgement {
  const refusals: Refusal[] = [];
  if (items > 0)
    refusals.push({
      code: 'BMSUserErrorVaultDeletionNotAllowed',
      message: `Vault '${vault}' protects ${items} ${items === 1 ? 'item' : 'items'}.`,
    });
  if (softDeleted.length > 0)
    refusals.push({
      code: 'BMSUserErrorVaultDeletionNotAllowed',
      message: `Vault '${vault}' has soft-deleted items: ${softDeleted.map(({ name, purgeAt }) => `'${name}' until ${purgeAt}`).join(', ')}.`,
      action: 'Wait until the soft-deleted items are purged.',
    });
  return judge(refusals, {});
}
