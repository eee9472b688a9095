/** A catalog as a large estate has it after some months: for `bin/bench api`. */
import { sql } from 'kysely';
import { type Database, type ItemRow, insertVault, saveHost, type VaultRow } from '../src/catalog/index.ts';
import type { DiskTransfer, FrozenPoint } from '../src/jobs/index.ts';
import { enhancedPolicy } from '../src/protection/index.ts';

const start = Temporal.Instant.from('2026-01-01T02:00:00Z');
const text = (moment: Temporal.Instant) => moment.toString({ fractionalSecondDigits: 3 });

export const vaultsOfBench = 10;
const hostsOfBench = 10;
const rowsAtOnce = 400;

export const vaultOf = (number: number, storeId: string): VaultRow => ({
  vault_id: `vault-${number}`,
  resource_group: 'default',
  name: `vault-${number}`,
  location: 'local',
  tags_json: '{}',
  settings_json: '{}',
  store_path: '/none',
  store_id: storeId,
  encrypted: 0,
  immutability: 'Disabled',
  soft_delete: 'Enabled',
  soft_delete_days: 14,
  created_at: text(start),
});

export const hostNames = Array.from({ length: hostsOfBench }, (_, i) => `host-${i}`);

const number = (i: number) => String(i).padStart(6, '0');
export const vmName = (i: number) => `vm-${number(i)}`;
export const itemName = (i: number) => `VM;iaasvmcontainerv2;default;${vmName(i)}`;
export const jobId = (run: number, i: number) => `job-${number(run)}-${number(i)}`;
export const pointId = (run: number, i: number) => `${number(run)}${number(i)}`;

/**
 * Items that were each backed up so many times, daily: a job with its two tasks and a recovery point each time. Without
 * the definitions of the VMs, which no list reads.
 */
export async function fillCatalog(
  db: Database,
  storeIds: readonly string[],
  items: readonly string[],
  runs: number,
) {
  for (const [i, storeId] of storeIds.entries()) await insertVault(db, vaultOf(i, storeId), [enhancedPolicy]);
  for (const name of hostNames)
    await saveHost(db, {
      resource_group: 'default',
      name,
      location: 'local',
      zone: null,
      uri: `memory:${name}`,
      overlay_directory: null,
      created_at: text(start),
    });
  await db.transaction().execute(async (tx) => {
    const rows = items.map((uuid, i) => itemOf(uuid, i));
    for (let from = 0; from < rows.length; from += rowsAtOnce)
      await tx
        .insertInto('items')
        .values(rows.slice(from, from + rowsAtOnce))
        .execute();
  });
  for (let run = 0; run < runs; run += 1) await addRun(db, run);
}

function itemOf(uuid: string, i: number): ItemRow {
  return {
    item_id: `item-${number(i)}`,
    vault_id: `vault-${i % vaultsOfBench}`,
    vm_uuid: uuid,
    vm_name: vmName(i),
    host_resource_group: 'default',
    host_name: hostNames[i % hostsOfBench] ?? '',
    policy_name: enhancedPolicy.name,
    policy_json: JSON.stringify(enhancedPolicy),
    duties_since: text(start),
    state: i % 100 === 99 ? 'SoftDeleted' : 'Protected',
    excluded_disks_json: '[]',
    agent_json: null,
    created_at: text(start),
    last_backup_status: i % 20 === 0 ? 'Failed' : 'Completed',
    last_backup_at: text(start),
    last_error_json: null,
    schedule_handled_until: text(start.add({ hours: 4 * (i % 6) })),
    next_due_at: null,
    deleted_at: i % 100 === 99 ? text(start) : null,
    purge_at: i % 100 === 99 ? text(start.add({ hours: 14 * 24 })) : null,
    purging: 0,
    revision: 0,
  };
}

const frozen: Omit<FrozenPoint, 'definition'> = {
  pointId: '000000000000',
  machineUuid: '00000000-0000-4000-8000-000000000000',
  machineName: 'vm',
  takenAt: text(start),
  powerState: 'running',
  consistency: 'application',
  consistencyReason: undefined,
  frozenMs: 113,
  disks: ['vda', 'vdb'].map((target) => ({ target, sizeBytes: 2 ** 36, originalFormat: 'qcow2' })),
  excludedDisks: [],
};

const basis = JSON.stringify({
  takenAt: text(start),
  tags: [{ rule: 'Daily', until: '2027-01-01T02:00:00Z' }],
});

const transfers: DiskTransfer[] = ['vda', 'vdb'].map((target) => ({
  target,
  sizeBytes: 2 ** 36,
  basis: 'delta since 000000000000',
  readBytes: 2 ** 30,
  newBytes: 2 ** 29,
  storedBytes: 2 ** 28,
}));

/** The database multiplies: one job, its tasks and one point for each item. */
async function addRun(db: Database, run: number): Promise<void> {
  const day = text(start.add({ hours: 24 * run })).slice(0, 10);
  // Spread over ten minutes and a thousandth of a second.
  const at = (hour: string) =>
    sql<string>`${`${day}T${hour}:0`} || substr(item_id, 8, 1) || ':00.' || substr(item_id, 9, 3) || 'Z'`;
  const named = (prefix: string) => sql<string>`${prefix} || substr(item_id, 6)`;
  const status = run % 25 === 7 ? 'Failed' : 'Completed';
  await db.transaction().execute(async (tx) => {
    await sql`
      insert into jobs (job_id, vault_id, item_id, operation, status, started_at, ended_at, user_triggered,
        entity_name, payload_json, property_bag_json, error_json, owner)
      select ${named(`job-${number(run)}-`)}, vault_id, item_id, 'Backup', ${status}, ${at('02')}, ${at('03')}, 0,
        vm_name, '{"runAt":"2026-01-01T02:00:00Z","pointId":"000000000000"}',
        '{"VM Name":"vm","Policy Name":"EnhancedPolicy","Recovery point expiry":"2026-02-01T02:00:00Z"}', null, null
      from items`.execute(tx);
    for (const [position, task] of ['Take Snapshot', 'Transfer data to vault'].entries())
      await sql`
        insert into job_tasks (job_id, position, task_id, status, started_at, ended_at, message, progress_json)
        select ${named(`job-${number(run)}-`)}, cast(${position} as integer), ${task}, 'Completed', ${at('02')}, ${at('03')}, null,
          '{"processedBytes":1073741824,"totalBytes":1073741824,"readBytes":1073741824,"newBytes":1,"storedBytes":1}'
        from items`.execute(tx);
    await sql`
      insert into points (point_id, item_id, job_id, taken_at, expires_at, rule_name, basis_json, run_at,
        in_snapshot, in_vault, in_replica, frozen_json, transfer_json)
      select ${named(number(run))}, item_id, ${named(`job-${number(run)}-`)}, ${at('02')},
        '2027-01-01T02:00:00.000Z', 'Daily', ${basis}, '2026-01-01T02:00:00Z',
        0, 1, 0, ${JSON.stringify(frozen)}, ${JSON.stringify(transfers)}
      from items`.execute(tx);
  });
}
