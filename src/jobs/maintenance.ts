import { deleteGonePoints, findItem, listItems, purgeAlerts } from '../catalog/index.ts';
import { isHoldfastError, messageOf } from '../errors/index.ts';
import { mergeGivenUp, removeLeaving } from './carry-out-removals.ts';
import { collectDueStores } from './collect-stores.ts';
import { startExpiry } from './expire-points.ts';
import { startLeftLayerRemovals } from './left-layers.ts';
import { startDuePurges } from './purge.ts';
import { startOldJobRemovals } from './remove-old-jobs.ts';
import type { Workshop } from './workshop.ts';

/** How long ended jobs can be looked up; Azure does not say it of its own. */
export const defaultJobHistoryDays = 180;

/**
 * Applies retention to one item in the background: gives up snapshots and vault points whose time is over. Every step
 * is noted in the catalog first and repeated until it succeeds, so dying anywhere costs nothing but time.
 */
export function maintainItem(workshop: Workshop, itemId: string): void {
  workshop.background.add(maintain(workshop, itemId).catch((error) => report(workshop, itemId, error)));
}

function report(workshop: Workshop, itemId: string, error: unknown): void {
  if (workshop.signal.aborted) return; // taken up again after the next start
  if (isHoldfastError(error)) workshop.log.warn({ itemId, code: error.code }, messageOf(error));
  else workshop.log.error({ itemId, err: error }, 'maintenance of an item failed');
}

/** Applies retention to every item, purges what is due, gives back space in the stores, and forgets jobs that ended long ago. */
export async function maintainAll(workshop: Workshop): Promise<void> {
  await startOldJobRemovals(workshop);
  const before = workshop.clock.now().subtract({ hours: 24 * workshop.jobHistoryDays });
  await purgeAlerts(workshop.db, before.toString({ fractionalSecondDigits: 3 }));
  await startDuePurges(workshop);
  workshop.background.add(
    startLeftLayerRemovals(workshop).catch((error: unknown) =>
      workshop.log.error({ err: error }, 'layers that were left could not be looked for'),
    ),
  );
  for (const item of await listItems(workshop.db)) maintainItem(workshop, item.item_id);
  workshop.background.add(collectDueStores(workshop));
}

/** Resolves when no maintenance is running any more. */
export function maintenanceIdle(workshop: Workshop): Promise<void> {
  return workshop.background.idle();
}

async function maintain(workshop: Workshop, itemId: string): Promise<void> {
  await using maintenance = await workshop.phases.tryEnter('maintenance', itemId);
  if (maintenance === undefined) return;
  const jobId = await startExpiry(workshop, itemId);
  if (jobId !== undefined) await workshop.engine.wait(jobId);
  // What earlier ones could not do. Apart from each other: neither a store nor a host that is away holds up the other.
  const item = await findItem(workshop.db, itemId);
  if (item === undefined) return; // purged meanwhile
  const results = await Promise.allSettled([
    mergeGivenUp(workshop, item, workshop.signal),
    removeLeaving(workshop, item, workshop.signal),
  ]);
  for (const result of results) if (result.status === 'rejected') report(workshop, itemId, result.reason);
  await deleteGonePoints(workshop.db, itemId);
}
