import { sql } from 'kysely';
import type { PersonRow, RoleAssignmentRow, SessionRow } from './access-schema.ts';
import type { Database } from './catalog.ts';

export async function listPeople(db: Database): Promise<PersonRow[]> {
  return db.selectFrom('people').selectAll().orderBy('user_name').execute();
}

/** Names are compared without case. */
export async function findPersonByName(db: Database, userName: string): Promise<PersonRow | undefined> {
  return db
    .selectFrom('people')
    .selectAll()
    .where(sql`lower(user_name)`, '=', userName.toLowerCase())
    .executeTakeFirst();
}

export async function findPersonByOutsideId(db: Database, outsideId: string): Promise<PersonRow | undefined> {
  return db.selectFrom('people').selectAll().where('outside_id', '=', outsideId).executeTakeFirst();
}

/** Adds a person with the roles it starts with, all or nothing. */
export async function insertPerson(
  db: Database,
  person: PersonRow,
  roles: readonly RoleAssignmentRow[],
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx.insertInto('people').values(person).execute();
    for (const role of roles) await tx.insertInto('role_assignments').values(role).execute();
  });
}

/**
 * Adds the first person; false where the setting that allows it is not (or no longer) as given, of which nothing is left
 * either way: of two who use one link, one wins.
 */
export async function insertFirstPerson(
  db: Database,
  setting: { key: string; value: string },
  person: PersonRow,
  role: RoleAssignmentRow,
): Promise<boolean> {
  return db.transaction().execute(async (tx) => {
    const { numDeletedRows } = await tx
      .deleteFrom('settings')
      .where('key', '=', setting.key)
      .where('value', '=', setting.value)
      .executeTakeFirst();
    if (numDeletedRows === 0n) return false;
    await tx.insertInto('people').values(person).execute();
    await tx.insertInto('role_assignments').values(role).execute();
    return true;
  });
}

/** Gives a person another password and ends its sessions but one. */
export async function savePassword(
  db: Database,
  personId: string,
  passwordHash: string,
  keptSession?: string,
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx
      .updateTable('people')
      .set({ password_hash: passwordHash })
      .where('person_id', '=', personId)
      .execute();
    await tx
      .deleteFrom('sessions')
      .where('person_id', '=', personId)
      .where('session_hash', '!=', keptSession ?? '')
      .execute();
  });
}

/** Removes a person with its roles and sessions. */
export async function deletePerson(db: Database, personId: string): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx.deleteFrom('role_assignments').where('principal_id', '=', personId).execute();
    await tx.deleteFrom('sessions').where('person_id', '=', personId).execute();
    await tx.deleteFrom('people').where('person_id', '=', personId).execute();
  });
}

/** Adds a session, and forgets those that are over. */
export async function insertSession(db: Database, session: SessionRow): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx.deleteFrom('sessions').where('expires_at', '<=', session.created_at).execute();
    await tx.insertInto('sessions').values(session).execute();
  });
}

/** A session with the name of its person. */
export async function findSession(
  db: Database,
  sessionHash: string,
): Promise<(SessionRow & { user_name: string }) | undefined> {
  return db
    .selectFrom('sessions')
    .innerJoin('people', 'people.person_id', 'sessions.person_id')
    .selectAll('sessions')
    .select('people.user_name')
    .where('session_hash', '=', sessionHash)
    .executeTakeFirst();
}

export async function noteSessionUsed(db: Database, sessionHash: string, at: string): Promise<void> {
  await db
    .updateTable('sessions')
    .set({ last_used_at: at })
    .where('session_hash', '=', sessionHash)
    .execute();
}

export async function deleteSession(db: Database, sessionHash: string): Promise<void> {
  await db.deleteFrom('sessions').where('session_hash', '=', sessionHash).execute();
}
