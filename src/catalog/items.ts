import { sql, type Updateable } from 'kysely';
import type { Database } from './catalog.ts';
import { remembered } from './read-memory.ts';
import { type ItemRow, inVault } from './schema.ts';

export async function listItems(db: Database, vaultId?: string): Promise<ItemRow[]> {
  let query = db.selectFrom('items').selectAll().orderBy('vm_name').orderBy('item_id');
  if (vaultId !== undefined) query = query.where('vault_id', '=', vaultId);
  return query.execute();
}

/** Which items of a vault; all that is given must hold. */
export interface ItemFilter {
  /** Exactly so. */
  policyName?: string;
  /** Compared without case. */
  vmName?: string;
}

/** Where a list of items goes on: after this one. */
export type ItemCursor = readonly [vmName: string, itemId: string];

/** Items of a vault by the names of their VMs, without case. Costs what it returns. */
export async function listItemsOfVault(
  db: Database,
  vaultId: string,
  filter: ItemFilter,
  page: { limit: number; after?: ItemCursor | undefined },
): Promise<ItemRow[]> {
  const name = sql<string>`lower(vm_name)`;
  let query = db.selectFrom('items').selectAll().where('vault_id', '=', vaultId);
  if (filter.policyName !== undefined) query = query.where('policy_name', '=', filter.policyName);
  if (filter.vmName !== undefined) query = query.where(name, '=', sql<string>`lower(${filter.vmName})`);
  if (page.after !== undefined)
    query = query.where(
      sql<boolean>`(lower(vm_name), item_id) > (lower(${page.after[0]}), ${page.after[1]})`,
    );
  return query.orderBy(name).orderBy('item_id').limit(page.limit).execute();
}

/** The items of all vaults that VMs of this name have, compared without case. */
export async function listItemsOfName(
  db: Database,
  resourceGroup: string,
  vmName: string,
): Promise<ItemRow[]> {
  return db
    .selectFrom('items')
    .selectAll()
    .where(sql`lower(vm_name)`, '=', sql`lower(${vmName})`)
    .where(sql`lower(host_resource_group)`, '=', sql`lower(${resourceGroup})`)
    .orderBy('created_at')
    .orderBy('item_id')
    .execute();
}

/** The items that any of some VMs have. */
export async function listItemsOfVms(
  db: Database,
  vms: readonly Pick<ItemRow, 'host_name' | 'vm_uuid'>[],
): Promise<ItemRow[]> {
  if (vms.length === 0) return [];
  const wanted = new Set(vms.map((vm) => `${vm.host_name} ${vm.vm_uuid}`));
  const rows = await db
    .selectFrom('items')
    .selectAll()
    .where('host_name', 'in', [...new Set(vms.map((vm) => vm.host_name))])
    .where(
      'vm_uuid',
      'in',
      vms.map((vm) => vm.vm_uuid),
    )
    .orderBy('created_at')
    .orderBy('item_id')
    .execute();
  return rows.filter((row) => wanted.has(`${row.host_name} ${row.vm_uuid}`));
}

export async function getItem(db: Database, itemId: string): Promise<ItemRow> {
  return db.selectFrom('items').selectAll().where('item_id', '=', itemId).executeTakeFirstOrThrow();
}

/** Undefined once its data is purged. */
export async function findItem(db: Database, itemId: string): Promise<ItemRow | undefined> {
  return db.selectFrom('items').selectAll().where('item_id', '=', itemId).executeTakeFirst();
}

/** The items that a VM has, in all vaults; at most one of them is backed up. */
export async function listItemsOfVm(db: Database, hostName: string, vmUuid: string): Promise<ItemRow[]> {
  return db
    .selectFrom('items')
    .selectAll()
    .where('host_name', '=', hostName)
    .where('vm_uuid', '=', vmUuid)
    .orderBy('created_at')
    .orderBy('item_id')
    .execute();
}

/** Items of VMs with this UUID, whichever host they were found on. */
export async function listItemsOfUuid(db: Database, vmUuid: string): Promise<ItemRow[]> {
  return db.selectFrom('items').selectAll().where('vm_uuid', '=', vmUuid).orderBy('item_id').execute();
}

/** The item of a vault that a VM of this name has, compared without case as the table's index does. */
export async function findItemOfName(
  db: Database,
  vaultId: string,
  resourceGroup: string,
  vmName: string,
): Promise<ItemRow | undefined> {
  return db
    .selectFrom('items')
    .selectAll()
    .where('vault_id', '=', vaultId)
    .where(sql`lower(host_resource_group)`, '=', sql`lower(${resourceGroup})`)
    .where(sql`lower(vm_name)`, '=', sql`lower(${vmName})`)
    .executeTakeFirst();
}

/**
 * Makes an item that of another VM. What the vault has of the VM before stays; its snapshots are no tier of those
 * points any more, because they belong to disks that the item no longer is about.
 */
export async function bindItem(
  db: Database,
  itemId: string,
  vm: Pick<ItemRow, 'vm_uuid' | 'host_name' | 'host_resource_group'>,
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx.updateTable('items').set(vm).where('item_id', '=', itemId).execute();
    await tx
      .updateTable('points')
      .set({ in_snapshot: 0 })
      .where('item_id', '=', itemId)
      .where('in_vault', '!=', inVault.no)
      .execute();
  });
}

/** Adds an item for which nothing is scheduled yet: `planNextBackup` of the jobs says when it is due. */
export async function insertItem(db: Database, item: Omit<ItemRow, 'next_due_at'>): Promise<void> {
  await db
    .insertInto('items')
    .values({ ...item, next_due_at: null })
    .execute();
}

export async function updateItem(db: Database, itemId: string, change: Updateable<ItemRow>): Promise<void> {
  await db.updateTable('items').set(change).where('item_id', '=', itemId).execute();
}

/**
 * Changes the state, the policy or the exclusions of an item, provided nobody else has since it was read.
 * @returns false when somebody has; then nothing is changed
 */
export async function changeItem(
  db: Database,
  { item_id: itemId, revision }: Pick<ItemRow, 'item_id' | 'revision'>,
  change: Updateable<ItemRow>,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('items')
    .set({ ...change, revision: revision + 1 })
    .where('item_id', '=', itemId)
    .where('revision', '=', revision)
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n;
}

/** Soft-deleted items whose time is over. */
export async function listItemsToPurge(db: Database, now: string): Promise<ItemRow[]> {
  return db
    .selectFrom('items')
    .selectAll()
    .where('state', '=', 'SoftDeleted')
    .where('purge_at', '<=', now)
    .orderBy('purge_at')
    .orderBy('item_id')
    .execute();
}

/** Forgets an item that has no points left. @returns false when it has some; then it stays */
export async function deleteEmptyItem(db: Database, itemId: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('items')
    .where('item_id', '=', itemId)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('points').select('point_id').where('item_id', '=', itemId))),
    )
    .executeTakeFirstOrThrow();
  return numDeletedRows > 0n;
}

/** The first point of the item is in the vault. Changes nothing when protection was stopped meanwhile. */
export async function markProtected(db: Database, itemId: string): Promise<void> {
  await db
    .updateTable('items')
    .set({ state: 'Protected' })
    .where('item_id', '=', itemId)
    .where('state', '=', 'IRPending')
    .execute();
}

/** How many items of a vault there are, of one policy, state and outcome of the last backup. */
export type ItemCount = Pick<ItemRow, 'vault_id' | 'policy_name' | 'state' | 'last_backup_status'> & {
  count: number;
};

/** Numbers of items, of one vault or all; what there are none of is absent. Read from an index, and remembered. */
export async function countItems(db: Database, vaultId?: string): Promise<readonly ItemCount[]> {
  return remembered(db, ['items'], `count of items ${vaultId ?? ''}`, async () => {
    let query = db
      .selectFrom('items')
      .select(({ fn }) => [
        'vault_id',
        'policy_name',
        'state',
        'last_backup_status',
        fn.countAll<number>().as('count'),
      ])
      .groupBy(['vault_id', 'policy_name', 'state', 'last_backup_status']);
    if (vaultId !== undefined) query = query.where('vault_id', '=', vaultId);
    return (await query.execute()).map((row) => ({ ...row, count: Number(row.count) }));
  });
}
