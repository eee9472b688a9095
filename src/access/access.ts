import { join } from 'node:path';
import {
  type ClientRow,
  type Database,
  findClientWithRoles,
  remembered,
  settingOrNew,
} from '../catalog/index.ts';
import { grantsOfRows } from './assignments.ts';
import { Attempts } from './attempts.ts';
import { AuditLog } from './audit-log.ts';
import { checkSecret } from './clients.ts';
import { Grants } from './grants.ts';
import type { LocalCredential } from './local-credential.ts';
import type { Caller } from './principal.ts';
import { callerOfSession, csrfTokenOf, sessionPrefix } from './sessions.ts';
import { SigningKeys } from './signing-keys.ts';
import { issueToken, markOf, readToken, TokenMemory } from './tokens.ts';

export interface AccessOptions {
  db: Database;
  /** Home of the service: the signing keys are kept below it. */
  home: string;
  credential: LocalCredential;
  /** Milliseconds since 1970. */
  now: () => number;
}

const everything = new Grants([{ role: 'Owner', scope: {} }]);

/** Who somebody is, and what that allows. */
export class Access {
  readonly attempts: Attempts;
  readonly keys: SigningKeys;
  readonly audit: AuditLog;
  readonly #options: AccessOptions;
  readonly #tokens = new TokenMemory();
  #tenantId: string | undefined;

  constructor(options: AccessOptions) {
    this.#options = options;
    this.attempts = new Attempts(options.db, options.now);
    this.audit = new AuditLog(options.db, options.now);
    this.keys = new SigningKeys(join(options.home, 'access', 'signing-keys.json'), options.now);
  }

  /** The tenant of this service, made with its catalog. */
  async tenantId(): Promise<string> {
    this.#tenantId ??= await settingOrNew(this.#options.db, 'tenantId', () => crypto.randomUUID());
    return this.#tenantId;
  }

  /**
   * Whoever an `Authorization` header proves, or without one the session of a cookie; undefined where nothing is proven.
   */
  async authenticate(authorization: string | undefined, cookieSession?: string): Promise<Caller | undefined> {
    if (authorization === undefined && cookieSession !== undefined) {
      const caller = await callerOfSession(this.#options.db, cookieSession, this.#options.now());
      return caller && { ...caller, csrfToken: csrfTokenOf(cookieSession) };
    }
    const { credential, db, now } = this.#options;
    const local = credential.authenticate(authorization);
    if (local !== undefined) return { principal: local, grants: everything };
    const bearer = /^Bearer ([A-Za-z0-9._~+/=-]{1,8192})$/i.exec(authorization ?? '')?.[1];
    if (bearer === undefined) return undefined;
    if (bearer.startsWith(sessionPrefix)) return callerOfSession(db, bearer, now());
    const nowMs = now();
    const token = await this.#tokens.get(bearer, nowMs, async () =>
      readToken(this.keys, bearer, { tenantId: await this.tenantId(), nowMs }),
    );
    if (token === undefined) return undefined;
    const { clientId } = token;
    const known = await remembered(db, ['clients', 'role_assignments'], `client ${clientId}`, () =>
      knownClient(db, clientId),
    );
    // A client that was deleted, or has another secret by now, is nobody.
    return known !== undefined && token.mark === known.mark ? known.caller : undefined;
  }

  /**
   * The client that a secret proves. @throws TooManyAttempts
   * @param address network address of whoever asks
   */
  async clientOf(clientId: string, secret: string, address: string): Promise<ClientRow | undefined> {
    return this.attempts.guard({ name: `client ${clientId}`, address }, () =>
      checkSecret(this.#options.db, clientId, secret),
    );
  }

  /** A token for a client. @param issuer address of the tenant as the client sees it */
  async tokenFor(client: ClientRow, issuer: string): Promise<string> {
    const tenantId = await this.tenantId();
    return issueToken(this.keys, { client, tenantId, issuer, nowMs: this.#options.now() });
  }
}

/** A client with what it may do, and the mark of tokens that it got with its secret of now. */
async function knownClient(db: Database, clientId: string) {
  const found = await findClientWithRoles(db, clientId);
  if (found === undefined) return undefined;
  const { client, roles } = found;
  const caller: Caller = {
    principal: { kind: 'client', id: client.client_id, name: client.name },
    grants: new Grants(grantsOfRows(roles)),
  };
  return { caller, mark: markOf(client) };
}
