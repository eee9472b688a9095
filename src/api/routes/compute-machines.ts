import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FoundMachine } from '../../jobs/index.ts';
import type { ComputeMachine, InstanceView } from '../client/index.ts';
import { runOperation } from '../protocol/operation-registry.ts';
import { pageOfAll } from '../protocol/paging.ts';
import {
  type ApiScope,
  accepted,
  groupPath,
  param,
  query,
  type RegisterRoutes,
  subscriptionPath,
} from '../scope.ts';
import { presentZone } from './hosts.ts';

/** A guest has a minute and a half to shut down, and libvirt its own time limits. */
const powerLimitMs = 5 * 60_000;

const succeeded = {
  code: 'ProvisioningState/succeeded',
  level: 'Info',
  displayStatus: 'Provisioning succeeded',
} as const;

const powerStates: Record<FoundMachine['machine']['state'], readonly [code: string, words: string]> = {
  running: ['running', 'VM running'],
  paused: ['stopped', 'VM stopped (paused)'],
  'shut off': ['deallocated', 'VM deallocated'],
  crashed: ['deallocated', 'VM deallocated (crashed)'],
  other: ['unknown', 'VM in transition'],
};

const disksOf = ({ machine }: FoundMachine) =>
  machine.disks.filter((disk) => disk.device === 'disk' || disk.device === 'lun');

function presentDisk({ target, sizeBytes }: FoundMachine['machine']['disks'][number]) {
  return {
    name: target,
    createOption: 'Attach' as const,
    ...(sizeBytes === undefined
      ? {}
      : { diskSizeGB: Math.ceil(sizeBytes / 2 ** 30), diskSizeBytes: sizeBytes }),
  };
}

/** libosinfo's id of a system, in Azure's two words. */
const osTypeOf = (id: string) => (/microsoft|win/i.test(id) ? ('Windows' as const) : ('Linux' as const));

function viewOf(found: FoundMachine): InstanceView {
  const { machine } = found;
  const [power, words] = powerStates[machine.state];
  const answers = machine.agent === 'connected';
  return {
    computerName: machine.name,
    hyperVGeneration: machine.firmware === 'efi' ? 'V2' : 'V1',
    vmAgent: {
      vmAgentVersion: answers ? 'qemu-guest-agent' : 'Unknown',
      statuses: [
        answers
          ? { code: 'ProvisioningState/succeeded', level: 'Info', displayStatus: 'Ready' }
          : {
              code: 'ProvisioningState/Unavailable',
              level: 'Warning',
              displayStatus: 'Not Ready',
              message:
                machine.agent === 'absent'
                  ? 'The definition of the VM has no channel for the guest agent.'
                  : 'The guest agent is not connected.',
            },
      ],
    },
    disks: disksOf(found).map(({ target }) => ({ name: target, statuses: [succeeded] })),
    statuses: [succeeded, { code: `PowerState/${power}`, level: 'Info', displayStatus: words }],
  };
}

function present(scope: ApiScope, found: FoundMachine, withView: boolean): ComputeMachine {
  const { host, machine } = found;
  const [first, ...rest] = disksOf(found);
  return {
    id: scope.ids.virtualMachine(host.resource_group, machine.name),
    name: machine.name,
    type: 'Microsoft.Compute/virtualMachines',
    location: host.location,
    ...presentZone(host),
    tags: {},
    properties: {
      vmId: machine.uuid,
      provisioningState: 'Succeeded',
      hardwareProfile: {
        vmSize: `Holdfast_${machine.vcpus}vCPU_${Math.ceil(machine.memoryBytes / 2 ** 20)}MiB`,
        vmSizeProperties: { vCPUsAvailable: machine.vcpus },
      },
      storageProfile: {
        // As Azure counts: the first disk is the operating system's, the others have the numbers from 0.
        ...(first === undefined
          ? {}
          : {
              osDisk: {
                ...presentDisk(first),
                ...(machine.osType === undefined ? {} : { osType: osTypeOf(machine.osType) }),
              },
            }),
        dataDisks: rest.map((disk, lun) => ({ lun, ...presentDisk(disk) })),
      },
      osProfile: { computerName: machine.name },
      networkProfile: { networkInterfaces: [] },
      ...(withView ? { instanceView: viewOf(found) } : {}),
    },
  };
}

/** Microsoft.Compute: the VMs of the hosts, read and switched on and off. They are made and changed with libvirt's tools. */
export const registerComputeMachines: RegisterRoutes = (app, scope) => {
  const { workshop } = scope;
  const { estate } = workshop;
  const provider = '/providers/Microsoft.Compute';
  const path = `${groupPath}${provider}/virtualMachines/:machine`;
  const find = (request: FastifyRequest) =>
    estate.findMachine(param(request, 'group'), param(request, 'machine'));
  const wantsView = (request: FastifyRequest) =>
    /\binstanceView\b/i.test(query(request, '$expand') ?? '') ||
    query(request, 'statusOnly')?.toLowerCase() === 'true';

  const list = async (request: FastifyRequest, isWanted: (host: FoundMachine['host']) => boolean) => {
    const found = (await estate.listMachines()).filter(({ host }) => isWanted(host));
    const page = pageOfAll(request, found, nameOf);
    return { ...page, value: page.value.map((each) => present(scope, each, wantsView(request))) };
  };
  /** Two hosts of a group may have VMs of one name. */
  const nameOf = ({ host, machine }: FoundMachine) =>
    [host.resource_group, machine.name, machine.uuid].join('/');
  const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

  app.get(`${subscriptionPath}${provider}/virtualMachines`, (request) => list(request, () => true));
  app.get(`${subscriptionPath}${provider}/locations/:location/virtualMachines`, (request) =>
    list(request, (host) => same(host.location, param(request, 'location'))),
  );
  app.get(`${groupPath}${provider}/virtualMachines`, (request) =>
    list(request, (host) => same(host.resource_group, param(request, 'group'))),
  );
  app.get(path, async (request) => present(scope, await find(request), wantsView(request)));
  app.get(`${path}/instanceView`, async (request) => viewOf(await find(request)));

  async function run(
    request: FastifyRequest,
    reply: FastifyReply,
    { host, machine }: FoundMachine,
    work: (host: Awaited<ReturnType<typeof estate.host>>, uuid: string, signal: AbortSignal) => Promise<void>,
  ): Promise<FastifyReply> {
    const opened = await estate.host(host.name);
    const operationId = await runOperation(workshop, powerLimitMs, (signal) =>
      work(opened, machine.uuid, signal),
    );
    const place = `/subscriptions/${scope.subscriptionId}${provider}/locations/${host.location}`;
    return accepted(request, reply, place, operationId, { status: 'operations', result: 'operations' });
  }

  app.post(`${path}/start`, async (request, reply) =>
    run(request, reply, await find(request), (host, uuid, signal) => host.startMachine(uuid, signal)),
  );
  // A VM that is off holds nothing of its host: both of Azure's words mean the same here.
  for (const action of ['powerOff', 'deallocate']) {
    app.post(`${path}/${action}`, async (request, reply) => {
      const force =
        query(request, 'skipShutdown')?.toLowerCase() === 'true' ||
        query(request, 'forceDeallocate')?.toLowerCase() === 'true';
      return run(request, reply, await find(request), (host, uuid, signal) =>
        host.stopMachine(uuid, { force, signal }),
      );
    });
  }
  app.post(`${path}/restart`, async (request, reply) =>
    run(request, reply, await find(request), async (host, uuid, signal) => {
      await host.stopMachine(uuid, { force: false, signal });
      await host.startMachine(uuid, signal);
    }),
  );
};
