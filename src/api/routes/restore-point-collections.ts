import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { type ItemRow, listItemsWithSnapshots, listPoints, type PointRow } from '../../catalog/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import type { FrozenPoint } from '../../jobs/index.ts';
import type { RestorePoint, RestorePointCollection } from '../client/index.ts';
import { pageOf, pageWish } from '../protocol/paging.ts';
import {
  type ApiScope,
  groupPath,
  param,
  query,
  type RegisterRoutes,
  subscriptionPath,
  vaultOfItem,
} from '../scope.ts';

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

/** The VM that the name of a collection is made of. */
const machineOfName = (name: string) => /^AzureBackup_(.+)_\d+$/i.exec(name)?.[1];

/** VMs of one name in all vaults and groups. */
const mostOfOneName = 1000;

const isSame = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

/** Microsoft.Compute: the snapshots of protected VMs. They are made and expired by their policies alone. */
export const registerRestorePointCollections: RegisterRoutes = (app, scope) => {
  const { db } = scope.workshop;
  const provider = '/providers/Microsoft.Compute/restorePointCollections';

  const collectionOf = async (item: ItemRow): Promise<Collection> => {
    const { location } = await vaultOfItem(db, item);
    const group = `AzureBackupRG_${location}_1`;
    const name = nameOf(item);
    return { id: `${scope.ids.group(group)}${provider}/${name}`, group, name, location, item };
  };
  /** A page of the collections, in a group if one is named, of VMs that have a snapshot. */
  const list = async (request: FastifyRequest, group?: string) => {
    const wish = pageWish(request, ['', '']);
    const items = await listItemsWithSnapshots(db, { after: wish.after, limit: wish.size + 1 });
    const page = pageOf(request, wish, items, (item) => [item.vm_name, item.item_id]);
    const all = await Promise.all(page.value.map(collectionOf));
    const wanted = all.filter((each) => group === undefined || isSame(each.group, group));
    return { ...page, value: wanted.map((each) => present(scope, each)) };
  };
  const snapshotsOf = async (item: ItemRow): Promise<PointRow[]> =>
    (await listPoints(db, item.item_id)).filter((point) => point.in_snapshot === 1);
  const find = async (group: string, name: string): Promise<Collection> => {
    const vmName = machineOfName(name);
    const items =
      vmName === undefined ? [] : await listItemsWithSnapshots(db, { vmName, limit: mostOfOneName });
    for (const item of items) {
      const found = await collectionOf(item);
      if (isSame(found.name, name) && isSame(found.group, group)) return found;
    }
    throw new HoldfastError('ResourceNotFound', `There is no restore point collection '${name}'.`, {
      target: name,
    });
  };

  app.get(`${subscriptionPath}${provider}`, (request) => list(request));
  app.get(`${groupPath}${provider}`, (request) => list(request, param(request, 'group')));
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
