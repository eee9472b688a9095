import { createHash } from 'node:crypto';
import {
  getVault,
  type ItemRow,
  listItemsWithSnapshots,
  listPoints,
  type PointRow,
} from '../../catalog/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import type { FrozenPoint } from '../../jobs/index.ts';
import type { RestorePoint, RestorePointCollection } from '../client/index.ts';
import { pageOfAll } from '../protocol/paging.ts';
import { type ApiScope, groupPath, param, query, type RegisterRoutes, subscriptionPath } from '../scope.ts';

const modes = {
  application: 'ApplicationConsistent',
  'file-system': 'FileSystemConsistent',
  crash: 'CrashConsistent',
} as const;

/** A protected VM whose points are on its host, as the collection that Azure Backup would keep of it. */
interface Collection {
  id: string;
  group: string;
  name: string;
  location: string;
  item: ItemRow;
}

/** Azure's name has a number that tells collections of equally named VMs apart. */
function nameOf(item: ItemRow): string {
  const number = createHash('sha256').update(item.item_id).digest().readUIntBE(0, 6);
  return `AzureBackup_${item.vm_name}_${number}`;
}

/** Microsoft.Compute: the snapshots of protected VMs. They are made and expired by their policies alone. */
export const registerRestorePointCollections: RegisterRoutes = (app, scope) => {
  const { db } = scope.workshop;
  const provider = '/providers/Microsoft.Compute/restorePointCollections';

  const collectionOf = async (item: ItemRow): Promise<Collection> => {
    const { location } = await getVault(db, item.vault_id);
    const group = `AzureBackupRG_${location}_1`;
    const name = nameOf(item);
    return { id: `${scope.ids.group(group)}${provider}/${name}`, group, name, location, item };
  };
  /** Collections, in a group if one is named, of VMs that have a snapshot. */
  const list = async (group?: string): Promise<Collection[]> => {
    const all = await Promise.all((await listItemsWithSnapshots(db)).map(collectionOf));
    return all.filter((each) => group === undefined || each.group.toLowerCase() === group.toLowerCase());
  };
  const snapshotsOf = async (item: ItemRow): Promise<PointRow[]> =>
    (await listPoints(db, item.item_id)).filter((point) => point.in_snapshot === 1);
  const find = async (group: string, name: string): Promise<Collection> => {
    const found = (await list(group)).find((each) => each.name.toLowerCase() === name.toLowerCase());
    if (found !== undefined) return found;
    throw new HoldfastError('ResourceNotFound', `There is no restore point collection '${name}'.`, {
      target: name,
    });
  };

  app.get(`${subscriptionPath}${provider}`, async (request) =>
    pageOfAll(
      request,
      (await list()).map((each) => present(scope, each)),
    ),
  );
  app.get(`${groupPath}${provider}`, async (request) =>
    pageOfAll(
      request,
      (await list(param(request, 'group'))).map((each) => present(scope, each)),
    ),
  );
  app.get(`${groupPath}${provider}/:collection`, async (request) => {
    const found = await find(param(request, 'group'), param(request, 'collection'));
    const shown = present(scope, found);
    if (!/\brestorePoints\b/i.test(query(request, '$expand') ?? '')) return shown;
    const restorePoints = (await snapshotsOf(found.item)).map((point) => presentPoint(found, point));
    return { ...shown, properties: { ...shown.properties, restorePoints } };
  });
  app.get(`${groupPath}${provider}/:collection/restorePoints/:point`, async (request) => {
    const found = await find(param(request, 'group'), param(request, 'collection'));
    const name = param(request, 'point');
    const point = (await snapshotsOf(found.item)).find((each) => each.point_id === name.toLowerCase());
    if (point !== undefined) return presentPoint(found, point);
    throw new HoldfastError('ResourceNotFound', `Collection '${found.name}' has no restore point ${name}.`, {
      target: name,
    });
  });
};

function present(scope: ApiScope, { id, name, location, item }: Collection): RestorePointCollection {
  return {
    id,
    name,
    type: 'Microsoft.Compute/restorePointCollections',
    location,
    properties: {
      provisioningState: 'Succeeded',
      restorePointCollectionId: item.item_id,
      source: { id: scope.ids.virtualMachine(item.host_resource_group, item.vm_name), location },
    },
  };
}

function presentPoint({ id, location }: Collection, point: PointRow): RestorePoint {
  const frozen = JSON.parse(point.frozen_json) as FrozenPoint;
  const [first, ...rest] = frozen.disks.map(({ target, sizeBytes }) => ({
    name: target,
    createOption: 'Attach' as const,
    diskSizeGB: Math.ceil(sizeBytes / 2 ** 30),
    diskSizeBytes: sizeBytes,
  }));
  return {
    id: `${id}/restorePoints/${point.point_id}`,
    name: point.point_id,
    type: 'Microsoft.Compute/restorePointCollections/restorePoints',
    properties: {
      provisioningState: 'Succeeded',
      consistencyMode: modes[frozen.consistency],
      timeCreated: point.taken_at,
      excludeDisks: frozen.excludedDisks.map((target) => ({ id: target })),
      sourceMetadata: {
        vmId: frozen.machineUuid,
        location,
        storageProfile: {
          ...(first === undefined ? {} : { osDisk: first }),
          dataDisks: rest.map((disk, lun) => ({ lun, ...disk })),
        },
      },
    },
  };
}
