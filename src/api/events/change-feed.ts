import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import {
  findAlert,
  findJob,
  getVault,
  listAlerts,
  listItems,
  listJobs,
  listOpenJobs,
  listVaults,
} from '../../catalog/index.ts';
import type { Alert, Job } from '../client/index.ts';
import { presentAlert } from '../routes/alerts.ts';
import { presentJob } from '../routes/jobs.ts';
import type { ApiScope } from '../scope.ts';
import { ChangeLog } from './change-log.ts';

/** What has changed, as its resource is now. An item is told in short; its own address has the rest. */
export type Change =
  | { event: 'job'; data: Job }
  | { event: 'alert'; data: Alert }
  | { event: 'item'; data: { id: string; protectionState: string; lastBackupStatus: string } };

/** How many jobs of a vault that began since the last look are looked at; more are found when somebody lists them. */
const maxNewJobs = 200;

/** So many open alerts are told of. */
const mostAlerts = 1000;

/** After the last listener has left, it may come back and go on where it was. */
const lingerMs = 60_000;

/** Items are many and change seldom. */
const looksPerItemLook = 5;

/**
 * Finds out what changes by looking at the catalog, which other processes may write to as well. Looks only while
 * somebody listens, and once for all who do.
 */
export class ChangeFeed {
  readonly #scope: ApiScope;
  readonly #intervalMs: number;
  readonly #listeners = new Set<(change: Change, id: string) => void>();
  readonly #log = new ChangeLog<Change>();
  #leftMs = 0;
  #looking: Promise<void> | undefined;
  #jobs = new Map<string, Job>();
  #items = new Map<string, string>();
  #alerts = new Map<string, Alert>();

  constructor(scope: ApiScope, intervalMs: number) {
    this.#scope = scope;
    this.#intervalMs = intervalMs;
  }

  get size(): number {
    return this.#listeners.size;
  }

  /** The id of the newest change, for {@link since}. */
  get position(): string {
    return this.#log.position;
  }

  /** The changes after one, by its id; undefined where that is not known any more. */
  since(id: string) {
    return this.#log.since(id);
  }

  /** Calls `listener` at each change, with its id, until the result is disposed. It must not throw. */
  listen(listener: (change: Change, id: string) => void): Disposable {
    this.#listeners.add(listener);
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return {
      [Symbol.dispose]: () => {
        this.#listeners.delete(listener);
        this.#leftMs = performance.now();
      },
    };
  }

  /** Jobs that have not ended, as they are now. */
  async openJobs(): Promise<Job[]> {
    const { db } = this.#scope.workshop;
    return this.#present((await listOpenJobs(db)).map((job) => job.job_id));
  }

  async #look(): Promise<void> {
    const { signal, log } = this.#scope.workshop;
    // What was known when the last listener left is old.
    this.#jobs = new Map();
    this.#items = new Map();
    this.#alerts = new Map();
    for (let look = 0; this.#isWanted() && !signal.aborted; look++) {
      try {
        await this.#lookAtJobs();
        await this.#lookAtAlerts(look === 0);
        if (look % looksPerItemLook === 0) await this.#lookAtItems(look === 0);
      } catch (error) {
        if (!signal.aborted) log.warn({ err: error }, 'looking for changes failed; it is tried again');
      }
      await sleep(this.#intervalMs, undefined, { signal }).catch(() => {});
    }
  }

  #isWanted(): boolean {
    return this.#listeners.size > 0 || performance.now() - this.#leftMs < lingerMs;
  }

  /** Open alerts, as they are now. */
  async openAlerts(): Promise<Alert[]> {
    const rows = await listAlerts(this.#scope.workshop.db, {
      withResolved: false,
      withDismissed: false,
      limit: mostAlerts,
    });
    const shown = await Promise.all(rows.map((row) => presentAlert(this.#scope, row)));
    return shown.filter((alert) => alert !== undefined);
  }

  async #lookAtAlerts(isFirst: boolean): Promise<void> {
    const { db } = this.#scope.workshop;
    const seen = new Map((await this.openAlerts()).map((alert) => [alert.name, alert]));
    // Those that were open at the last look are over by now, or dismissed.
    const gone = [...this.#alerts.keys()].filter((name) => !seen.has(name));
    const ended = await Promise.all(gone.map((name) => findAlert(db, name)));
    if (!isFirst) {
      for (const [name, alert] of seen)
        if (!isDeepStrictEqual(this.#alerts.get(name), alert)) this.#tell({ event: 'alert', data: alert });
      for (const row of ended) {
        const alert = row && (await presentAlert(this.#scope, row));
        if (alert !== undefined) this.#tell({ event: 'alert', data: alert });
      }
    }
    this.#alerts = seen;
  }

  async #lookAtJobs(): Promise<void> {
    const { db, clock } = this.#scope.workshop;
    const since = clock
      .now()
      .subtract({ milliseconds: 5 * this.#intervalMs })
      .toString({ fractionalSecondDigits: 3 });
    const page = { limit: maxNewJobs };
    const begun = await Promise.all(
      (await listVaults(db)).map((vault) => listJobs(db, vault.vault_id, { startedFrom: since }, page)),
    );
    const ids = new Set([
      ...(await listOpenJobs(db)).map((job) => job.job_id),
      ...begun.flat().map((job) => job.job_id),
      // Those that were open at the last look and have ended since.
      ...[...this.#jobs.values()].flatMap((job) => (job.properties.endTime === undefined ? [job.name] : [])),
    ]);
    const seen = new Map<string, Job>();
    for (const job of await this.#present(ids)) {
      seen.set(job.name, job);
      if (!isDeepStrictEqual(still(this.#jobs.get(job.name)), still(job)))
        this.#tell({ event: 'job', data: job });
    }
    this.#jobs = seen;
  }

  async #lookAtItems(isFirst: boolean): Promise<void> {
    const { workshop, ids } = this.#scope;
    const vaults = new Map((await listVaults(workshop.db)).map((vault) => [vault.vault_id, vault]));
    const seen = new Map<string, string>();
    for (const item of await listItems(workshop.db)) {
      const vault = vaults.get(item.vault_id);
      if (vault === undefined) continue;
      const mark = [item.state, item.policy_name, item.last_backup_status, item.last_backup_at].join(' ');
      seen.set(item.item_id, mark);
      if (isFirst || this.#items.get(item.item_id) === mark) continue;
      const { state: protectionState, last_backup_status: lastBackupStatus } = item;
      this.#tell({ event: 'item', data: { id: ids.item(vault, item), protectionState, lastBackupStatus } });
    }
    this.#items = seen;
  }

  async #present(jobIds: Iterable<string>): Promise<Job[]> {
    const { db } = this.#scope.workshop;
    const jobs: Job[] = [];
    for (const jobId of jobIds) {
      const found = await findJob(db, jobId);
      if (found === undefined) continue;
      const vault = await getVault(db, found.job.vault_id).catch(() => undefined); // deleted meanwhile
      if (vault !== undefined) jobs.push(presentJob(this.#scope, vault, found.job, found.tasks));
    }
    return jobs;
  }

  #tell(change: Change): void {
    const id = this.#log.add(change);
    for (const listener of this.#listeners) listener(change, id);
  }
}

/** A job without what changes by the mere passing of time. */
function still(job: Job | undefined): unknown {
  if (job === undefined) return undefined;
  const { duration: _passing, extendedInfo, ...properties } = job.properties;
  return {
    ...properties,
    tasks: extendedInfo?.tasksList.map(({ duration: _time, ...task }) => task),
    bag: extendedInfo?.propertyBag,
  };
}
