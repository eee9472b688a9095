import { realpath } from 'node:fs/promises';
import { dirname, resolve, sep } from 'node:path';
import type { ItemRow, PointRow, VaultRow } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import type { FrozenPoint, RestoreOptions } from '../jobs/index.ts';
import type { RestoreRequest } from './client/index.ts';
import { machineOfResourceId, nameOfResourceId } from './resource-ids.ts';
import type { ApiScope } from './scope.ts';

type Properties = RestoreRequest['properties'];

/** Azure's clients write a region as `westeurope` or as `West Europe`. */
const regionName = (text: string) => text.replaceAll(' ', '').toLowerCase();

const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

const refuse = (field: string, sentence: string) =>
  new HoldfastError('InvalidInput', `properties.${field}: ${sentence}.`, { target: `properties.${field}` });

/**
 * A restore as Azure's clients ask for it, as the jobs carry it out.
 * @param anywhere whether the caller may restore into any directory of the host, not only under the restore roots
 * @throws InvalidInput, OperationNotSupported, ResourceNotFound
 */
export async function restoreOptionsOf(
  scope: ApiScope,
  { vault, item, point }: { vault: VaultRow; item: ItemRow; point: PointRow },
  properties: Properties,
  anywhere: boolean,
): Promise<RestoreOptions> {
  refuseContradiction(vault, item, point, properties);
  if (properties.recoveryType === 'Offline') {
    throw new HoldfastError('OperationNotSupported', 'The recovery type Offline is not offered.', {
      target: 'properties.recoveryType',
      action: 'Restore the VM (OriginalLocation), a new one (AlternateLocation) or its disks (RestoreDisks).',
    });
  }
  if (properties.recoveryType === 'OriginalLocation') return originalOf(item, point, properties);
  const { diskFormat, tier, from, connectNetwork, start, live, allowDamaged } = properties.holdfast ?? {};
  const disks = disksOf(point, properties);
  const isMachine = properties.recoveryType === 'AlternateLocation';
  if (isMachine && disks !== undefined)
    throw refuse('holdfast.disks', 'a new VM is restored with all disks of the point');
  const target = properties.targetVirtualMachineId;
  const network = networkOf(properties);
  return {
    kind: isMachine ? 'machine' : 'disks',
    directory: await directoryOf(scope, item, properties.storageAccountId, anywhere),
    ...(diskFormat !== undefined && { diskFormat }),
    ...(disks !== undefined && { disks }),
    ...(tier !== undefined && { tier }),
    ...(from !== undefined && { from }),
    ...(target !== undefined && { machineName: machineNameOf(item, target) }),
    ...(network !== undefined && { network, connectNetwork: true }),
    ...(connectNetwork !== undefined && { connectNetwork }),
    ...(start !== undefined && { start }),
    ...(live !== undefined && { live }),
    ...(allowDamaged !== undefined && { allowDamaged }),
  };
}

/** What a new VM or new files can be asked for, and disks that are there can't. */
const onlyOfNew = ['diskFormat', 'connectNetwork', 'live', 'allowDamaged'] as const;

function originalOf(item: ItemRow, point: PointRow, properties: Properties): RestoreOptions {
  const { holdfast = {}, sourceResourceId, targetVirtualMachineId: target } = properties;
  // Whose disks are replaced is said, and by that asked whether the caller may.
  if (sourceResourceId === undefined)
    throw refuse('sourceResourceId', 'it is missing: name the VM whose disks are to be replaced');
  if (target !== undefined && target !== '' && !same(machineNameOf(item, target), item.vm_name))
    throw refuse(
      'targetVirtualMachineId',
      `it is '${target}', but the disks of '${item.vm_name}' are replaced`,
    );
  if (networkOf(properties) !== undefined)
    throw refuse('virtualNetworkId', 'the VM keeps the networks that it has');
  for (const field of onlyOfNew)
    if (holdfast[field] !== undefined)
      throw refuse(
        `holdfast.${field}`,
        'it can be said of what is made anew, not of disks that are replaced',
      );
  const disks = disksOf(point, properties);
  const { tier, from, start } = holdfast;
  return {
    kind: 'original',
    directory: '',
    ...(disks !== undefined && { disks }),
    ...(tier !== undefined && { tier }),
    ...(from !== undefined && { from }),
    ...(start !== undefined && { start }),
  };
}

/** What the body repeats of the path must say the same, or one of the two is a mistake. */
function refuseContradiction(vault: VaultRow, item: ItemRow, point: PointRow, properties: Properties): void {
  const { recoveryPointId, sourceResourceId, region, targetResourceGroupId } = properties;
  if (recoveryPointId !== undefined && !same(nameOfResourceId(recoveryPointId), point.point_id))
    throw refuse(
      'recoveryPointId',
      `it is '${recoveryPointId}', but the request is for point ${point.point_id}`,
    );
  const source = sourceResourceId === undefined ? undefined : machineOfResourceId(sourceResourceId);
  const isSource =
    source !== undefined &&
    same(source.machine, item.vm_name) &&
    same(source.resourceGroup, item.host_resource_group);
  if (sourceResourceId !== undefined && !isSource)
    throw refuse(
      'sourceResourceId',
      `it is '${sourceResourceId}', but the point is one of VM '${item.vm_name}'`,
    );
  if (region !== undefined && regionName(region) !== regionName(vault.location))
    throw refuse('region', `it is '${region}', but VMs of this vault are restored in '${vault.location}'`);
  if (
    targetResourceGroupId !== undefined &&
    !same(nameOfResourceId(targetResourceGroupId), item.host_resource_group)
  )
    throw refuse(
      'targetResourceGroupId',
      `a new VM is in the resource group of its source's host, '${item.host_resource_group}'`,
    );
}

/** Disks by target or by Azure's logical units; undefined: all. */
function disksOf(
  point: PointRow,
  { holdfast, restoreDiskLunList: luns }: Properties,
): readonly string[] | undefined {
  if (luns === undefined) return holdfast?.disks;
  if (holdfast?.disks !== undefined) throw refuse('restoreDiskLunList', 'holdfast.disks names disks, too');
  const all = (JSON.parse(point.frozen_json) as FrozenPoint).disks;
  // An empty list is how azure-cli asks for the disk of the operating system alone.
  return (luns.length === 0 ? [-1] : luns).map((lun) => {
    const disk = all[lun + 1];
    if (disk !== undefined) return disk.target;
    throw refuse('restoreDiskLunList', `the point has no disk ${lun}; it has -1 to ${all.length - 2}`);
  });
}

function machineNameOf(item: ItemRow, target: string): string {
  if (!target.startsWith('/')) return target;
  const vm = machineOfResourceId(target);
  if (vm === undefined)
    throw refuse('targetVirtualMachineId', `'${target}' is no resource id of a virtual machine`);
  if (!same(vm.resourceGroup, item.host_resource_group))
    throw refuse(
      'targetVirtualMachineId',
      `a new VM is in the resource group of its source's host, '${item.host_resource_group}'`,
    );
  return vm.machine;
}

const networkId =
  /^\/subscriptions\/[^/]+\/resourceGroups\/[^/]+\/providers\/Microsoft\.Network\/virtualNetworks\/([^/]+)/i;

function networkOf({ virtualNetworkId, subnetId }: Properties): string | undefined {
  const named = (field: string, id: string) => {
    const name = networkId.exec(id)?.[1];
    if (name === undefined) throw refuse(field, `'${id}' is no resource id of a virtual network`);
    return name;
  };
  const network =
    virtualNetworkId === undefined || virtualNetworkId === ''
      ? undefined
      : named('virtualNetworkId', virtualNetworkId);
  if (subnetId === undefined || subnetId === '') return network;
  const ofSubnet = named('subnetId', subnetId);
  if (network !== undefined && !same(network, ofSubnet))
    throw refuse('subnetId', `it is of network '${ofSubnet}', not of '${network}'`);
  return ofSubnet;
}

const poolId =
  /^\/subscriptions\/[^/]+\/resourceGroups\/([^/]+)\/providers\/Microsoft\.(?:Classic)?Storage\/storageAccounts\/([^/]+)$/i;

/** The directory that image files go to. */
async function directoryOf(
  scope: ApiScope,
  item: ItemRow,
  text: string | undefined,
  anywhere: boolean,
): Promise<string> {
  if (text === undefined) throw refuse('storageAccountId', 'it is missing: say where the images are to go');
  const pool = poolId.exec(text)?.[2];
  if (pool !== undefined) return (await scope.workshop.estate.host(item.host_name)).poolDirectory(pool);
  if (!text.startsWith('/') || /^\/subscriptions\//i.test(text) || text.includes('\0'))
    throw refuse(
      'storageAccountId',
      `'${text.slice(0, 200)}' is neither a storage pool's resource id nor an absolute directory`,
    );
  const directory = resolve(text);
  if (anywhere) return directory;
  const real = await realOf(directory);
  for (const root of scope.restoreRoots) {
    const realRoot = await realOf(root);
    if (real === realRoot || real.startsWith(`${realRoot}${sep}`)) return directory;
  }
  throw new HoldfastError(
    'InvalidInput',
    `properties.storageAccountId: '${directory}' is not under a directory that restores may go to.`,
    {
      target: 'properties.storageAccountId',
      action: `Restore into a storage pool or under ${scope.restoreRoots.join(', ')}; "holdfast serve --restore-root DIR" allows others.`,
    },
  );
}

/** The path with the links of whatever part of it exists resolved: none may lead out of a root. */
async function realOf(path: string): Promise<string> {
  const missing: string[] = [];
  for (let at = path; ; at = dirname(at)) {
    try {
      return resolve(await realpath(at), ...missing);
    } catch (error) {
      if (at === dirname(at) || (error as NodeJS.ErrnoException).code !== 'ENOENT')
        throw refuse('storageAccountId', `'${path}' can't be used`);
      missing.unshift(at.slice(dirname(at) === sep ? 1 : dirname(at).length + 1));
    }
  }
}
