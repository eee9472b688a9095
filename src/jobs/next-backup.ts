import {
  countItemsUnder,
  type Database,
  getItem,
  type ItemRow,
  type NotedLook,
  updateItem,
} from '../catalog/index.ts';
import {
  type BackupPolicy,
  lookAtSchedule,
  type ScheduleLook,
  startDelayMs,
  startWindowMs,
} from '../protection/index.ts';
import { catalogTime } from './clock.ts';

/** States in which the schedule starts backups. */
const scheduledStates: ReadonlySet<string> = new Set<ItemRow['state']>(['IRPending', 'Protected']);

/** What several looks at schedules, made at one moment, share: policies, and how far their starts are spread. */
export class Timetables {
  readonly #policies = new Map<string, BackupPolicy>();
  readonly #windowsMs = new Map<string, number>();

  /** @returns undefined for an item that nothing is scheduled for */
  async look(db: Database, item: ItemRow, now: Temporal.Instant): Promise<ScheduleLook | undefined> {
    const { item_id: itemId, policy_name: policyName } = item;
    if (!scheduledStates.has(item.state) || policyName === null) return undefined;
    const windowMs = await this.#windowMs(db, item.vault_id, policyName);
    const handledUntil = Temporal.Instant.from(item.schedule_handled_until);
    return lookAtSchedule(this.#policy(item), handledUntil, now, startDelayMs(itemId, windowMs));
  }

  #policy({ policy_json: text }: ItemRow): BackupPolicy {
    let policy = this.#policies.get(text);
    if (policy === undefined) {
      policy = JSON.parse(text) as BackupPolicy;
      this.#policies.set(text, policy);
    }
    return policy;
  }

  async #windowMs(db: Database, vaultId: string, policyName: string): Promise<number> {
    const key = JSON.stringify([vaultId, policyName]);
    let windowMs = this.#windowsMs.get(key);
    if (windowMs === undefined) {
      windowMs = startWindowMs(await countItemsUnder(db, vaultId, policyName));
      this.#windowsMs.set(key, windowMs);
    }
    return windowMs;
  }
}

/** The columns that say what a look came to. */
export function notedLook(look: ScheduleLook | undefined): Omit<NotedLook, 'itemId'> {
  if (look === undefined) return { handledUntil: null, nextDueAt: null };
  return { handledUntil: catalogTime(look.handledUntil), nextDueAt: catalogTime(look.nextDue) };
}

/**
 * Notes when the next scheduled backup of an item starts. To be called, with the same transaction where there is one,
 * after every change of an item's `state`, its policy or its `schedule_handled_until`: the scheduler looks at nothing
 * but what this notes. Calling it once too often changes nothing; a run that is due already stays due.
 */
export async function planNextBackup(db: Database, itemId: string, now: Temporal.Instant): Promise<void> {
  const item = await getItem(db, itemId);
  const look = await new Timetables().look(db, item, now);
  // What is due now is left to the scheduler, which writes that it is dealt with together with the job.
  const nextDueAt = look?.start === undefined ? notedLook(look).nextDueAt : catalogTime(now);
  if (nextDueAt !== item.next_due_at) await updateItem(db, itemId, { next_due_at: nextDueAt });
}
