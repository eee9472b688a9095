import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Principal } from './principal.ts';

/**
 * The credential of whoever can read the service's home: a token made anew at every start and written to a file that
 * only the service's user can read. The service keeps nothing but its hash.
 */
export interface LocalCredential {
  readonly token: string;
  /** The principal behind an `Authorization` header, or undefined. Takes the same time whatever the token. */
  authenticate(authorization: string | undefined): Principal | undefined;
}

const digest = (text: string) => createHash('sha256').update(text).digest();

export function createLocalCredential(): LocalCredential {
  const token = randomBytes(32).toString('base64url');
  const expected = digest(token);
  return {
    token,
    authenticate(authorization) {
      const match = /^Bearer ([A-Za-z0-9._~+/=-]{1,4096})$/i.exec(authorization ?? '');
      const given = digest(match?.[1] ?? '');
      if (!timingSafeEqual(given, expected)) return undefined;
      return { kind: 'local-administrator', id: 'local-administrator', name: 'local administrator' };
    },
  };
}
