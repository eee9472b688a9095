import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import {
  type Access,
  assignmentRow,
  exactScope,
  type RoleDefinition,
  roleDefinitions,
  roleOf,
} from '../../access/index.ts';
import {
  deleteRoleAssignment,
  findPrincipal,
  findRoleAssignment,
  insertRoleAssignment,
  listRoleAssignments,
  type RoleAssignmentRow,
} from '../../catalog/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import { type RoleAssignment, roleAssignmentRequest } from '../client/index.ts';
import { parseFilter } from '../filter.ts';
import {
  type ApiScope,
  param,
  parseBody,
  query,
  roleAssignmentScopes,
  subscriptionPath,
  urlOf,
  vaultOf,
} from '../scope.ts';
import { checkRoleScope } from './clients.ts';

const provider = '/providers/Microsoft.Authorization';

/** Role assignments and definitions as Azure's clients know them (Microsoft.Authorization). */
export function registerRoles(app: FastifyInstance, scope: ApiScope, _access: Access): void {
  const { db, clock } = scope.workshop;
  const definitionId = (id: string) =>
    `/subscriptions/${scope.subscriptionId}${provider}/roleDefinitions/${id}`;

  const presentDefinition = ({ id, displayName, description }: RoleDefinition) => ({
    id: definitionId(id),
    name: id,
    type: 'Microsoft.Authorization/roleDefinitions',
    properties: { roleName: displayName, type: 'BuiltInRole', description, assignableScopes: ['/'] },
  });

  const present = (row: RoleAssignmentRow): RoleAssignment => ({
    id: `${row.scope}${provider}/roleAssignments/${row.assignment_id}`,
    name: row.assignment_id,
    type: 'Microsoft.Authorization/roleAssignments',
    properties: {
      roleDefinitionId: definitionId(roleDefinitions.find(({ role }) => role === row.role)?.id ?? row.role),
      principalId: row.principal_id,
      principalType: row.principal_type === 'client' ? 'ServicePrincipal' : 'User',
      scope: row.scope,
      createdOn: row.created_at,
      createdBy: row.created_by,
      holdfast: { role: row.role },
    },
  });

  app.get(`${subscriptionPath}${provider}/roleDefinitions`, async (request) => {
    const wanted = parseFilter(query(request, '$filter'), ['roleName']).get('rolename');
    const found = roleDefinitions.filter(
      ({ displayName }) => wanted === undefined || displayName.toLowerCase() === wanted.toLowerCase(),
    );
    return { value: found.map(presentDefinition) };
  });

  for (const at of roleAssignmentScopes) {
    const path = `${at}${provider}/roleAssignments`;
    /** The scope that the path names, as an id. */
    const scopeId = (request: FastifyRequest) =>
      decodeURIComponent(request.url.split('?')[0] ?? '').replace(
        /\/providers\/Microsoft\.Authorization\/.*$/i,
        '',
      );
    const isAt = (row: RoleAssignmentRow, request: FastifyRequest) =>
      row.scope.toLowerCase() === scopeId(request).toLowerCase();
    const isWithin = (row: RoleAssignmentRow, request: FastifyRequest) =>
      `${row.scope.toLowerCase()}/`.startsWith(`${scopeId(request).toLowerCase()}/`);
    const existing = async (request: FastifyRequest) => {
      const row = await findRoleAssignment(db, param(request, 'assignment').toLowerCase());
      return row !== undefined && isAt(row, request) ? row : undefined;
    };

    // Those at the scope and below it, as Azure lists them; never those of elsewhere.
    app.get(path, async (request) => {
      const filter = parseFilter(query(request, '$filter')?.replace(/^\s*atScope\(\)\s*(and\s+)?/i, ''), [
        'principalId',
      ]);
      const principal = filter.get('principalid')?.toLowerCase();
      const rows = (await listRoleAssignments(db)).filter(
        (row) => isWithin(row, request) && (principal === undefined || row.principal_id === principal),
      );
      return { value: rows.map(present) };
    });

    app.get(`${path}/:assignment`, async (request) => {
      const row = await existing(request);
      if (row !== undefined) return present(row);
      throw notThere(param(request, 'assignment'));
    });

    app.put(`${path}/:assignment`, async (request, reply) => {
      const { properties } = parseBody(roleAssignmentRequest, request);
      const id = param(request, 'assignment').toLowerCase();
      if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id))
        throw new HoldfastError('InvalidInput', 'The name of a role assignment is a GUID.', {
          target: id,
          action: `Make one for each assignment, for example ${randomUUID()}.`,
        });
      const role = roleOf(properties.roleDefinitionId);
      if (role === undefined)
        throw new HoldfastError('InvalidInput', `There is no role '${properties.roleDefinitionId}'.`, {
          target: 'properties.roleDefinitionId',
          action: `List them: GET ${urlOf(request, `/subscriptions/${scope.subscriptionId}${provider}/roleDefinitions`)}.`,
        });
      const at = scopeId(request);
      checkRoleScope(at, scope);
      if (exactScope(at)?.vault !== undefined) await vaultOf(db, request);
      const principal = await findPrincipal(db, properties.principalId.toLowerCase());
      if (principal === undefined)
        throw new HoldfastError('InvalidInput', `There is no principal '${properties.principalId}'.`, {
          target: 'properties.principalId',
          action: 'Give the id of a client or a person: holdfast client list, holdfast user list.',
        });
      const known = await existing(request);
      const row = assignmentRow(
        principal,
        { role, scope: at },
        {
          id,
          by: request.caller?.principal.id ?? '',
          now: clock.now().toString({ fractionalSecondDigits: 3 }),
        },
      );
      // Putting again what is there already changes nothing, as in Azure.
      if (known?.role === role && known.principal_id === principal.principal_id) return present(known);
      if (known !== undefined || !(await insertRoleAssignment(db, row)))
        throw new HoldfastError('RoleAssignmentExists', 'The role assignment already exists.', {
          target: id,
        });
      reply.code(201);
      return present(row);
    });

    app.delete(`${path}/:assignment`, async (request, reply) => {
      const row = await existing(request);
      if (row === undefined) return reply.code(204).send();
      await deleteRoleAssignment(db, row.assignment_id);
      return present(row);
    });
  }
}

const notThere = (id: string) =>
  new HoldfastError('ResourceNotFound', `There is no role assignment ${id.slice(0, 64)} at this scope.`, {
    target: id.slice(0, 64),
  });
