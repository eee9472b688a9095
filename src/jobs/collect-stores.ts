import { getUpkeep, listJobs, listVaults, type VaultRow } from '../catalog/index.ts';
import { isHoldfastError, messageOf } from '../errors/index.ts';
import { catalogTime } from './clock.ts';
import { startCollection } from './collect-store.ts';
import { noteCollected } from './collected.ts';
import type { Workshop } from './workshop.ts';

/** A store is collected once a day: what one collection condemns, a later one removes. */
const intervalHours = 24;
const hoursAfterFailure = 6;

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
  const { db, clock, engine } = workshop;
  const now = clock.now();
  const { collected_at: noted } = await getUpkeep(db, vault.vault_id);
  const last = noted === null ? undefined : Temporal.Instant.from(noted);
  // A new vault has a day before anything can have expired; a moment in the future is that of a clock gone wrong.
  if (last === undefined || Temporal.Instant.compare(last, now) > 0)
    return noteCollected(workshop, vault.vault_id);
  if (Temporal.Instant.compare(now, last.add({ hours: intervalHours })) < 0) return;
  // One that failed has said why; the next says it again soon enough.
  const recent = {
    operation: 'CollectStore',
    startedFrom: catalogTime(now.subtract({ hours: hoursAfterFailure })),
  };
  if ((await listJobs(db, vault.vault_id, recent, { limit: 1 })).length > 0) return;
  // A store that is away is none to be collected: there is no job that fails of it every time.
  await workshop.estate.store(vault);
  await engine.wait(
    await startCollection(workshop, vault, { dryRun: false, force: false, userTriggered: false }),
  );
}
