import { type ItemRow, listItems, updateItem } from '../catalog/index.ts';
import { isHoldfastError, messageOf } from '../errors/index.ts';
import { dueRun } from '../protection/index.ts';
import { startBackup } from './backup.ts';
import { maintainAll } from './maintenance.ts';
import { policyOf } from './policies.ts';
import { startDueReplications } from './replicate-due.ts';
import { startDueVerifications } from './verify-due.ts';
import { startDueReplicaVerifications } from './verify-replica.ts';
import type { Workshop } from './workshop.ts';

/** How often the scheduler looks whether something is due. */
const tickMs = 20_000;
/** How often retention is applied beside the application after every backup. */
const maintenanceMs = 60 * 60_000;

/**
 * Starts what is due now. That an occurrence was handled is written together with its job, so it runs once: not twice,
 * and not never. What can't be started is tried again at the next look, and holds up nothing else.
 */
export async function startDueBackups(workshop: Workshop): Promise<string[]> {
  const started: string[] = [];
  for (const item of await listItems(workshop.db)) {
    try {
      const jobId = await startIfDue(workshop, item);
      if (jobId !== undefined) started.push(jobId);
    } catch (error) {
      const { item_id: itemId } = item;
      const sentence = `scheduled backup not started: ${messageOf(error)}`;
      if (isHoldfastError(error)) workshop.log.warn({ itemId, code: error.code }, sentence);
      else workshop.log.error({ itemId, err: error }, sentence);
    }
  }
  return started;
}

async function startIfDue(workshop: Workshop, item: ItemRow): Promise<string | undefined> {
  const policy = policyOf(item);
  if (policy === undefined) return undefined;
  const now = workshop.clock.now();
  const handled = Temporal.Instant.from(item.schedule_handled_until);
  if (Temporal.Instant.compare(handled, now) > 0) {
    // The clock was set back, or was ahead once. Waiting for it to come there again could take years.
    workshop.log.warn(
      { itemId: item.item_id, handledUntil: item.schedule_handled_until },
      'the schedule was handled up to a moment in the future; it goes on from now',
    );
    await updateItem(workshop.db, item.item_id, handledUntil(now));
    return undefined;
  }
  const due = dueRun(policy, handled, now);
  if (due === undefined) return undefined;
  return startBackup(workshop, item, {
    runAt: due.at.toString(),
    alongside: (tx) => updateItem(tx, item.item_id, handledUntil(due.at)),
  });
}

const handledUntil = (moment: Temporal.Instant) => ({
  schedule_handled_until: moment.toString({ fractionalSecondDigits: 3 }),
});

/** Runs until the signal is aborted. Errors are logged; the next tick tries again. */
export async function runScheduler(workshop: Workshop, signal: AbortSignal): Promise<void> {
  let nextMaintenance = workshop.clock.monotonicMs();
  while (!signal.aborted) {
    try {
      await startDueBackups(workshop);
      await startDueReplications(workshop);
      await startDueReplicaVerifications(workshop);
      await startDueVerifications(workshop);
      if (workshop.clock.monotonicMs() >= nextMaintenance) {
        nextMaintenance = workshop.clock.monotonicMs() + maintenanceMs;
        await maintainAll(workshop);
      }
    } catch (error) {
      workshop.log.error({ err: error }, 'the scheduler stumbled');
    }
    await workshop.clock.sleep(tickMs, signal).catch(() => {});
  }
}
