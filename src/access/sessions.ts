import { createHash, randomBytes } from 'node:crypto';
import {
  type Database,
  deleteSession,
  findSession,
  insertSession,
  listRolesOf,
  noteSessionUsed,
  type PersonRow,
  remembered,
} from '../catalog/index.ts';
import { grantsOfRows, type NewRole } from './assignments.ts';
import { Grants } from './grants.ts';
import type { Caller } from './principal.ts';

/** A session ends after a working day, or when it was not used for two hours. */
const longestMs = 12 * 60 * 60_000;
const idleMs = 2 * 60 * 60_000;

/** That a session was used is noted no more often: it would be a write for every read. */
const noteEveryMs = 5 * 60_000;

/** Tells the secret of a session from a signed token. */
export const sessionPrefix = 'hfs_';

const hashOf = (secret: string) => createHash('sha256').update(secret).digest('base64url');

/** What a page of ours must send along with every write of a session that is in a cookie. */
export const csrfTokenOf = (secret: string) =>
  createHash('sha256').update(`csrf ${secret}`).digest('base64url');

export interface NewSession {
  /** Kept nowhere but at the client. */
  secret: string;
  csrfToken: string;
  expiresAt: string;
}

/**
 * Begins a session. @param grants roles for this session alone, beside those that the person has
 * @param now milliseconds since 1970
 */
export async function beginSession(
  db: Database,
  person: PersonRow,
  now: number,
  grants: readonly NewRole[] = [],
): Promise<NewSession> {
  const secret = sessionPrefix + randomBytes(32).toString('base64url');
  const at = new Date(now).toISOString();
  const expiresAt = new Date(now + longestMs).toISOString();
  await insertSession(db, {
    session_hash: hashOf(secret),
    person_id: person.person_id,
    grants_json: JSON.stringify(grants),
    created_at: at,
    last_used_at: at,
    expires_at: expiresAt,
  });
  return { secret, csrfToken: csrfTokenOf(secret), expiresAt };
}

/** Whoever has the secret of a session; undefined where it is over. */
export async function callerOfSession(
  db: Database,
  secret: string,
  now: number,
): Promise<Caller | undefined> {
  const hash = hashOf(secret);
  const session = await remembered(db, ['sessions', 'people'], `session ${hash}`, () =>
    findSession(db, hash),
  );
  if (session === undefined) return undefined;
  const idle = now - Date.parse(session.last_used_at);
  if (Date.parse(session.expires_at) <= now || idle > idleMs) {
    await deleteSession(db, session.session_hash);
    return undefined;
  }
  if (idle > noteEveryMs) await noteSessionUsed(db, session.session_hash, new Date(now).toISOString());
  const { person_id: personId } = session;
  const assigned = await remembered(db, ['role_assignments'], `roles of ${personId}`, () =>
    listRolesOf(db, personId),
  );
  const own = JSON.parse(session.grants_json) as NewRole[];
  return {
    principal: { kind: 'person', id: session.person_id, name: session.user_name },
    grants: new Grants(grantsOfRows([...assigned, ...own])),
    session: { hash: session.session_hash, expiresAt: session.expires_at },
  };
}
