import { randomUUID } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import {
  type AlertRow,
  countDamaged,
  type Database,
  getUpkeep,
  type HostRow,
  insertAlert,
  listAlerts,
  listFailedItems,
  listFailedJobs,
  listHosts,
  listVaults,
  resolveAlert,
  updateAlert,
  type VaultRow,
} from '../catalog/index.ts';
import { errorCatalogue } from '../errors/index.ts';
import { catalogTime } from './clock.ts';
import type { JobError } from './engine.ts';
import { defaultVerifyEveryDays } from './verify-due.ts';
import type { Workshop } from './workshop.ts';

/** What somebody should look at, as long as it is so. Of one subject there is one alert at a time. */
export type Concern = Pick<
  AlertRow,
  'subject' | 'kind' | 'severity' | 'vault_id' | 'host_group' | 'target' | 'message' | 'action'
>;

/** Azure's scale. */
const severity = { critical: 0, error: 1, warning: 2 } as const;

/** How long a job that failed is an alert, unless somebody dismisses it: whoever started it knows. */
const failedJobHours = 24;
const mostFailedJobs = 1000;

/** A verification that is so much later than it should be does not happen by itself any more. */
const verificationGraceDays = 7;

/** A store is nearly full with less than this of its file system left. */
const leastFreeShare = 0.05;
const statTimeoutMs = 5_000;

/** Azure gives no alert where the VM is gone, or another backup runs. */
const withoutAlert = new Set(['UserErrorVmNotFoundV2', 'UserErrorBackupOperationInProgress']);

/** One way to find concerns. What it finds is all there is of its kinds; when it fails, nothing is known of them. */
interface Looker {
  kinds: readonly AlertRow['kind'][];
  look(workshop: Workshop): Promise<Concern[]>;
}

const ofVault = (vault: Pick<VaultRow, 'vault_id'>, target: string) => ({
  vault_id: vault.vault_id,
  host_group: null,
  target,
});

const errorOf = (json: string | null): JobError | undefined =>
  json === null ? undefined : (JSON.parse(json) as JobError);

/** What the catalog and the file systems say; cheap enough to look at all the time. */
const lookers: readonly Looker[] = [
  {
    kinds: ['BackupFailed'],
    look: async ({ db }) =>
      (await listFailedItems(db)).flatMap((item): Concern[] => {
        const error = errorOf(item.last_error_json);
        if (error !== undefined && withoutAlert.has(error.code)) return [];
        return [
          {
            subject: `backup of ${item.item_id}`,
            kind: 'BackupFailed',
            severity: severity.error,
            ...ofVault(item, item.vm_name),
            message: `The last backup of '${item.vm_name}' failed: ${error?.message ?? 'no reason is known.'}`,
            action: error?.action ?? 'Look at its jobs.',
          },
        ];
      }),
  },
  {
    kinds: ['JobFailed'],
    async look({ db, clock }) {
      const since = catalogTime(clock.now().subtract({ hours: failedJobHours }));
      return (await listFailedJobs(db, since, mostFailedJobs)).map((job) => {
        const error = errorOf(job.error_json);
        return {
          subject: `job ${job.job_id}`,
          kind: 'JobFailed',
          severity: severity.error,
          ...ofVault(job, job.entity_name),
          message: `The job ${job.operation} of '${job.entity_name}' failed: ${error?.message ?? 'no reason is known.'}`,
          action: error?.action ?? 'Look at the job.',
        };
      });
    },
  },
  {
    kinds: ['RecoveryPointsDamaged'],
    async look({ db }) {
      const damaged = await countDamaged(db);
      return (await listVaults(db)).flatMap((vault): Concern[] => {
        const count = damaged.get(vault.vault_id);
        if (count === undefined) return [];
        return [
          {
            subject: `damage in ${vault.vault_id}`,
            kind: 'RecoveryPointsDamaged',
            severity: severity.critical,
            ...ofVault(vault, vault.name),
            message: `${count} recovery point(s) in vault '${vault.name}' can't be restored in full.`,
            action: `Run "holdfast store repair --vault ${vault.name}"; the next backups store anew what they meet.`,
          },
        ];
      });
    },
  },
  {
    kinds: ['VerificationOverdue'],
    async look({ db, clock }) {
      const now = clock.now();
      const found: Concern[] = [];
      for (const vault of await listVaults(db)) {
        const { verify_every_days: every, verified_at: verified } = await getUpkeep(db, vault.vault_id);
        const days = every ?? defaultVerifyEveryDays;
        const age = now.since(Temporal.Instant.from(verified ?? vault.created_at)).total('hours') / 24;
        if (days === 0 || age < days + verificationGraceDays) continue;
        found.push({
          subject: `verification of ${vault.vault_id}`,
          kind: 'VerificationOverdue',
          severity: severity.warning,
          ...ofVault(vault, vault.name),
          message: `The store of vault '${vault.name}' should be verified every ${days} days, and was ${verified === null ? 'never verified' : `last verified on ${verified.slice(0, 10)}`}.`,
          action: `Look why its VerifyStore jobs do not end, or run "holdfast store verify --vault ${vault.name}".`,
        });
      }
      return found;
    },
  },
  {
    kinds: ['StoreNearlyFull'],
    async look({ db }) {
      const vaults = (await listVaults(db)).filter(({ store_path: path }) => path.startsWith('/'));
      const found = await Promise.all(
        vaults.map(async (vault): Promise<Concern[]> => {
          const free = await freeShareOf(vault.store_path);
          if (free === undefined || free >= leastFreeShare) return [];
          return [
            {
              subject: `room of ${vault.vault_id}`,
              kind: 'StoreNearlyFull',
              severity: severity.error,
              ...ofVault(vault, vault.name),
              message: `The file system of the store of vault '${vault.name}' is nearly full.`,
              action: 'Make room, or shorten the retention of its policies: backups fail when it is full.',
            },
          ];
        }),
      );
      return found.flat();
    },
  },
];

/** Of the file system of a directory, the share that is free; undefined where it can't be told in time. */
async function freeShareOf(path: string): Promise<number | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), statTimeoutMs);
  try {
    const found = await Promise.race([statfs(path).catch(() => undefined), late.promise]);
    return found === undefined || found.blocks === 0 ? undefined : found.bavail / found.blocks;
  } finally {
    clearTimeout(timer);
  }
}

/** Whether hosts answer: asking takes longer. */
const hostLooker: Looker = {
  kinds: ['HostUnreachable'],
  async look({ db, estate }) {
    const found = await Promise.all(
      (await listHosts(db)).map(async (row): Promise<Concern[]> => {
        const status = await estate.hostStatus(row);
        if (status.connected) return [];
        return [
          {
            subject: `host ${row.name}`,
            kind: 'HostUnreachable',
            severity: severity.error,
            vault_id: null,
            host_group: row.resource_group,
            target: row.name,
            message: `Host '${row.name}' does not answer: ${status.message}`,
            action: errorCatalogue.HostUnreachable.action,
          },
        ];
      }),
    );
    return found.flat();
  },
};

/**
 * Compares what is so now with the open alerts: what is new becomes one, what is over ends. Doing it twice changes nothing,
 * and what an earlier run of the service has left open is ended by the first look of the next.
 * @param withHosts whether hosts are asked, too
 */
export async function lookForAlerts(
  workshop: Workshop,
  { withHosts }: { withHosts: boolean },
): Promise<void> {
  for (const { kinds, look } of withHosts ? [...lookers, hostLooker] : lookers) {
    try {
      await settle(workshop, kinds, await look(workshop));
    } catch (error) {
      if (workshop.signal.aborted) return;
      workshop.log.warn({ kinds, err: error }, 'looking for what needs attention failed; it is tried again');
    }
  }
}

/** More of them open at once say nothing that the first did not. */
const mostOpen = 10_000;

async function settle(
  { db, clock }: Pick<Workshop, 'db' | 'clock'>,
  kinds: readonly string[],
  concerns: readonly Concern[],
): Promise<void> {
  const all = await listAlerts(db, { withResolved: false, withDismissed: true, limit: mostOpen });
  const open = all.filter(({ kind }) => kinds.includes(kind));
  const known = new Map(open.map((alert) => [alert.subject, alert]));
  const now = catalogTime(clock.now());
  for (const concern of concerns.slice(0, mostOpen)) {
    const alert = known.get(concern.subject);
    known.delete(concern.subject);
    if (alert === undefined) await fire(db, concern, now);
    else if (alert.message !== concern.message || alert.action !== concern.action)
      await updateAlert(db, alert.alert_id, { message: concern.message, action: concern.action });
  }
  for (const { subject } of known.values()) await resolveAlert(db, subject, now);
}

const fire = (db: Database, concern: Concern, now: string) =>
  insertAlert(db, {
    ...concern,
    alert_id: randomUUID(),
    fired_at: now,
    resolved_at: null,
    dismissed_at: null,
    dismissed_by: null,
  });

const thawSubject = (host: Pick<HostRow, 'name'>, machineUuid: string) => `thaw ${host.name} ${machineUuid}`;

/** A guest that may be left frozen. It ends with {@link endThawAlert}: nobody can look at it without asking the guest. */
export async function fireThawAlert(
  { db, clock }: Pick<Workshop, 'db' | 'clock'>,
  host: HostRow,
  machineUuid: string,
  message: string,
): Promise<void> {
  await fire(
    db,
    {
      subject: thawSubject(host, machineUuid),
      kind: 'GuestNotThawed',
      severity: severity.critical,
      vault_id: null,
      host_group: host.resource_group,
      target: machineUuid,
      message,
      action: errorCatalogue.UserErrorGuestNotThawed.action,
    },
    catalogTime(clock.now()),
  );
}

export async function endThawAlert(
  { db, clock }: Pick<Workshop, 'db' | 'clock'>,
  host: Pick<HostRow, 'name'>,
  machineUuid: string,
): Promise<void> {
  await resolveAlert(db, thawSubject(host, machineUuid), catalogTime(clock.now()));
}

const lookEveryMs = 20_000;
/** Hosts are asked with every so manieth look. */
const looksPerHostLook = 15;

/** Looks for alerts until the signal is aborted. */
export async function watchForAlerts(workshop: Workshop, signal: AbortSignal): Promise<void> {
  for (let look = 0; !signal.aborted; look += 1) {
    await lookForAlerts(workshop, { withHosts: look % looksPerHostLook === 0 });
    await workshop.clock.sleep(lookEveryMs, signal).catch(() => {});
  }
}
