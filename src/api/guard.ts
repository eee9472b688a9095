import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { atLeast, type Caller, type Role, type Scope, scopeOfId } from '../access/index.ts';
import { HoldfastError } from '../errors/index.ts';
import type { Logger } from '../jobs/index.ts';
import { accessTable, type Requirement } from './access-table.ts';
import { baseUrl, type Params, vaultPath } from './scope.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks. Only of public routes is it null. */
    caller: Caller | null;
  }
  interface FastifyInstance {
    /** Every route as the access table names it: method and path. */
    routeNames: string[];
  }
}

export interface GuardOptions {
  authenticate(request: FastifyRequest): Promise<Caller | undefined>;
  /** Refuses what nobody may ask for, once it is known who asks. Throws. */
  admit(request: FastifyRequest, reply: FastifyReply): void;
  log: Logger;
}

/**
 * Lets a request pass only if the access table says that its caller may: once before its body is read, for who it is and
 * what the path names; once after, for what the body asks for and names. Comes before every route.
 */
export function guardRoutes(app: FastifyInstance, { authenticate, admit, log }: GuardOptions): void {
  app.decorate('routeNames', []);
  app.decorateRequest('caller', null);

  app.addHook('onRoute', ({ method, url }) => {
    for (const name of [method].flat()) if (name !== 'HEAD') app.routeNames.push(`${name} ${url}`);
  });

  app.addHook('onRequest', async (request, reply) => {
    const requirement = requirementOf(request);
    if (requirement === 'public') return admit(request, reply);
    const caller = await authenticate(request);
    if (caller === undefined) {
      reply.header('www-authenticate', 'Bearer');
      throw new HoldfastError('Unauthorized', 'The request carries no valid token.');
    }
    checkOrigin(request, caller);
    request.caller = caller;
    admit(request, reply);
    if (request.is404) return;
    if (requirement === undefined) {
      log.error({ route: nameOf(request) }, 'a route that the access table does not list was refused');
      throw new HoldfastError('AuthorizationFailed', 'Nobody may use this route.');
    }
    // What the body may ask more for is checked when it is there, so that one message names the role that it needs.
    const role = typeof requirement === 'object' ? 'Reader' : roleOf(requirement);
    if (role !== undefined) check(request, caller, role);
  });

  app.addHook('preHandler', async (request) => {
    const { caller } = request;
    const requirement = requirementOf(request);
    if (caller === null || requirement === undefined) return;
    const needed =
      typeof requirement === 'object'
        ? (requirement.stricter(request.body) ?? requirement.role)
        : roleOf(requirement);
    if (typeof requirement === 'object' && needed !== undefined) check(request, caller, needed);
    if (request.body === undefined) return;
    checkLinked(caller, request.body, needed ?? 'Reader');
  });

  app.addHook('preSerialization', async (request, _reply, payload) => {
    const { caller } = request;
    if (caller === null || requirementOf(request) !== 'filtered') return payload;
    if (isList(payload)) return { ...payload, value: payload.value.filter((row) => isSeen(caller, row)) };
    if (!isError(payload) && !isSeen(caller, payload)) throw notThere(request, caller, {});
    return payload;
  });
}

/** What the route of a request needs; undefined where the table has no such route. */
export function requirementOf(request: FastifyRequest): Requirement | undefined {
  const name = nameOf(request);
  return Object.hasOwn(accessTable, name) ? accessTable[name] : undefined;
}

const nameOf = ({ method, routeOptions }: FastifyRequest) =>
  `${method === 'HEAD' ? 'GET' : method} ${routeOptions.url}`;

function roleOf(requirement: Requirement): Role | undefined {
  if (typeof requirement === 'object') return requirement.role;
  return requirement === 'public' || requirement === 'signed-in' || requirement === 'filtered'
    ? undefined
    : requirement;
}

/** @throws ResourceNotFound where the caller has no role at all @throws AuthorizationFailed where it has too low a one */
function check(request: FastifyRequest, caller: Caller, needed: Role): void {
  const { group, vault } = request.params as Params;
  const scope: Scope = {
    ...(group === undefined ? {} : { group: group.toLowerCase() }),
    ...(vault === undefined ? {} : { vault: vault.toLowerCase() }),
  };
  const role = caller.grants.roleAt(scope);
  if (role === undefined) throw notThere(request, caller, scope);
  if (atLeast(role, needed)) return;
  throw new HoldfastError(
    'AuthorizationFailed',
    `'${caller.principal.name}' has the role ${role} here, and this needs ${needed}.`,
    { target: request.url.split('?')[0] ?? '' },
  );
}

/**
 * A browser sends a cookie with whatever page asks for it: a write must bring the token that only our pages can read.
 * @throws AuthorizationFailed
 */
function checkOrigin(request: FastifyRequest, { csrfToken }: Caller): void {
  if (csrfToken === undefined || request.method === 'GET' || request.method === 'HEAD') return;
  const { origin, 'x-holdfast-csrf': given } = request.headers;
  if (given === csrfToken && (origin === undefined || origin === baseUrl(request))) return;
  throw new HoldfastError('AuthorizationFailed', 'The request does not come from a page of this service.', {
    action: 'Send the csrfToken of /holdfast/session as x-holdfast-csrf.',
  });
}

/** The same words whether it is there or not, so that nobody learns the difference. */
function notThere(request: FastifyRequest, { principal }: Caller, scope: Scope): HoldfastError {
  const { group, vault } = request.params as Params;
  const who = `'${principal.name}'`;
  if (scope.vault === undefined || (request.method === 'PUT' && request.routeOptions.url === vaultPath)) {
    const where = group === undefined ? 'for the whole service' : `in resource group '${group}'`;
    const message =
      scope.vault === undefined
        ? `${who} sees nothing of that: it takes a role ${where}.`
        : `${who} can create no vault ${where}, and has no role at one named '${vault}' there.`;
    return new HoldfastError('ResourceNotFound', message, {
      target: vault ?? group ?? '',
      action: 'Name what you have a role at, or ask an administrator for a role there.',
    });
  }
  return new HoldfastError('ResourceNotFound', `There is no vault '${vault}' in resource group '${group}'.`, {
    target: vault ?? '',
  });
}

/**
 * What a request does to the resource in its path it also does with those that its body names by their ids: protects
 * the VM, restores into the resource group. So the caller needs the same role there. Who has no role there at all is
 * refused with the same words, whether the resource exists or not.
 * @throws LinkedAuthorizationFailed
 */
function checkLinked(caller: Caller, body: unknown, needed: Role): void {
  for (const id of resourceIdsIn(body)) {
    const scope = scopeOfId(id);
    if (scope === undefined || caller.grants.may(needed, scope)) continue;
    throw new HoldfastError(
      'LinkedAuthorizationFailed',
      `The request names ${placeOf(id)}, where '${caller.principal.name}' does not have the role ${needed}.`,
      { target: id },
    );
  }
}

/** What an id names, for a sentence: `virtualMachines/web of resource group 'default'`. */
function placeOf(id: string): string {
  const group = /\/resourceGroups\/([^/]+)/i.exec(id)?.[1];
  const [name = '', type = ''] = id.split('/').reverse();
  if (group === undefined) return 'the subscription';
  const where = `resource group '${group}'`;
  return type.toLowerCase() === 'resourcegroups' ? where : `${type}/${name} of ${where}`;
}

/** Roles and the like are the same everywhere: naming one touches no scope. */
const withoutScope = /\/providers\/Microsoft\.Authorization\/(roleDefinitions|roleAssignments)\//i;

/** Walked without recursion: a body may be nested as deeply as it is long. */
function* resourceIdsIn(body: unknown): Generator<string> {
  const left: unknown[] = [body];
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value === 'string') {
      if (/^\/subscriptions\//i.test(value) && !withoutScope.test(value)) yield value;
    } else if (typeof value === 'object' && value !== null)
      for (const inner of Object.values(value)) left.push(inner);
  }
}

const isList = (payload: unknown): payload is { value: unknown[] } =>
  typeof payload === 'object' && payload !== null && 'value' in payload && Array.isArray(payload.value);

const isError = (payload: unknown) => typeof payload === 'object' && payload !== null && 'error' in payload;

const isSeen = (caller: Caller, row: unknown) =>
  typeof row === 'object' &&
  row !== null &&
  'id' in row &&
  typeof row.id === 'string' &&
  caller.grants.sees(row.id);
