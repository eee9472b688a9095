import type { FastifyInstance, FastifyRequest } from 'fastify';
import {
  type Access,
  type ClientWithSecret,
  createClientPrincipal,
  exactScope,
  roleOf,
  rotateSecret,
} from '../../access/index.ts';
import { type ClientRow, deleteClient, findClientByName, listClients } from '../../catalog/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import { type Client, type ClientSecret, clientRequest } from '../client/index.ts';
import { type ApiScope, baseUrl, param, parseBody, subscriptionPath } from '../scope.ts';

/** Programs that sign in with a secret. The secret is in the answer that makes it, and nowhere else. */
export function registerClients(app: FastifyInstance, scope: ApiScope, access: Access): void {
  const { db, clock } = scope.workshop;
  const path = `${subscriptionPath}/providers/Holdfast.Fleet/clients`;
  const subscriptionId = `/subscriptions/${scope.subscriptionId}`;

  const present = (client: ClientRow): Client => ({
    id: `${subscriptionId}/providers/Holdfast.Fleet/clients/${client.name}`,
    name: client.name,
    type: 'Holdfast.Fleet/clients',
    properties: { clientId: client.client_id, createdAt: client.created_at },
  });
  const presentSecret = async (
    request: FastifyRequest,
    { client, secret }: ClientWithSecret,
  ): Promise<ClientSecret> => ({
    ...present(client),
    credentials: {
      tenantId: await access.tenantId(),
      clientId: client.client_id,
      clientSecret: secret,
      subscriptionId: scope.subscriptionId,
      endpoint: baseUrl(request),
    },
  });
  const existing = async (request: FastifyRequest): Promise<ClientRow> => {
    const name = param(request, 'client');
    const client = await findClientByName(db, name);
    if (client !== undefined) return client;
    throw new HoldfastError('ResourceNotFound', `There is no client named '${name}'.`, { target: name });
  };

  app.get(path, async () => ({ value: (await listClients(db)).map(present) }));
  app.get(`${path}/:client`, async (request) => present(await existing(request)));

  app.put(`${path}/:client`, async (request, reply) => {
    const { properties } = parseBody(clientRequest, request);
    const role = roleOf(properties.role);
    if (role === undefined)
      throw new HoldfastError('InvalidInput', `There is no role '${properties.role}'.`, {
        target: 'properties.role',
        action: 'Use Reader, Operator, Contributor or Owner.',
      });
    const at = properties.scope ?? subscriptionId;
    checkRoleScope(at, scope);
    const made = await createClientPrincipal(db, {
      name: param(request, 'client'),
      role: { role, scope: at },
      by: request.caller?.principal.id ?? '',
      now: clock.now().toString({ fractionalSecondDigits: 3 }),
    });
    reply.code(201).header('cache-control', 'no-store');
    return presentSecret(request, made);
  });

  app.post(`${path}/:client/rotateSecret`, async (request, reply) => {
    const made = await rotateSecret(db, await existing(request));
    reply.header('cache-control', 'no-store');
    return presentSecret(request, made);
  });

  app.delete(`${path}/:client`, async (request, reply) => {
    await deleteClient(db, (await existing(request)).client_id);
    return reply.code(204).send();
  });
}

/** @throws InvalidInput unless it is the id of this subscription, or of a resource group or vault in it */
export function checkRoleScope(id: string, scope: ApiScope): void {
  const [, , subscription] = id.split('/');
  if (exactScope(id) !== undefined && subscription?.toLowerCase() === scope.subscriptionId) return;
  throw new HoldfastError('InvalidInput', `'${id}' is no scope for a role.`, {
    target: id,
    action: 'Give the resource id of the subscription, of a resource group, or of a vault.',
  });
}
