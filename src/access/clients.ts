import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import {
  type ClientRow,
  type Database,
  findClient,
  findClientByName,
  insertClient,
  saveClientSecret,
} from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { assignmentRow, type NewRole } from './assignments.ts';

/** A client and its secret, which nobody can ask for again. */
export interface ClientWithSecret {
  client: ClientRow;
  secret: string;
}

const digest = (secret: string) => createHash('sha256').update(secret).digest();
const newSecret = () => randomBytes(32).toString('base64url');

/** Makes a client with its first role. @throws ResourceAlreadyExists @throws InvalidInput */
export async function createClientPrincipal(
  db: Database,
  { name, role, by, now }: { name: string; role: NewRole; by: string; now: string },
): Promise<ClientWithSecret> {
  if (!/^[\p{L}\p{N}][\p{L}\p{N} ._@-]{0,63}$/u.test(name))
    throw new HoldfastError('InvalidInput', `'${name}' is no name for a client.`, {
      target: name,
      action: 'Use 1 to 64 letters, digits, spaces and . _ @ -, the first a letter or digit.',
    });
  const secret = newSecret();
  const client: ClientRow = {
    client_id: randomUUID(),
    name,
    secret_hash: digest(secret).toString('base64url'),
    created_at: now,
  };
  const principal = { principal_id: client.client_id, principal_type: 'client' as const };
  try {
    await insertClient(db, client, [assignmentRow(principal, role, { by, now })]);
  } catch (error) {
    if ((await findClientByName(db, name)) === undefined) throw error;
    throw new HoldfastError('ResourceAlreadyExists', `There is a client named '${name}' already.`, {
      target: name,
      cause: error,
    });
  }
  return { client, secret };
}

/** Gives a client another secret. The old one, and every token that was got with it, are void at once. */
export async function rotateSecret(db: Database, client: ClientRow): Promise<ClientWithSecret> {
  const secret = newSecret();
  const secret_hash = digest(secret).toString('base64url');
  await saveClientSecret(db, client.client_id, secret_hash);
  return { client: { ...client, secret_hash }, secret };
}

/** The client with this id and secret. Takes the same time whether the id or the secret is wrong. */
export async function checkSecret(
  db: Database,
  clientId: string,
  secret: string,
): Promise<ClientRow | undefined> {
  const client = await findClient(db, clientId.toLowerCase());
  const expected = client === undefined ? Buffer.alloc(32) : Buffer.from(client.secret_hash, 'base64url');
  return timingSafeEqual(digest(secret), expected) ? client : undefined;
}
