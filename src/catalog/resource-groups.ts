import { sql } from 'kysely';
import type { Database } from './catalog.ts';
import type { ResourceGroupRow } from './schema.ts';

/**
 * Every resource group: those that somebody has made, and those that hosts and vaults are in without anybody having
 * made them, in the region of the first of them. By name.
 */
export async function listResourceGroups(db: Database): Promise<ResourceGroupRow[]> {
  const made = await db.selectFrom('resource_groups').selectAll().execute();
  const groups = new Map(made.map((row) => [row.name.toLowerCase(), row]));
  for (const table of ['hosts', 'vaults'] as const) {
    const used = await db.selectFrom(table).select(['resource_group', 'location']).distinct().execute();
    for (const { resource_group: name, location } of used) {
      if (!groups.has(name.toLowerCase()))
        groups.set(name.toLowerCase(), { name, location, tags_json: '{}' });
    }
  }
  return [...groups.values()].sort((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1));
}

/** Names are compared without case. */
export async function findResourceGroup(db: Database, name: string): Promise<ResourceGroupRow | undefined> {
  return (await listResourceGroups(db)).find((row) => row.name.toLowerCase() === name.toLowerCase());
}

/** Makes a group, or changes the tags of one. */
export async function saveResourceGroup(db: Database, row: ResourceGroupRow): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await deleteResourceGroup(tx, row.name);
    await tx.insertInto('resource_groups').values(row).execute();
  });
}

export async function deleteResourceGroup(db: Database, name: string): Promise<void> {
  await db.deleteFrom('resource_groups').where(sql`lower(name)`, '=', name.toLowerCase()).execute();
}
