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

/**
 * The client id and the mark ({@link markOf}) of a token of ours; undefined for any other: forged, of
 * another algorithm, tenant or audience, expired, or not yet valid. The issuer's host is not compared: a service has
 * several names, and the key says already whose the token is.
 */
export async function readToken(
  keys: SigningKeys,
  token: string,
  { tenantId, nowMs }: { tenantId: string; nowMs: number },
): Promise<{ clientId: string; mark: string } | undefined> {
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
    const { iss, sub, sec, tid } = payload;
    if (tid !== tenantId || typeof sec !== 'string' || sub === undefined) return undefined;
    return iss?.endsWith(`/${tenantId}/v2.0`) ? { clientId: sub, mark: sec } : undefined;
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError) return undefined;
    throw error;
  }
}
