import {
  deleteResourceGroup,
  deleteRolesAt,
  findResourceGroup,
  listHosts,
  listResourceGroups,
  listVaults,
  type ResourceGroupRow,
  saveResourceGroup,
} from '../../catalog/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import { resourceGroupNameProblem } from '../../protection/index.ts';
import {
  type GenericResource,
  type ResourceGroup,
  resourceGroupRequest,
  resourceGroupUpdate,
} from '../client/index.ts';
import { pageOfAll } from '../protocol/paging.ts';
import {
  type ApiScope,
  groupPath,
  param,
  parseBody,
  type RegisterRoutes,
  subscriptionPath,
} from '../scope.ts';

function present(scope: ApiScope, row: ResourceGroupRow): ResourceGroup {
  return {
    id: scope.ids.group(row.name),
    name: row.name,
    type: 'Microsoft.Resources/resourceGroups',
    location: row.location,
    tags: JSON.parse(row.tags_json) as Record<string, string>,
    properties: { provisioningState: 'Succeeded' },
  };
}

/** What is in the groups, and would be deleted with them: vaults and hosts. */
async function contents({ workshop, ids }: ApiScope, group?: string): Promise<GenericResource[]> {
  const inGroup = (row: { resource_group: string }) =>
    group === undefined || row.resource_group.toLowerCase() === group.toLowerCase();
  const vaults = (await listVaults(workshop.db)).filter(inGroup).map((row) => ({
    id: ids.vault(row),
    name: row.name,
    type: 'Microsoft.RecoveryServices/vaults',
    location: row.location,
    tags: JSON.parse(row.tags_json) as Record<string, string>,
  }));
  const hosts = (await listHosts(workshop.db)).filter(inGroup).map((row) => ({
    id: ids.host(row),
    name: row.name,
    type: 'Holdfast.Fleet/hosts',
    location: row.location,
  }));
  return [...vaults, ...hosts];
}

export const registerResourceGroups: RegisterRoutes = (app, scope) => {
  const { db } = scope.workshop;

  const groupOf = async (name: string): Promise<ResourceGroupRow> => {
    const row = await findResourceGroup(db, name);
    if (row !== undefined) return row;
    throw new HoldfastError('ResourceGroupNotFound', `Resource group '${name}' could not be found.`, {
      target: name,
    });
  };

  app.get(`${subscriptionPath}/resourceGroups`, async (request) =>
    pageOfAll(
      request,
      (await listResourceGroups(db)).map((row) => present(scope, row)),
      ({ id }) => id,
    ),
  );

  app.head(groupPath, async (request, reply) => {
    const known = await findResourceGroup(db, param(request, 'group'));
    return reply.code(known === undefined ? 404 : 204).send();
  });

  app.get(groupPath, async (request) => present(scope, await groupOf(param(request, 'group'))));

  app.put(groupPath, async (request, reply) => {
    const { location, tags = {} } = parseBody(resourceGroupRequest, request);
    const name = param(request, 'group');
    const problem = resourceGroupNameProblem(name);
    if (problem !== undefined) throw new HoldfastError('InvalidInput', problem, { target: name });
    const known = await findResourceGroup(db, name);
    if (known !== undefined && known.location.toLowerCase() !== location.toLowerCase()) {
      throw new HoldfastError(
        'ResourceAlreadyExists',
        `Resource group '${known.name}' is in region '${known.location}' and stays there.`,
        { target: name },
      );
    }
    const row = {
      name: known?.name ?? name,
      location: known?.location ?? location,
      tags_json: JSON.stringify(tags),
    };
    await saveResourceGroup(db, row);
    reply.code(known === undefined ? 201 : 200);
    return present(scope, row);
  });

  app.patch(groupPath, async (request) => {
    const { tags } = parseBody(resourceGroupUpdate, request);
    const known = await groupOf(param(request, 'group'));
    const row = tags === undefined ? known : { ...known, tags_json: JSON.stringify(tags) };
    await saveResourceGroup(db, row);
    return present(scope, row);
  });

  // Azure deletes what is in the group as well. Here nothing that holds backups, or leads to them, goes in passing.
  app.delete(groupPath, async (request, reply) => {
    const { name } = await groupOf(param(request, 'group'));
    const inside = await contents(scope, name);
    if (inside.length > 0) {
      throw new HoldfastError(
        'ResourceInUse',
        `Resource group '${name}' still has ${inside.map((each) => `${each.type} '${each.name}'`).join(', ')} in it.`,
        {
          target: name,
          action: 'Delete its vaults, which is refused while they protect something, and remove its hosts.',
        },
      );
    }
    await deleteResourceGroup(db, name);
    // A group that gets the same name later is another one.
    await deleteRolesAt(db, scope.ids.group(name));
    return reply.code(200).send();
  });

  app.get(`${subscriptionPath}/resources`, async (request) =>
    pageOfAll(request, await contents(scope), ({ id }) => id),
  );
  app.get(`${groupPath}/resources`, async (request) => {
    const { name } = await groupOf(param(request, 'group'));
    return pageOfAll(request, await contents(scope, name), ({ id }) => id);
  });
};
