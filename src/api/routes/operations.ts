import type { FastifyReply, FastifyRequest } from 'fastify';
import type { VaultRow } from '../../catalog/index.ts';
import { presentItemAlone } from '../present-item.ts';
import { failureOf, type KnownOperation, operationOf } from '../protocol/operation-registry.ts';
import {
  baseUrl,
  containerPath,
  fabricPath,
  findItemByName,
  groupPath,
  itemPath,
  param,
  type RegisterRoutes,
  storePath,
  subscriptionPath,
  vaultOf,
  vaultPath,
} from '../scope.ts';
import { policyPath, presentPolicyAlone } from './policies.ts';
import { replicaPath } from './replicas.ts';

/** Where clients ask how an operation of a vault goes: as the headers say, and by rules of their own. */
export const statusPaths = [
  `${vaultPath}/backupOperations/:operation`, // azure-cli asks here for every operation
  `${vaultPath}/operationStatus/:operation`,
  `${vaultPath}/operationsStatus/:operation`,
  `${vaultPath}/backupValidateOperationsStatuses/:operation`,
  `${vaultPath}/backupJobs/:job/operationsStatus/:operation`,
  `${policyPath}/operations/:operation`,
  `${fabricPath}/operationsStatus/:operation`,
  `${containerPath}/operationsStatus/:operation`,
  `${itemPath}/operationsStatus/:operation`,
  `${replicaPath}/operationsStatus/:operation`,
  `${storePath}/operationsStatus/:operation`,
];

/** Where clients wait for an operation whose outcome is no document of its own. */
export const plainResultPaths = [
  `${vaultPath}/backupOperationResults/:operation`,
  `${vaultPath}/operationResults/:operation`,
  `${vaultPath}/backupJobs/:job/operationResults/:operation`,
  `${fabricPath}/operationResults/:operation`,
  `${containerPath}/operationResults/:operation`,
  `${replicaPath}/operationResults/:operation`,
  `${storePath}/operationResults/:operation`,
];

/** Operations that belong to no vault. */
export const subscriptionPaths = [
  `${subscriptionPath}/operationResults/:operation`,
  `${subscriptionPath}/providers/Microsoft.Compute/locations/:location/operations/:operation`,
  `${groupPath}/operationResults/:operation`,
];

export const registerOperations: RegisterRoutes = (app, scope) => {
  const { workshop } = scope;
  const { db } = workshop;
  const ask = (request: FastifyRequest, vault: VaultRow | undefined) =>
    operationOf(workshop, param(request, 'operation'), vault?.vault_id, request.url.split('?')[0] ?? '');

  for (const path of statusPaths) {
    app.get(path, async (request, reply) => {
      const { status } = await ask(request, await vaultOf(db, request));
      if (status.status === 'InProgress') reply.header('retry-after', '1');
      return status;
    });
  }
  for (const path of subscriptionPaths)
    app.get(path, async (request) => (await ask(request, undefined)).status);

  for (const path of plainResultPaths) {
    app.get(path, async (request, reply) => {
      const known = await ask(request, await vaultOf(db, request));
      return stillRunning(request, reply, known) ?? reply.code(204).send();
    });
  }

  app.get(`${policyPath}/operationResults/:operation`, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const running = stillRunning(request, reply, await ask(request, vault));
    return running ?? presentPolicyAlone(scope, vault, request);
  });

  app.get(`${itemPath}/operationResults/:operation`, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const known = await ask(request, vault);
    const running = stillRunning(request, reply, known);
    if (running !== undefined) return running;
    const item = known.row.follows_job === 1 ? await findItemByName(db, vault, request) : undefined;
    return item === undefined ? reply.code(204).send() : presentItemAlone(scope, vault, item);
  });

  // Done when it is written down, and with something to fetch.
  app.get(`${vaultPath}/backupValidateOperationResults/:operation`, async (request, reply) => {
    const known = await ask(request, await vaultOf(db, request));
    return known.row.result_json === null ? reply.code(204).send() : JSON.parse(known.row.result_json);
  });
};

/** Answers 202 for an operation under way; undefined for one that has succeeded. @throws what it failed with */
function stillRunning(
  request: FastifyRequest,
  reply: FastifyReply,
  known: KnownOperation,
): FastifyReply | undefined {
  if (known.status.status === 'InProgress') {
    return reply
      .code(202)
      .header('location', `${baseUrl(request)}${request.url}`)
      .header('retry-after', '1')
      .send();
  }
  if (known.status.status === 'Failed') throw failureOf(known);
  return undefined;
}
