import { getUpkeep, listVaults, saveUpkeep, type VaultRow } from '../catalog/index.ts';
import { isHoldfastError, messageOf } from '../errors/index.ts';
import type { Store } from '../store/index.ts';
import { pointsInVault } from './missing-points.ts';
import type { Workshop } from './workshop.ts';

/** A store is collected once a day: what one collection condemns, a later one removes. */
const intervalHours = 24;

/**
 * Gives back the space of what expired points alone needed, store after store, where a day has passed since the last
 * time. A store that can't be collected is tried again at the next look and holds up no other.
 */
export async function collectDueStores(workshop: Workshop): Promise<void> {
  for (const vault of await listVaults(workshop.db)) {
    try {
      await collectIfDue(workshop, vault);
    } catch (error) {
      if (workshop.signal.aborted) return;
      const fields = { vault: vault.name, err: error };
      if (isHoldfastError(error)) workshop.log.warn(fields, `space was not given back: ${messageOf(error)}`);
      else workshop.log.error(fields, 'collecting a store failed unexpectedly');
    }
  }
}

async function collectIfDue(workshop: Workshop, vault: VaultRow): Promise<void> {
  await using collecting = await workshop.phases.tryEnter('collection', vault.vault_id);
  if (collecting === undefined) return;
  const now = workshop.clock.now();
  const note = () => noteCollected(workshop, vault.vault_id);
  const { collected_at: noted } = await getUpkeep(workshop.db, vault.vault_id);
  const last = noted === null ? undefined : Temporal.Instant.from(noted);
  // A new vault has a day before anything can have expired; a moment in the future is that of a clock gone wrong.
  if (last === undefined || Temporal.Instant.compare(last, now) > 0) return note();
  if (Temporal.Instant.compare(now, last.add({ hours: intervalHours })) < 0) return;
  const store = await workshop.estate.store(vault);
  const force = await isListingRight(workshop, vault, store);
  const report = await store.collect({ force, signal: workshop.signal });
  await note();
  const { removedBytes, condemnedBytes, missingChunks, damagedPacks } = report;
  workshop.log.info({ vault: vault.name, removedBytes, condemnedBytes }, 'collected what no point needs');
  if (missingChunks > 0 || damagedPacks.length > 0)
    workshop.log.error({ vault: vault.name, missingChunks, damagedPacks }, 'the store is damaged');
}

export async function noteCollected(workshop: Workshop, vaultId: string): Promise<void> {
  const collectedAt = workshop.clock.now().toString({ fractionalSecondDigits: 3 });
  await saveUpkeep(workshop.db, vaultId, { collected_at: collectedAt });
}

/**
 * Whether the catalog, which is told of every expiry, agrees with the store on what is left. Then even a great loss of
 * points since the last collection (a service that was off for a month) is no sign of a listing gone wrong.
 */
export async function isListingRight(workshop: Workshop, vault: VaultRow, store: Store): Promise<boolean> {
  const { points, damaged } = await store.listPoints();
  const listed = new Set(points.map((point) => point.pointId));
  const expected = await pointsInVault(workshop.db, vault.vault_id);
  return (
    damaged.length === 0 && expected.length > 0 && expected.every(({ point_id }) => listed.has(point_id))
  );
}
