import {
  type Database,
  type DueCursor,
  type ItemRow,
  listDueItems,
  listItemsAhead,
  type NotedLook,
  noteLooks,
  updateItem,
} from '../catalog/index.ts';
import { isHoldfastError, messageOf } from '../errors/index.ts';
import { newBackup } from './backup.ts';
import type { BackupPayload } from './backup-payload.ts';
import { catalogTime } from './clock.ts';
import type { NewJob } from './engine.ts';
import { maintainAll } from './maintenance.ts';
import { notedLook, planNextBackup, Timetables } from './next-backup.ts';
import { startDueReplications } from './replicate-due.ts';
import { startDueVerifications } from './verify-due.ts';
import { startDueReplicaVerifications } from './verify-replica.ts';
import type { Workshop } from './workshop.ts';

/** How often the scheduler looks whether something is due. */
const tickMs = 20_000;
/** How often retention is applied beside the application after every backup. */
const maintenanceMs = 60 * 60_000;

/** What starting backups takes of a workshop. */
export type SchedulersWorkshop = Pick<Workshop, 'db' | 'clock' | 'log' | 'engine' | 'phases' | 'signal'>;

/** How many starts are written down at once; what is due beyond them follows at once. */
const startsAtOnce = 500;

/**
 * Starts what is due now. That an occurrence was handled is written together with its job, so it runs once: not twice,
 * and not never. What can't be started is tried again at the next look, and holds up nothing else. Costs what is due,
 * not what exists: see `planNextBackup`.
 * @returns ids of the jobs
 */
export async function startDueBackups(workshop: SchedulersWorkshop): Promise<string[]> {
  const now = workshop.clock.now();
  await catchUpWithClock(workshop, now);
  const timetables = new Timetables();
  const started: string[] = [];
  let after: DueCursor | undefined;
  do {
    const jobIds = await workshop.engine.startMany('Backup', async (tx) => {
      const due = await listDueItems(tx, catalogTime(now), { after, limit: startsAtOnce });
      after = due.length < startsAtOnce ? undefined : due.at(-1);
      const chosen: Choice[] = [];
      for (const item of due) {
        const choice = await chooseDue(workshop, tx, timetables, item, now);
        if (choice !== undefined) chosen.push(choice);
      }
      await noteLooks(
        tx,
        chosen.map(({ noted }) => noted),
      );
      return chosen.flatMap(({ job }) => job ?? []);
    });
    started.push(...jobIds);
  } while (after !== undefined && !workshop.signal.aborted);
  return started;
}

/** What comes of an item that is due; no job where the schedule has changed since that was written. */
interface Choice {
  job: NewJob<BackupPayload> | undefined;
  noted: NotedLook;
}

async function chooseDue(
  workshop: SchedulersWorkshop,
  tx: Database,
  timetables: Timetables,
  item: ItemRow,
  now: Temporal.Instant,
): Promise<Choice | undefined> {
  try {
    const look = await timetables.look(tx, item, now);
    const runAt = look?.start?.at.toString();
    return {
      job: runAt === undefined ? undefined : newBackup(workshop, item, { runAt }),
      noted: { itemId: item.item_id, ...notedLook(look) },
    };
  } catch (error) {
    const { item_id: itemId } = item;
    const sentence = `scheduled backup not started: ${messageOf(error)}`;
    if (isHoldfastError(error)) workshop.log.warn({ itemId, code: error.code }, sentence);
    else workshop.log.error({ itemId, err: error }, sentence);
    return undefined;
  }
}

/** How many items one look brings back from the future; the next goes on. */
const aheadAtOnce = 1000;

async function catchUpWithClock({ db, log }: SchedulersWorkshop, now: Temporal.Instant): Promise<void> {
  for (const item of await listItemsAhead(db, catalogTime(now), aheadAtOnce)) {
    const { item_id: itemId, schedule_handled_until: handledUntil } = item;
    log.warn(
      { itemId, handledUntil },
      'the schedule was handled up to a moment in the future; it goes on from now',
    );
    await updateItem(db, itemId, { schedule_handled_until: catalogTime(now) });
    await planNextBackup(db, itemId, now);
  }
}

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
