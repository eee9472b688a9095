import { randomUUID } from 'node:crypto';
import { type FastifyError, type FastifyInstance, fastify } from 'fastify';
import type { LocalCredential } from '../access/index.ts';
import { HoldfastError, isHoldfastError } from '../errors/index.ts';
import { type Logger, nameFullHome } from '../jobs/index.ts';
import type { ErrorBody } from './client/index.ts';
import { registerHosts } from './routes/hosts.ts';
import { registerJobs } from './routes/jobs.ts';
import { registerOperations } from './routes/operations.ts';
import { registerPolicies } from './routes/policies.ts';
import { registerProtectedItems } from './routes/protected-items.ts';
import { registerRecoveryPoints } from './routes/recovery-points.ts';
import { registerReplicas } from './routes/replicas.ts';
import { registerService } from './routes/service.ts';
import { registerStores } from './routes/stores.ts';
import { registerVaultKeys } from './routes/vault-keys.ts';
import { registerVaults } from './routes/vaults.ts';
import { registerVirtualMachines } from './routes/virtual-machines.ts';
import { type ApiScope, checkSubscription } from './scope.ts';

/** Requests larger than this are refused; no request of ours needs more. */
const bodyLimitBytes = 1024 * 1024;

export interface ServerOptions {
  scope: ApiScope;
  credential: LocalCredential;
  tls: { key: string; cert: string };
  log: Logger;
}

/**
 * The REST API as an HTTPS server. A request passes, in order: request id, sign-in, subscription, its route, the error
 * handler. Paths are matched without regard to case, as ARM does.
 */
export function createServer({ scope, credential, tls, log }: ServerOptions): FastifyInstance {
  const app = fastify({
    https: { ...tls, minVersion: 'TLSv1.2' },
    bodyLimit: bodyLimitBytes,
    requestTimeout: 60_000,
    genReqId: () => randomUUID(),
    routerOptions: { caseSensitive: false, ignoreTrailingSlash: true, maxParamLength: 512 },
    logger: false,
  });

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
    const clientId = request.headers['x-ms-client-request-id'];
    if (typeof clientId === 'string' && /^[\w-]{1,128}$/.test(clientId))
      reply.header('x-ms-client-request-id', clientId);
    if (credential.authenticate(request.headers.authorization) === undefined) {
      reply.header('www-authenticate', 'Bearer');
      throw new HoldfastError('Unauthorized', 'The request carries no valid token.');
    }
    checkSubscription(scope, request);
  });

  app.setNotFoundHandler((request) => {
    throw new HoldfastError(
      'ResourceNotFound',
      `There is nothing at ${request.method} ${request.url.split('?')[0]}.`,
    );
  });

  app.setErrorHandler((error: FastifyError | HoldfastError, request, reply) => {
    const named = nameFullHome(error);
    const known = isHoldfastError(named) ? named : asInputError(error);
    if (known === undefined) log.error({ requestId: request.id, err: error }, 'request failed unexpectedly');
    const failure =
      known ??
      new HoldfastError('InternalError', `The request failed unexpectedly (request id ${request.id}).`);
    return reply.code(failure.status).send(errorBodyOf(failure));
  });

  for (const register of [
    registerService,
    registerHosts,
    registerVirtualMachines,
    registerVaults,
    registerStores,
    registerVaultKeys,
    registerPolicies,
    registerProtectedItems,
    registerRecoveryPoints,
    registerReplicas,
    registerJobs,
    registerOperations,
  ]) {
    register(app, scope);
  }
  return app;
}

/** Refusals of the HTTP layer itself: too large, unknown content type, malformed URL. */
function asInputError(error: FastifyError | HoldfastError): HoldfastError | undefined {
  const status = 'statusCode' in error ? error.statusCode : undefined;
  if (status === undefined || status >= 500) return undefined;
  return new HoldfastError('InvalidInput', error.message, { cause: error });
}

function errorBodyOf(error: HoldfastError): ErrorBody {
  return {
    error: {
      code: error.code,
      message: error.message,
      ...(error.target === undefined ? {} : { target: error.target }),
      additionalInfo: [{ type: 'RecommendedAction', info: { action: error.action } }],
    },
  };
}
