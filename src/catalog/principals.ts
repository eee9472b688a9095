import { sql } from 'kysely';
import type { ClientRow, RoleAssignmentRow } from './access-schema.ts';
import type { Database } from './catalog.ts';

export async function listClients(db: Database): Promise<ClientRow[]> {
  return db.selectFrom('clients').selectAll().orderBy('name').execute();
}

export async function findClient(db: Database, clientId: string): Promise<ClientRow | undefined> {
  return db.selectFrom('clients').selectAll().where('client_id', '=', clientId).executeTakeFirst();
}

/** A client and its roles, in one statement: it is asked for with every request. */
export async function findClientWithRoles(
  db: Database,
  clientId: string,
): Promise<{ client: ClientRow; roles: Pick<RoleAssignmentRow, 'role' | 'scope'>[] } | undefined> {
  const rows = await db
    .selectFrom('clients')
    .leftJoin('role_assignments', 'role_assignments.principal_id', 'clients.client_id')
    .selectAll('clients')
    .select(['role_assignments.role', 'role_assignments.scope'])
    .where('client_id', '=', clientId)
    .execute();
  const [client] = rows;
  if (client === undefined) return undefined;
  return {
    client,
    roles: rows.flatMap(({ role, scope }) => (role === null || scope === null ? [] : [{ role, scope }])),
  };
}

/** Names are compared without case. */
export async function findClientByName(db: Database, name: string): Promise<ClientRow | undefined> {
  return db
    .selectFrom('clients')
    .selectAll()
    .where(sql`lower(name)`, '=', name.toLowerCase())
    .executeTakeFirst();
}

export async function saveClientSecret(db: Database, clientId: string, secretHash: string): Promise<void> {
  await db
    .updateTable('clients')
    .set({ secret_hash: secretHash })
    .where('client_id', '=', clientId)
    .execute();
}

/** Adds a client with the roles it starts with, all or nothing. */
export async function insertClient(
  db: Database,
  client: ClientRow,
  roles: readonly RoleAssignmentRow[],
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx.insertInto('clients').values(client).execute();
    for (const role of roles) await tx.insertInto('role_assignments').values(role).execute();
  });
}

/** Removes a client and all its roles. */
export async function deleteClient(db: Database, clientId: string): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx.deleteFrom('role_assignments').where('principal_id', '=', clientId).execute();
    await tx.deleteFrom('clients').where('client_id', '=', clientId).execute();
  });
}

export async function listRoleAssignments(db: Database): Promise<RoleAssignmentRow[]> {
  return db.selectFrom('role_assignments').selectAll().orderBy('created_at').execute();
}

export async function listRolesOf(db: Database, principalId: string): Promise<RoleAssignmentRow[]> {
  return db
    .selectFrom('role_assignments')
    .selectAll()
    .where('principal_id', '=', principalId)
    .orderBy('created_at')
    .execute();
}

export async function findRoleAssignment(
  db: Database,
  assignmentId: string,
): Promise<RoleAssignmentRow | undefined> {
  return db
    .selectFrom('role_assignments')
    .selectAll()
    .where('assignment_id', '=', assignmentId)
    .executeTakeFirst();
}

/** Adds a role; false where the principal has it at that scope already, or the id is taken. */
export async function insertRoleAssignment(db: Database, row: RoleAssignmentRow): Promise<boolean> {
  const added = await db
    .insertInto('role_assignments')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return (added.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

export async function deleteRoleAssignment(db: Database, assignmentId: string): Promise<void> {
  await db.deleteFrom('role_assignments').where('assignment_id', '=', assignmentId).execute();
}

/** Removes every role that was given at a scope, as goes with the resource that it names. */
export async function deleteRolesAt(db: Database, scope: string): Promise<void> {
  await db.deleteFrom('role_assignments').where(sql`lower(scope)`, '=', scope.toLowerCase()).execute();
}

/** The client or person with an id, as roles name it. */
export async function findPrincipal(
  db: Database,
  principalId: string,
): Promise<Pick<RoleAssignmentRow, 'principal_id' | 'principal_type'> | undefined> {
  if ((await findClient(db, principalId)) !== undefined)
    return { principal_id: principalId, principal_type: 'client' };
  const person = await db
    .selectFrom('people')
    .select('person_id')
    .where('person_id', '=', principalId)
    .executeTakeFirst();
  return person && { principal_id: principalId, principal_type: 'person' };
}
