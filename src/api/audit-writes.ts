import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { AuditLog, Principal } from '../access/index.ts';
import type { Logger } from '../jobs/index.ts';
import { requirementOf } from './guard.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Of a public route that signs somebody in: who that is, once it is known. */
    signedInAs: Pick<Principal, 'id' | 'name'> | null;
    /** It ends an attempt to sign in that is no write: one at an outside provider. */
    endsSignIn: boolean;
    /** Whether the audit log says that this request was begun. */
    isAudited: boolean;
  }
}

/** A path longer than this says nothing more. */
const longestResource = 1024;

/**
 * Notes every write in the audit log: that it begins, before anything is done, and how it ended, before the answer goes
 * out. So whatever was done is in the log, and a crash between leaves a beginning without an end. What was refused has one
 * line. Comes after the guard, and before every route.
 */
export function auditWrites(app: FastifyInstance, { audit, log }: { audit: AuditLog; log: Logger }): void {
  app.decorateRequest('signedInAs', null);
  app.decorateRequest('endsSignIn', false);
  app.decorateRequest('isAudited', false);

  app.addHook('preHandler', async (request) => {
    if (!isWrite(request) || request.caller === null || request.is404) return;
    await audit.append({ ...subjectOf(request), status: 'Started', http_status: null });
    request.isAudited = true;
  });

  app.addHook('onSend', async (request, reply) => {
    const { statusCode } = reply;
    // Told to come back later: nothing was done, and it may be many.
    if (request.is404 || statusCode === 429) return;
    if (!isWrite(request) && request.signedInAs === null && !request.endsSignIn) return;
    if (request.caller === null && !endsSignIn(request, statusCode)) return;
    const isRefused = request.caller !== null && !request.isAudited;
    const status = isRefused ? 'Refused' : statusCode < 400 ? 'Succeeded' : 'Failed';
    try {
      await audit.append({ ...subjectOf(request), status, http_status: statusCode });
    } catch (error) {
      // It has been done; not to answer would only make the client do it again.
      log.error({ requestId: request.id, err: error }, 'the end of a write is missing in the audit log');
    }
  });
}

const isWrite = ({ method }: FastifyRequest) => method !== 'GET' && method !== 'HEAD';

/** Of what nobody in particular may ask for, signing in is noted, whether it succeeds or not. */
const endsSignIn = (request: FastifyRequest, statusCode: number) =>
  requirementOf(request) === 'public' &&
  (request.signedInAs !== null || request.endsSignIn || statusCode === 401);

function subjectOf(request: FastifyRequest) {
  const principal = request.caller?.principal ?? request.signedInAs;
  return {
    principal_id: principal?.id ?? null,
    principal_name: principal?.name ?? 'nobody',
    action: actionOf(request.method, request.routeOptions.url ?? ''),
    resource: (request.url.split('?')[0] ?? '').slice(0, longestResource),
    request_id: request.id,
    address: request.ip,
  };
}

const verbs: Record<string, string> = { PUT: 'write', PATCH: 'write', DELETE: 'delete', POST: 'action' };

/** What a route does, as Azure names operations: `Microsoft.RecoveryServices/vaults/backupPolicies/write`. */
export function actionOf(method: string, template: string): string {
  const path = template.slice(Math.max(0, template.lastIndexOf('/providers/')));
  const names = path
    .replace(/^\/providers/, '')
    .split('/')
    .filter((segment) => segment !== '' && !segment.startsWith(':'));
  return [...names, verbs[method] ?? 'read'].join('/');
}
