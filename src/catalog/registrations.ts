import { sql } from 'kysely';
import type { Database } from './catalog.ts';
import { remembered } from './read-memory.ts';
import type { RegistrationRow } from './schema.ts';

/** The vault that a VM is registered with, if somebody has registered it. */
export async function findRegistration(
  db: Database,
  hostName: string,
  vmUuid: string,
): Promise<RegistrationRow | undefined> {
  return db
    .selectFrom('registrations')
    .selectAll()
    .where('host_name', '=', hostName)
    .where('vm_uuid', '=', vmUuid)
    .executeTakeFirst();
}

/** Those of one vault, or all. */
export async function listRegistrations(db: Database, vaultId?: string): Promise<RegistrationRow[]> {
  let query = db.selectFrom('registrations').selectAll().orderBy('vm_name').orderBy('vm_uuid');
  if (vaultId !== undefined) query = query.where('vault_id', '=', vaultId);
  return query.execute();
}

/** Number of VMs that a vault has an item of, in whatever state, or that are registered with it. */
export async function countContainers(db: Database, vaultId: string): Promise<number> {
  return remembered(db, ['items', 'registrations'], `count of containers ${vaultId}`, async () => {
    const row = await db
      .selectNoFrom(({ selectFrom, fn, not, exists }) => [
        selectFrom('items').select(fn.countAll<number>().as('n')).where('vault_id', '=', vaultId).as('items'),
        selectFrom('registrations')
          .select(fn.countAll<number>().as('n'))
          .where('registrations.vault_id', '=', vaultId)
          .where(
            not(
              exists(
                selectFrom('items')
                  .select('item_id')
                  .where('items.vault_id', '=', vaultId)
                  .where(sql<boolean>`lower(items.vm_name) = lower(registrations.vm_name)`)
                  .where(
                    sql<boolean>`lower(items.host_resource_group) = lower(registrations.host_resource_group)`,
                  ),
              ),
            ),
          )
          .as('registered'),
      ])
      .executeTakeFirstOrThrow();
    return Number(row.items) + Number(row.registered);
  });
}

/** @returns false when the VM is registered, with whichever vault */
export async function insertRegistration(db: Database, row: RegistrationRow): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('registrations')
    .values(row)
    .onConflict((conflict) => conflict.columns(['host_name', 'vm_uuid']).doNothing())
    .executeTakeFirstOrThrow();
  return (numInsertedOrUpdatedRows ?? 0n) > 0n;
}

export async function deleteRegistration(
  db: Database,
  { host_name: hostName, vm_uuid: vmUuid, vault_id: vaultId }: RegistrationRow,
): Promise<void> {
  await db
    .deleteFrom('registrations')
    .where('host_name', '=', hostName)
    .where('vm_uuid', '=', vmUuid)
    .where('vault_id', '=', vaultId)
    .execute();
}
