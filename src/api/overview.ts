import {
  type AlertRow,
  countJobsByStatus,
  type ItemRow,
  listAlerts,
  listHosts,
  listItems,
  listVaults,
  type VaultRow,
} from '../catalog/index.ts';
import { messageOf } from '../errors/index.ts';
import type { JobError } from '../jobs/index.ts';
import type { Attention, Overview } from './client/index.ts';
import type { ApiScope } from './scope.ts';
import { figuresOf } from './store-figures.ts';

const windowHours = 24;

/** A scheduled backup that has not begun this long after its time is overdue. */
const overdueHours = 24;

/** More of what needs attention is counted, not listed. */
const maxAttention = 50;

/** How long the overview waits for the figures of one store. */
const patienceMs = 3_000;

/** The whole estate in one answer. @param sees whether the caller may see what an id names */
export async function overviewOf(scope: ApiScope, sees: (id: string) => boolean): Promise<Overview> {
  const { db, clock } = scope.workshop;
  const { ids } = scope;
  const now = clock.now();
  const since = now.subtract({ hours: windowHours }).toString({ fractionalSecondDigits: 3 });
  const vaults = (await listVaults(db)).filter((vault) => sees(ids.vault(vault)));
  const byId = new Map(vaults.map((vault) => [vault.vault_id, vault]));
  const items = (await listItems(db)).filter((item) => byId.has(item.vault_id));
  const [hosts, machines, jobs, alerts, stores] = await Promise.all([
    hostsOf(scope, sees),
    scope.workshop.estate.listMachines(),
    countJobsByStatus(db, since),
    listAlerts(db, { withResolved: false, withDismissed: false, limit: maxAttention }),
    Promise.all(vaults.map((vault) => storeOf(scope, vault))),
  ]);

  const active = new Set(
    items.filter((item) => item.policy_name !== null).map((item) => `${item.host_name} ${item.vm_uuid}`),
  );
  const seen = machines.filter(({ host, machine }) =>
    sees(ids.fleetMachine(host.resource_group, machine.name)),
  );
  const protectedMachines = seen.filter(({ host, machine }) =>
    active.has(`${host.name} ${machine.uuid}`),
  ).length;
  const attention = [
    ...hosts.attention,
    ...stores.flatMap((store) => store.attention),
    ...alerts.flatMap((alert) => attentionOfAlert(scope, alert, byId, sees)),
    ...items.flatMap((item) => attentionOf(scope, byId.get(item.vault_id), item, now)),
  ].sort((a, b) => a.severity.localeCompare(b.severity));

  return {
    time: now.toString(),
    hosts: { total: hosts.total, unreachable: hosts.attention.length },
    virtualMachines: {
      total: seen.length,
      protected: protectedMachines,
      unprotected: seen.length - protectedMachines,
    },
    protectedItems: {
      total: items.length,
      byState: countBy(items, (item) => item.state),
      failing: items.filter((item) => item.policy_name !== null && item.last_error_json !== null).length,
    },
    jobs: {
      since,
      byStatus: sumBy(
        jobs.filter((row) => byId.has(row.vault_id)),
        (row) => row.status,
        (row) => row.count,
      ),
    },
    storage: {
      vaults: vaults.length,
      silent: stores.filter((store) => store.attention.length > 0).length,
      storedBytes: sum(stores.map((store) => store.storedBytes)),
      uniqueBytes: sum(stores.map((store) => store.uniqueBytes)),
      recoveryPoints: sum(stores.map((store) => store.recoveryPoints)),
    },
    attention: attention.slice(0, maxAttention),
    moreAttention: Math.max(0, attention.length - maxAttention),
  };
}

async function hostsOf({ workshop, ids }: ApiScope, sees: (id: string) => boolean) {
  const rows = (await listHosts(workshop.db)).filter((row) => sees(ids.host(row)));
  const found = await Promise.all(
    rows.map(async (row): Promise<Attention[]> => {
      const status = await workshop.estate.hostStatus(row);
      if (status.connected) return [];
      const { message } = status;
      return [
        { severity: 'error', kind: 'HostUnreachable', name: row.name, resourceId: ids.host(row), message },
      ];
    }),
  );
  return { total: rows.length, attention: found.flat() };
}

interface StoreFigures {
  storedBytes: number;
  uniqueBytes: number;
  recoveryPoints: number;
  attention: Attention[];
}

async function storeOf({ workshop, ids }: ApiScope, vault: VaultRow): Promise<StoreFigures> {
  try {
    const figures = await figuresOf(() => workshop.estate.store(vault), vault.store_path, patienceMs);
    return { ...figures, attention: [] };
  } catch (error) {
    const resourceId = ids.vault(vault);
    const message = messageOf(error);
    return {
      storedBytes: 0,
      uniqueBytes: 0,
      recoveryPoints: 0,
      attention: [{ severity: 'error', kind: 'VaultNotReady', name: vault.name, resourceId, message }],
    };
  }
}

/** Nothing of those kinds that the overview finds by itself. */
function attentionOfAlert(
  { ids }: ApiScope,
  alert: AlertRow,
  vaults: ReadonlyMap<string, VaultRow>,
  sees: (id: string) => boolean,
): Attention[] {
  const { kind, message, target } = alert;
  if (kind === 'HostUnreachable' || kind === 'BackupFailed') return [];
  const vault = alert.vault_id === null ? undefined : vaults.get(alert.vault_id);
  const resourceId = vault === undefined ? ids.group(alert.host_group ?? '') : ids.vault(vault);
  if (alert.vault_id === null ? !sees(resourceId) : vault === undefined) return [];
  const severity = alert.severity === 2 ? 'warning' : 'error';
  return [{ severity, kind, name: target, resourceId, message }];
}

/** At most one thing of an item: the gravest. */
function attentionOf(
  { ids }: ApiScope,
  vault: VaultRow | undefined,
  item: ItemRow,
  now: Temporal.Instant,
): Attention[] {
  if (vault === undefined) return [];
  const about = { name: item.vm_name, resourceId: ids.item(vault, item), vaultId: ids.vault(vault) };
  if (item.policy_name !== null && item.last_error_json !== null) {
    const { message } = JSON.parse(item.last_error_json) as JobError;
    return [{ severity: 'error', kind: 'BackupFailed', ...about, message }];
  }
  if (item.next_due_at !== null && isOverdue(item.next_due_at, now)) {
    const message = `The backup that was due at ${item.next_due_at} has not begun.`;
    return [{ severity: 'error', kind: 'BackupOverdue', ...about, message }];
  }
  if (item.state === 'SoftDeleted' && item.purge_at !== null) {
    const message = `Its backup data is removed for good after ${item.purge_at}.`;
    return [{ severity: 'warning', kind: 'SoftDeleted', ...about, message }];
  }
  return [];
}

const isOverdue = (dueAt: string, now: Temporal.Instant) =>
  Temporal.Instant.compare(Temporal.Instant.from(dueAt).add({ hours: overdueHours }), now) < 0;

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

const countBy = <Row>(rows: readonly Row[], key: (row: Row) => string) => sumBy(rows, key, () => 1);

function sumBy<Row>(rows: readonly Row[], key: (row: Row) => string, value: (row: Row) => number) {
  const sums: Record<string, number> = {};
  for (const row of rows) sums[key(row)] = (sums[key(row)] ?? 0) + value(row);
  return sums;
}
