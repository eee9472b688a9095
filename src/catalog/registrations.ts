import type { Database } from './catalog.ts';
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
