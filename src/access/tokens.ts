import { createHash, randomUUID } from 'node:crypto';
import { decodeProtectedHeader, errors, jwtVerify, SignJWT } from 'jose';
import type { ClientRow } from '../catalog/index.ts';
import type { SigningKeys } from './signing-keys.ts';

/** Who our tokens are for. Azure's clients ask for a token for Azure's management API and look no further. */
export const audience = 'https://management.azure.com';

/** Azure's tokens live for an hour to a few; a client asks for the next by itself. */
export const tokenLifetimeSeconds = 3600;

const clockToleranceSeconds = 30;

/** Marks a token with the secret it was got with: a new secret makes the tokens of the old one void. */
export const markOf = ({ secret_hash }: ClientRow) =>
  createHash('sha256').update(`token ${secret_hash}`).digest('base64url').slice(0, 22);

/** Signs a token for a client, as `issuer` (`https://HOST:PORT/{tenant}/v2.0`, the address it was asked at). */
export async function issueToken(
  keys: SigningKeys,
  { client, tenantId, issuer, nowMs }: { client: ClientRow; tenantId: string; issuer: string; nowMs: number },
): Promise<string> {
  const { kid, privateKey } = await keys.current();
  const now = Math.floor(nowMs / 1000);
  return new SignJWT({
    tid: tenantId,
    appid: client.client_id,
    oid: client.client_id,
    idtyp: 'app',
    ver: '1.0',
    sec: markOf(client),
  })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject(client.client_id)
    .setIssuedAt(now)
    .setNotBefore(now)
    .setExpirationTime(now + tokenLifetimeSeconds)
    .setJti(randomUUID())
    .sign(privateKey);
}

/** What a token says that was found to be ours. */
export interface ReadToken {
  clientId: string;
  /** {@link markOf} the client when it got the token. */
  mark: string;
  expiresAtMs: number;
}

/** Tokens remembered at once; an hour of a few hundred clients. */
const mostRemembered = 1000;

/**
 * Remembers, by their hashes, the tokens that were found good: checking a signature costs more than most requests do.
 * Nothing but the time can make such a token bad again, and that is looked at; whether its client is still there, and
 * what it may do, is not remembered.
 */
export class TokenMemory {
  readonly #tokens = new Map<string, ReadToken>();

  /** What `read` finds, or found when it was asked for this token before. */
  async get(
    token: string,
    nowMs: number,
    read: () => Promise<ReadToken | undefined>,
  ): Promise<ReadToken | undefined> {
    const key = createHash('sha256').update(token).digest('base64url');
    const known = this.#tokens.get(key);
    if (known !== undefined && nowMs < known.expiresAtMs) return known;
    this.#tokens.delete(key);
    const found = await read();
    if (found !== undefined) this.#tokens.set(key, found);
    if (this.#tokens.size > mostRemembered) {
      const [oldest] = this.#tokens.keys();
      if (oldest !== undefined) this.#tokens.delete(oldest);
    }
    return found;
  }
}

/**
 * The client id and the mark ({@link markOf}) of a token of ours; undefined for any other: forged, of
 * another algorithm, tenant or audience, expired, or not yet valid. The issuer's host is not compared: a service has
 * several names, and the key says already whose the token is.
 */
export async function readToken(
  keys: SigningKeys,
  token: string,
  { tenantId, nowMs }: { tenantId: string; nowMs: number },
): Promise<ReadToken | undefined> {
  try {
    const { kid } = decodeProtectedHeader(token);
    const key = kid === undefined ? undefined : await keys.find(kid);
    if (key === undefined) return undefined;
    const { payload } = await jwtVerify(token, key, {
      algorithms: ['RS256'],
      typ: 'JWT',
      audience,
      currentDate: new Date(nowMs),
      clockTolerance: clockToleranceSeconds,
      maxTokenAge: tokenLifetimeSeconds,
      requiredClaims: ['iss', 'sub', 'iat', 'nbf', 'exp'],
    });
    const { iss, sub, sec, tid, exp } = payload;
    if (tid !== tenantId || typeof sec !== 'string' || sub === undefined || exp === undefined)
      return undefined;
    return iss?.endsWith(`/${tenantId}/v2.0`)
      ? { clientId: sub, mark: sec, expiresAtMs: exp * 1000 }
      : undefined;
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError) return undefined;
    throw error;
  }
}
