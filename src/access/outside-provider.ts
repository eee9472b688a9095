import { readFile } from 'node:fs/promises';
import type { Configuration } from 'openid-client';
import { z } from 'zod';
import { HoldfastError, messageOf } from '../errors/index.ts';
import type { NewRole } from './assignments.ts';
import { roleOf } from './roles.ts';

const shape = z.strictObject({
  /** Address of the provider, as its discovery document has it. */
  issuer: z.url().max(1024),
  clientId: z.string().min(1).max(256),
  /** File with the client's secret; none for a client that has none. */
  clientSecretFile: z.string().startsWith('/').optional(),
  scopes: z.string().max(256).default('openid profile email'),
  /** Claim that becomes the user name. */
  userNameClaim: z.string().max(64).default('preferred_username'),
  /** Claim with the groups, texts. */
  groupsClaim: z.string().max(64).default('groups'),
  /** Which role whoever is in a group has, at a resource id (default: the subscription). */
  roles: z
    .array(z.strictObject({ group: z.string(), role: z.string(), scope: z.string().optional() }))
    .max(1000),
});
type Settings = z.infer<typeof shape>;

/** What ties an answer of the provider to the browser and the request that asked for it. */
export interface PendingSignIn {
  state: string;
  nonce: string;
  codeVerifier: string;
}

/** Whom the provider vouches for. */
export interface OutsidePerson {
  /** `{issuer} {subject}`: the only thing that never changes. */
  outsideId: string;
  userName: string;
  /** What its groups give it, for this session. */
  roles: NewRole[];
}

const timeoutSeconds = 10;

/** How long what the provider says of itself is believed. */
const discoveredForMs = 60 * 60_000;

/**
 * Signing in at an OpenID Connect provider: authorization code with PKCE, state and nonce. Set up by a file in the home,
 * which is read at every sign-in; without it nobody signs in that way.
 */
export class OutsideProvider {
  readonly #path: string;
  readonly #now: () => number;
  #known: { text: string; at: number; configuration: Configuration } | undefined;

  /** @param now milliseconds since 1970 */
  constructor(path: string, now: () => number) {
    this.#path = path;
    this.#now = now;
  }

  /** Where to send the browser, and what it must bring back. @throws SignInFailed */
  async begin(redirectUri: string): Promise<{ url: string; pending: PendingSignIn }> {
    const { settings, configuration } = await this.#configured();
    const client = await import('openid-client');
    const pending = {
      state: client.randomState(),
      nonce: client.randomNonce(),
      codeVerifier: client.randomPKCECodeVerifier(),
    };
    const url = client.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: settings.scopes,
      state: pending.state,
      nonce: pending.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(pending.codeVerifier),
      code_challenge_method: 'S256',
    });
    return { url: url.href, pending };
  }

  /**
   * Whom the provider has sent back. @param answer the address it sent the browser to
   * @param scope where a role counts that names no scope
   * @throws SignInFailed for an answer that is not the one to what was begun, or that the provider does not stand by
   */
  async finish(answer: URL, pending: PendingSignIn, scope: string): Promise<OutsidePerson> {
    const { settings, configuration } = await this.#configured();
    const client = await import('openid-client');
    let claims: Record<string, unknown> & { iss: string; sub: string };
    try {
      const tokens = await client.authorizationCodeGrant(configuration, answer, {
        pkceCodeVerifier: pending.codeVerifier,
        expectedState: pending.state,
        expectedNonce: pending.nonce,
        idTokenExpected: true,
      });
      const idToken = tokens.claims();
      if (idToken === undefined) throw new Error('there is no ID token');
      // Many providers keep groups out of the ID token.
      const more =
        configuration.serverMetadata().userinfo_endpoint === undefined
          ? {}
          : await client.fetchUserInfo(configuration, tokens.access_token, idToken.sub);
      claims = { ...more, ...idToken };
    } catch (error) {
      throw refuse(`The provider's answer was not accepted: ${messageOf(error)}.`);
    }
    const name = claims[settings.userNameClaim] ?? claims.email ?? claims.sub;
    return {
      outsideId: `${claims.iss} ${claims.sub}`,
      userName: String(name).slice(0, 64),
      roles: rolesOf(settings, claims[settings.groupsClaim], scope),
    };
  }

  async #configured(): Promise<{ settings: Settings; configuration: Configuration }> {
    const { text, settings } = await this.#settings();
    const now = this.#now();
    if (this.#known?.text === text && now - this.#known.at < discoveredForMs)
      return { settings, configuration: this.#known.configuration };
    const client = await import('openid-client');
    const issuer = new URL(settings.issuer);
    // Plain HTTP is for a provider on this very machine.
    const isLocal =
      issuer.protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(issuer.hostname);
    try {
      const secret =
        settings.clientSecretFile === undefined
          ? undefined
          : (await readFile(settings.clientSecretFile, 'utf8')).trim();
      const configuration = await client.discovery(
        issuer,
        settings.clientId,
        secret,
        secret === undefined ? client.None() : client.ClientSecretBasic(secret),
        { timeout: timeoutSeconds, ...(isLocal ? { execute: [client.allowInsecureRequests] } : {}) },
      );
      this.#known = { text, at: now, configuration };
      return { settings, configuration };
    } catch (error) {
      throw refuse(`The provider ${settings.issuer} can't be asked: ${messageOf(error)}.`);
    }
  }

  async #settings(): Promise<{ text: string; settings: Settings }> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT')
        throw new HoldfastError('ResourceNotFound', 'No outside provider is set up.', {
          action: 'Sign in with a user name and password, or set one up: docs/access.md.',
        });
      throw refuse(`Its settings can't be read: ${messageOf(error)}.`);
    }
    try {
      const settings = shape.parse(JSON.parse(text));
      for (const { role } of settings.roles)
        if (roleOf(role) === undefined) throw new Error(`there is no role '${role}'`);
      return { text, settings };
    } catch (error) {
      const why =
        error instanceof z.ZodError ? z.prettifyError(error).replaceAll('\n', ' ') : messageOf(error);
      throw refuse(`The settings of the provider are not valid: ${why}.`);
    }
  }
}

/** Nothing of the answer is kept as a cause: it has codes and tokens, and would be logged. */
const refuse = (why: string) =>
  new HoldfastError('SignInFailed', why, {
    action: 'Try to sign in again; if it stays so, check openid-connect.json in the home of the service.',
  });

function rolesOf(settings: Settings, groups: unknown, subscription: string): NewRole[] {
  const held = new Set(Array.isArray(groups) ? groups : [groups]);
  return settings.roles.flatMap(({ group, role, scope = subscription }) => {
    const known = roleOf(role);
    return known !== undefined && held.has(group) ? [{ role: known, scope }] : [];
  });
}
