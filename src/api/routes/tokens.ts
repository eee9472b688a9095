import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Access, audience, tokenLifetimeSeconds } from '../../access/index.ts';
import { isHoldfastError } from '../../errors/index.ts';
import { takeForms } from '../form-body.ts';
import { type ApiScope, baseUrl, param, tenantPath } from '../scope.ts';

/** An error as OAuth 2 words it (RFC 6749, 5.2); Azure's clients show the description. */
type OAuthError = 'invalid_request' | 'invalid_client' | 'unsupported_grant_type' | 'invalid_scope';

/** What our tokens are for, by the names Azure's clients have for it. */
const resources = new Set([
  audience,
  'https://management.core.windows.net',
  'https://management.azure.com/user_impersonation',
]);

/**
 * OAuth 2 client credentials at the addresses that Azure's clients build: `ClientSecretCredential` (version 2), and older
 * tools (version 1, `resource` in place of `scope`).
 */
export function registerTokens(app: FastifyInstance, _scope: ApiScope, access: Access): void {
  /** The tenant that the path names, if it is ours. */
  const isOurTenant = async (request: FastifyRequest) =>
    param(request, 'tenant').toLowerCase() === (await access.tenantId());
  const tenantUrl = async (request: FastifyRequest) => `${baseUrl(request)}/${await access.tenantId()}`;

  // What azure-cli (`az cloud register`) and Terraform (`metadata_host`) ask first, as of 2022-09-01. Only what there is.
  app.get('/metadata/endpoints', async (request) => {
    const url = baseUrl(request);
    return {
      name: 'Holdfast',
      portal: `${url}/portal`,
      resourceManager: url,
      authentication: {
        loginEndpoint: url,
        audiences: [audience, url],
        tenant: await access.tenantId(),
        identityProvider: 'AAD',
      },
      suffixes: {},
    };
  });

  for (const version of ['/v2.0', '']) {
    app.get(`${tenantPath}${version}/.well-known/openid-configuration`, async (request, reply) => {
      if (!(await isOurTenant(request))) return refuse(reply, 400, 'invalid_request', wrongTenant);
      const url = await tenantUrl(request);
      return {
        issuer: `${url}/v2.0`,
        token_endpoint: `${url}/oauth2${version}/token`,
        // Asked for by clients although the grant they use never goes there.
        authorization_endpoint: `${url}/oauth2${version}/authorize`,
        jwks_uri: `${url}/discovery${version}/keys`,
        response_types_supported: ['token'],
        grant_types_supported: ['client_credentials'],
        token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['RS256'],
      };
    });
    app.get(`${tenantPath}/discovery${version}/keys`, async (request, reply) => {
      if (!(await isOurTenant(request))) return refuse(reply, 400, 'invalid_request', wrongTenant);
      return access.keys.publicSet();
    });
  }

  app.register((child, _options, done) => {
    takeForms(child);
    for (const version of ['/v2.0', ''])
      child.post(`${tenantPath}/oauth2${version}/token`, async (request, reply) => {
        reply.header('cache-control', 'no-store');
        if (!(await isOurTenant(request))) return refuse(reply, 400, 'invalid_request', wrongTenant);
        return giveToken(request, reply);
      });
    done();
  });

  async function giveToken(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const form = (typeof request.body === 'object' ? (request.body ?? {}) : {}) as Record<string, unknown>;
    if (form.grant_type !== 'client_credentials')
      return refuse(reply, 400, 'unsupported_grant_type', 'The only grant is client_credentials.');
    const asked = form.scope ?? form.resource;
    if (!isForUs(asked, baseUrl(request)))
      return refuse(reply, 400, 'invalid_scope', 'The scope is https://management.azure.com/.default.');
    const { id, secret } = credentialsOf(request, form);
    if (id === undefined || secret === undefined)
      return refuse(reply, 401, 'invalid_client', 'The request has no client id or no client secret.');
    try {
      const client = await access.clientOf(id, secret, request.ip);
      if (client === undefined)
        return refuse(reply, 401, 'invalid_client', 'There is no client with this id and secret.');
      request.signedInAs = { id: client.client_id, name: client.name };
      const lifetime = {
        expires_in: tokenLifetimeSeconds,
        ext_expires_in: tokenLifetimeSeconds,
      };
      const token = await access.tokenFor(client, `${await tenantUrl(request)}/v2.0`);
      return reply.send({ token_type: 'Bearer', ...lifetime, access_token: token });
    } catch (error) {
      if (!isHoldfastError(error, 'TooManyAttempts')) throw error;
      reply.header('retry-after', '900');
      return refuse(reply, 429, 'invalid_client', error.message);
    }
  }
}

const wrongTenant = 'There is no such tenant here.';

function refuse(reply: FastifyReply, status: number, error: OAuthError, description: string): FastifyReply {
  return reply.code(status).send({ error, error_description: description, error_codes: [] });
}

/** Whether a token for Azure's management API, or for this service by its own address, is asked for. */
function isForUs(asked: unknown, base: string): boolean {
  if (typeof asked !== 'string') return false;
  return asked
    .split(' ')
    .filter((word) => !['', 'openid', 'profile', 'offline_access'].includes(word))
    .map((word) => word.replace(/\/+(\.default)?$/, ''))
    .every((word) => resources.has(word) || word === base);
}

/** From the form or the Basic header, as RFC 6749 allows. */
function credentialsOf(request: FastifyRequest, form: Record<string, unknown>) {
  const text = (value: unknown) => (typeof value === 'string' && value.length <= 1024 ? value : undefined);
  const basic = /^Basic ([A-Za-z0-9+/=]{1,4096})$/i.exec(request.headers.authorization ?? '')?.[1];
  if (basic === undefined) return { id: text(form.client_id), secret: text(form.client_secret) };
  const [id, ...rest] = Buffer.from(basic, 'base64').toString('utf8').split(':');
  return { id: decoded(id), secret: decoded(rest.join(':')) };
}

function decoded(text: string | undefined): string | undefined {
  try {
    return text === undefined || text === '' ? undefined : decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
