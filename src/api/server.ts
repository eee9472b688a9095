import { randomUUID } from 'node:crypto';
import {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
} from 'fastify';
import { Access, type LocalCredential } from '../access/index.ts';
import { HoldfastError, isHoldfastError } from '../errors/index.ts';
import { type Logger, nameFullHome } from '../jobs/index.ts';
import { auditWrites } from './audit-writes.ts';
import { sessionOf } from './cookies.ts';
import { guardRoutes } from './guard.ts';
import type { PortalFiles } from './portal-files.ts';
import { checkApiVersion } from './protocol/api-version.ts';
import { errorBodyOf, inputErrorOf } from './protocol/error-body.ts';
import { defaultThrottle, Throttle, type ThrottleLimits } from './protocol/throttle.ts';
import { registerAudit } from './routes/audit.ts';
import { registerClients } from './routes/clients.ts';
import { registerHosts } from './routes/hosts.ts';
import { registerJobs } from './routes/jobs.ts';
import { registerJobsExport } from './routes/jobs-export.ts';
import { neighbourRoutes } from './routes/neighbours.ts';
import { registerOperations } from './routes/operations.ts';
import { registerOutsideSignIn } from './routes/outside-sign-in.ts';
import { registerPeople } from './routes/people.ts';
import { registerPolicies } from './routes/policies.ts';
import { registerPortal } from './routes/portal.ts';
import { registerProtectedItems } from './routes/protected-items.ts';
import { registerRecoveryPoints } from './routes/recovery-points.ts';
import { registerReplicas } from './routes/replicas.ts';
import { registerRoles } from './routes/roles.ts';
import { registerService } from './routes/service.ts';
import { registerSignIn } from './routes/sign-in.ts';
import { registerStores } from './routes/stores.ts';
import { registerTokens } from './routes/tokens.ts';
import { registerVaultConfig } from './routes/vault-config.ts';
import { registerVaultKeys } from './routes/vault-keys.ts';
import { registerVaults } from './routes/vaults.ts';
import { registerVirtualMachines } from './routes/virtual-machines.ts';
import { type ApiScope, checkSubscription, query } from './scope.ts';

/** Requests larger than this are refused; no request of ours needs more. */
const bodyLimitBytes = 1024 * 1024;

export interface ServerOptions {
  scope: ApiScope;
  credential: LocalCredential;
  tls: { key: string; cert: string };
  log: Logger;
  /** How many requests one principal may make. */
  throttle?: ThrottleLimits;
  /** The pages; undefined where they are not built. */
  portal?: PortalFiles | undefined;
}

/**
 * The REST API as an HTTPS server. A request passes, in order: request id, sign-in, throttle, api-version, subscription,
 * access table, audit log, its route, the error handler. Paths are matched without regard to case, as ARM does.
 */
export function createServer({ scope, credential, tls, log, ...options }: ServerOptions): FastifyInstance {
  const app = fastify({
    // What the router can't even read never comes to the handlers below.
    frameworkErrors: (error, request, reply) => answerFailure(error, request, reply, log),
    https: { ...tls, minVersion: 'TLSv1.2' },
    bodyLimit: bodyLimitBytes,
    requestTimeout: 60_000,
    genReqId: () => randomUUID(),
    routerOptions: {
      caseSensitive: false,
      ignoreTrailingSlash: true,
      ignoreDuplicateSlashes: true,
      maxParamLength: 512,
    },
    logger: false,
  });

  const throttle = new Throttle(options.throttle ?? defaultThrottle, () => performance.now());

  // Azure's clients may send a content type with no body.
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, text, done) => {
    if (text === '') return done(null, undefined);
    try {
      done(null, JSON.parse(text as string));
    } catch (error) {
      done(new HoldfastError('InvalidInput', 'The request body is no JSON.', { cause: error }), undefined);
    }
  });

  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-ms-request-id', request.id).header('cache-control', 'no-cache');
    reply.header(
      'x-ms-correlation-request-id',
      idHeader(request, 'x-ms-correlation-request-id') ?? request.id,
    );
    const clientId = idHeader(request, 'x-ms-client-request-id');
    if (clientId !== undefined) reply.header('x-ms-client-request-id', clientId);
  });

  const access = new Access({
    db: scope.workshop.db,
    home: scope.home,
    credential,
    now: () => scope.workshop.clock.now().epochMilliseconds,
  });
  guardRoutes(app, {
    log,
    authenticate: (request) => access.authenticate(request.headers.authorization, sessionOf(request)),
    admit: (request, reply) => {
      admit(throttle, request, reply);
      checkApiVersion(request.url.split('?')[0] ?? '', query(request, 'api-version'));
      checkSubscription(scope, request);
    },
  });

  auditWrites(app, { audit: access.audit, log });

  app.setNotFoundHandler((request) => {
    throw new HoldfastError(
      'ResourceNotFound',
      `There is nothing at ${request.method} ${request.url.split('?')[0]}.`,
    );
  });

  app.setErrorHandler((error: FastifyError | HoldfastError, request, reply) =>
    answerFailure(error, request, reply, log),
  );

  for (const register of [
    registerService,
    ...neighbourRoutes,
    registerHosts,
    registerVirtualMachines,
    registerVaults,
    registerStores,
    registerVaultConfig,
    registerVaultKeys,
    registerPolicies,
    registerProtectedItems,
    registerRecoveryPoints,
    registerReplicas,
    registerJobs,
    registerJobsExport,
    registerOperations,
  ]) {
    register(app, scope);
  }
  for (const register of [
    registerTokens,
    registerClients,
    registerRoles,
    registerAudit,
    registerPeople,
    registerSignIn,
    registerOutsideSignIn,
  ])
    register(app, scope, access);
  registerPortal(app, options.portal);
  return app;
}

function answerFailure(
  error: FastifyError | HoldfastError,
  request: FastifyRequest,
  reply: FastifyReply,
  log: Logger,
): FastifyReply {
  const named = nameFullHome(error);
  const known = isHoldfastError(named) ? named : inputErrorOf(error);
  if (known === undefined) log.error({ requestId: request.id, err: error }, 'request failed unexpectedly');
  const failure =
    known ??
    new HoldfastError('InternalError', `The request failed unexpectedly (request id ${request.id}).`);
  // As Azure's gateway marks what it does not find; some clients tell by it.
  if (failure.status === 404) reply.header('x-ms-failure-cause', 'gateway');
  return reply.header('x-ms-request-id', request.id).code(failure.status).send(errorBodyOf(failure));
}

/** An id that the client has given to its request, if it is one that can be repeated safely. */
function idHeader(request: FastifyRequest, name: string): string | undefined {
  const id = request.headers[name];
  return typeof id === 'string' && /^[\w-]{1,128}$/.test(id) ? id : undefined;
}

/** Azure counts reads, writes and deletes apart in its headers. */
const countedAs: Record<string, string> = { GET: 'reads', HEAD: 'reads', DELETE: 'deletes' };

/** @throws TooManyRequests, with Retry-After */
function admit(throttle: Throttle, request: FastifyRequest, reply: FastifyReply): void {
  const admission = throttle.admit(request.caller?.principal.id ?? request.ip);
  if (admission.admitted) {
    const kind = countedAs[request.method] ?? 'writes';
    reply.header(`x-ms-ratelimit-remaining-subscription-${kind}`, admission.remaining);
    return;
  }
  reply.header('retry-after', admission.retryAfterSeconds);
  throw new HoldfastError('TooManyRequests', 'There were too many requests in a short time.');
}
