import { getUpkeep, listVaults, type StoreUpkeepRow, type VaultRow } from '../catalog/index.ts';
import { isHoldfastError, messageOf } from '../errors/index.ts';
import { startVerification } from './verify-store.ts';
import type { Workshop } from './workshop.ts';

/** A store is read whole once in so many days unless its vault says otherwise. */
export const defaultVerifyEveryDays = 30;

/** How fast a scheduled verification reads: 5 TB in a day, and backups have the rest of the disk. */
export const scheduledBytesPerSecond = 64 * 2 ** 20;

/** After one that did not come to its end (the store was away, or somebody cancelled it), the next try. */
const retryHours = 24;

/** Starts the verifications that are due; they take their turns. */
export async function startDueVerifications(workshop: Workshop): Promise<void> {
  for (const vault of await listVaults(workshop.db)) {
    try {
      const upkeep = await getUpkeep(workshop.db, vault.vault_id);
      if (!isVerificationDue(vault, upkeep, workshop.clock.now())) continue;
      await startVerification(workshop, vault, {
        userTriggered: false,
        bytesPerSecond: scheduledBytesPerSecond,
      });
    } catch (error) {
      if (workshop.signal.aborted) return;
      const sentence = `verification not started: ${messageOf(error)}`;
      if (isHoldfastError(error)) workshop.log.warn({ vault: vault.name, code: error.code }, sentence);
      else workshop.log.error({ vault: vault.name, err: error }, sentence);
    }
  }
}

/**
 * So many days after the last one ended. The first of a vault comes somewhere within that time after its creation, at a
 * moment that its id decides: vaults that were made together are not read together for ever.
 */
export function isVerificationDue(
  vault: Pick<VaultRow, 'vault_id' | 'created_at'>,
  upkeep: Pick<StoreUpkeepRow, 'verify_every_days' | 'verify_started_at' | 'verified_at'>,
  now: Temporal.Instant,
): boolean {
  const { verify_every_days: everyDays, verify_started_at: started, verified_at: verified } = upkeep;
  const days = everyDays ?? defaultVerifyEveryDays;
  if (days === 0) return false;
  const hoursSince = (moment: string) => now.since(Temporal.Instant.from(moment)).total('hours');
  if (started !== null && (verified === null || verified < started)) {
    // A moment in the future is that of a clock gone wrong: waiting for it to come could take years.
    return hoursSince(started) >= retryHours || hoursSince(started) < 0;
  }
  if (verified !== null) return hoursSince(verified) >= days * 24 || hoursSince(verified) < 0;
  return hoursSince(vault.created_at) >= days * 24 * shareOf(vault.vault_id);
}

/** From 0 to 1, by the id alone. */
function shareOf(vaultId: string): number {
  let sum = 0;
  for (const character of vaultId) sum = (sum * 31 + character.charCodeAt(0)) % 1000;
  return (sum + 1) / 1000;
}
