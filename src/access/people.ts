import { createHash, randomBytes, randomUUID } from 'node:crypto';
import {
  type Database,
  findPersonByName,
  findPersonByOutsideId,
  findSetting,
  insertFirstPerson,
  insertPerson,
  listPeople,
  type PersonRow,
  savePassword,
  saveSetting,
} from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { assignmentRow, type NewRole } from './assignments.ts';
import type { OutsidePerson } from './outside-provider.ts';
import { hashPassword, isPassword, passwordProblem } from './passwords.ts';

export interface NewPerson {
  userName: string;
  password: string;
  role: NewRole;
}

/** @throws InvalidInput for a name or password that will not do */
async function rowsOf({ userName, password, role }: NewPerson, by: string, now: string) {
  if (!/^[\p{L}\p{N}][\p{L}\p{N}._@-]{0,63}$/u.test(userName))
    throw new HoldfastError('InvalidInput', `'${userName}' is no user name.`, {
      target: userName,
      action: 'Use 1 to 64 letters, digits and . _ @ -, the first a letter or digit.',
    });
  const person: PersonRow = {
    person_id: randomUUID(),
    user_name: userName,
    password_hash: await newHash(password, userName),
    outside_id: null,
    created_at: now,
  };
  const principal = { principal_id: person.person_id, principal_type: 'person' as const };
  return { person, role: assignmentRow(principal, role, { by, now }) };
}

/** @throws InvalidInput */
async function newHash(password: string, userName: string): Promise<string> {
  const problem = passwordProblem(password, userName);
  if (problem === undefined) return hashPassword(password);
  throw new HoldfastError('InvalidInput', problem, {
    target: 'password',
    action: 'Use a longer one, for example four random words.',
  });
}

/** Adds a person with a password and a role. @throws InvalidInput @throws ResourceAlreadyExists */
export async function createPerson(
  db: Database,
  wanted: NewPerson,
  { by, now }: { by: string; now: string },
): Promise<PersonRow> {
  const { person, role } = await rowsOf(wanted, by, now);
  try {
    await insertPerson(db, person, [role]);
  } catch (error) {
    if ((await findPersonByName(db, wanted.userName)) === undefined) throw error;
    throw new HoldfastError('ResourceAlreadyExists', `There is a user '${wanted.userName}' already.`, {
      target: wanted.userName,
      cause: error,
    });
  }
  return person;
}

/**
 * Gives a person another password; its sessions end, but for the one that may be kept.
 * @throws InvalidInput, also for a person whom an outside provider signs in
 */
export async function changePassword(
  db: Database,
  person: PersonRow,
  password: string,
  keptSession?: string,
): Promise<void> {
  if (person.outside_id !== null)
    throw new HoldfastError('InvalidInput', `'${person.user_name}' has no password here.`, {
      target: person.user_name,
      action: 'Change it at the provider that signs this user in.',
    });
  await savePassword(db, person.person_id, await newHash(password, person.user_name), keptSession);
}

/** The person whom a name and password prove. Takes as long for a name that is not there. */
export async function personOf(
  db: Database,
  userName: string,
  password: string,
): Promise<PersonRow | undefined> {
  const person = await findPersonByName(db, userName);
  return (await isPassword(password, person?.password_hash)) ? person : undefined;
}

/**
 * The person whom an outside provider vouches for, noted when it comes for the first time. A name that is taken gets an
 * ending: nobody becomes somebody else by choosing a name elsewhere.
 */
export async function personFromOutside(
  db: Database,
  { outsideId, userName }: OutsidePerson,
  now: string,
): Promise<PersonRow> {
  const known = await findPersonByOutsideId(db, outsideId);
  if (known !== undefined) return known;
  const isTaken = (await findPersonByName(db, userName)) !== undefined;
  const person: PersonRow = {
    person_id: randomUUID(),
    user_name: isTaken ? `${userName}~${digest(outsideId).slice(0, 8)}` : userName,
    password_hash: null,
    outside_id: outsideId,
    created_at: now,
  };
  await insertPerson(db, person, []);
  return person;
}

const firstRunKey = 'firstRun';
const firstRunMs = 60 * 60_000;

const digest = (code: string) => createHash('sha256').update(code).digest('base64url');

/**
 * A code with which the first person makes itself the owner, once and within an hour; each one voids the one before.
 * Undefined where there are people already. @param now milliseconds since 1970
 */
export async function newFirstRunCode(db: Database, now: number): Promise<string | undefined> {
  if ((await listPeople(db)).length > 0) return undefined;
  const code = randomBytes(32).toString('base64url');
  await saveSetting(db, firstRunKey, `${digest(code)} ${new Date(now + firstRunMs).toISOString()}`);
  return code;
}

/** Makes the first person, an Owner. @throws SignInFailed for a code that is not, or no longer, good @throws InvalidInput */
export async function redeemFirstRunCode(
  db: Database,
  code: string,
  wanted: Omit<NewPerson, 'role'> & { scope: string },
  now: number,
): Promise<PersonRow> {
  const value = (await findSetting(db, firstRunKey)) ?? '';
  const [hash, until = ''] = value.split(' ');
  const refuse = () =>
    new HoldfastError('SignInFailed', 'This link is used up, or too old.', {
      action:
        'Start the service again: while there are no users it prints another. Or use "holdfast user create".',
    });
  if (hash !== digest(code) || Date.parse(until) <= now) throw refuse();
  const at = new Date(now).toISOString();
  const { scope, ...person } = wanted;
  const rows = await rowsOf({ ...person, role: { role: 'Owner', scope } }, 'first-run', at);
  if (await insertFirstPerson(db, { key: firstRunKey, value }, rows.person, rows.role)) return rows.person;
  throw refuse();
}
