import { sql } from 'kysely';
import type { Database } from './catalog.ts';
import type { HostRow } from './schema.ts';

export async function listHosts(db: Database): Promise<HostRow[]> {
  return db.selectFrom('hosts').selectAll().orderBy('name').execute();
}

/** Names are compared without case. */
export async function findHost(db: Database, name: string): Promise<HostRow | undefined> {
  return db
    .selectFrom('hosts')
    .selectAll()
    .where(sql`lower(name)`, '=', name.toLowerCase())
    .executeTakeFirst();
}

export async function saveHost(db: Database, host: HostRow): Promise<void> {
  await db
    .insertInto('hosts')
    .values(host)
    .onConflict((conflict) =>
      conflict.column('name').doUpdateSet({
        location: host.location,
        zone: host.zone,
        uri: host.uri,
        overlay_directory: host.overlay_directory,
      }),
    )
    .execute();
}

/** Forgets a host, and with it the layers that were to be removed there when it would answer. */
export async function deleteHost(db: Database, name: string): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx.deleteFrom('left_layers').where('host_name', '=', name).execute();
    await tx.deleteFrom('hosts').where('name', '=', name).execute();
  });
}
