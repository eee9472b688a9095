import type { Database } from './catalog.ts';
import type { LeftLayersRow } from './schema.ts';

/** Notes that layers of a VM are still on a host that did not answer; once is enough. */
export async function noteLeftLayers(db: Database, row: LeftLayersRow): Promise<void> {
  await db
    .insertInto('left_layers')
    .values(row)
    .onConflict((conflict) => conflict.columns(['host_name', 'vm_uuid']).doNothing())
    .execute();
}

/** Oldest first. */
export async function listLeftLayers(db: Database): Promise<LeftLayersRow[]> {
  return db.selectFrom('left_layers').selectAll().orderBy('since').orderBy('vm_uuid').execute();
}

export async function forgetLeftLayers(db: Database, hostName: string, vmUuid: string): Promise<void> {
  await db
    .deleteFrom('left_layers')
    .where('host_name', '=', hostName)
    .where('vm_uuid', '=', vmUuid)
    .execute();
}
