import { type ItemRow, listItemsOfVm, listItemsOfVms } from '../../catalog/index.ts';
import { type FoundMachine, freezeHookByHand } from '../../jobs/index.ts';
import type { VirtualMachine } from '../client/index.ts';
import { pageOfAll } from '../protocol/paging.ts';
import {
  type ApiScope,
  groupPath,
  param,
  type RegisterRoutes,
  subscriptionPath,
  vaultOfItem,
} from '../scope.ts';
import { presentZone } from './hosts.ts';

type Obstacles = NonNullable<VirtualMachine['properties']['protection']['obstacles']>;

async function protectionOf(
  scope: ApiScope,
  item: ItemRow | undefined,
  obstacles: Obstacles | undefined,
): Promise<VirtualMachine['properties']['protection']> {
  const found = obstacles === undefined ? {} : { obstacles };
  if (item === undefined) {
    return { state: (obstacles?.length ?? 0) > 0 ? 'NotProtectable' : 'NotProtected', ...found };
  }
  const vault = await vaultOfItem(scope.workshop.db, item);
  return {
    state: item.state === 'IRPending' ? 'Protected' : item.state,
    vaultId: scope.ids.vault(vault),
    itemId: scope.ids.item(vault, item),
    ...found,
  };
}

async function present(
  scope: ApiScope,
  { host, machine }: FoundMachine,
  item: ItemRow | undefined,
  obstacles?: Obstacles,
): Promise<VirtualMachine> {
  return {
    id: scope.ids.fleetMachine(host.resource_group, machine.name),
    name: machine.name,
    type: 'Holdfast.Fleet/virtualMachines',
    location: host.location,
    ...presentZone(host),
    properties: {
      vmId: machine.uuid,
      host: host.name,
      powerState: machine.state,
      memoryBytes: machine.memoryBytes,
      vcpus: machine.vcpus,
      firmware: machine.firmware,
      ...(machine.osType === undefined ? {} : { osType: machine.osType }),
      agent: machine.agent,
      disks: machine.disks
        .filter((disk) => disk.device === 'disk' || disk.device === 'lun')
        .map((disk) => ({
          target: disk.target,
          bus: disk.bus,
          type: disk.type,
          ...(disk.format === undefined ? {} : { format: disk.format }),
          ...(disk.sizeBytes === undefined ? {} : { sizeBytes: disk.sizeBytes }),
          ...(disk.path === undefined ? {} : { path: disk.path }),
          layers: disk.chain.length,
        })),
      protection: await protectionOf(scope, item, obstacles),
    },
  };
}

/** The item that says how a VM is protected: the one that is backed up, or else one that keeps data of it. */
function chief(items: readonly ItemRow[]): ItemRow | undefined {
  return (
    items.find((item) => item.policy_name !== null) ??
    items.find((item) => item.state !== 'SoftDeleted') ??
    items[0]
  );
}

export const registerVirtualMachines: RegisterRoutes = (app, scope) => {
  const { db, estate } = scope.workshop;

  app.get(`${subscriptionPath}/providers/Holdfast.Fleet/virtualMachines`, async (request) => {
    const page = pageOfAll(request, await estate.listMachines(), ({ host, machine }) =>
      [host.resource_group, machine.name, machine.uuid].join('/'),
    );
    const items = await listItemsOfVms(
      db,
      page.value.map(({ host, machine }) => ({ host_name: host.name, vm_uuid: machine.uuid })),
    );
    const itemsOf = Map.groupBy(items, (item) => `${item.host_name} ${item.vm_uuid}`);
    return {
      ...page,
      value: await Promise.all(
        page.value.map((found) =>
          present(scope, found, chief(itemsOf.get(`${found.host.name} ${found.machine.uuid}`) ?? [])),
        ),
      ),
    };
  });

  app.get(`${groupPath}/providers/Holdfast.Fleet/virtualMachines/:machine`, async (request) => {
    const found = await estate.findMachine(param(request, 'group'), param(request, 'machine'));
    const item = chief(await listItemsOfVm(db, found.host.name, found.machine.uuid));
    const host = await estate.host(found.host.name);
    const excluded = item === undefined ? [] : (JSON.parse(item.excluded_disks_json) as string[]);
    const { uuid } = found.machine;
    const [obstacles, agentReport] = await Promise.all([
      host.findObstacles(uuid, excluded),
      host.reportAgent(uuid),
    ]);
    const shown = await present(
      scope,
      found,
      item,
      obstacles.map(({ code, disk, message, action }) => ({
        code,
        message,
        action,
        ...(disk === undefined ? {} : { disk }),
      })),
    );
    return { ...shown, properties: { ...shown.properties, agentReport } };
  });

  app.post(
    `${groupPath}/providers/Holdfast.Fleet/virtualMachines/:machine/installFreezeHook`,
    async (request) => {
      const { host, machine } = await estate.findMachine(param(request, 'group'), param(request, 'machine'));
      return (await estate.host(host.name)).installFreezeHook(machine.uuid);
    },
  );

  app.get(`${subscriptionPath}/providers/Holdfast.Fleet/freezeHook`, async () => freezeHookByHand());
};
