import type { Command } from 'commander';
import { segmentOf, type VirtualMachine } from '../../api/client/index.ts';
import type { Call } from '../call.ts';
import { addCommand, addNoun, type Cli, onRun, withGroup } from '../command.ts';
import { formatBytes, nothing } from '../format.ts';
import { type Cell, formatTable } from '../table.ts';
import { inNamedGroup } from './host.ts';
import { addVmRegisterCommands } from './vm-register.ts';

type Protection = VirtualMachine['properties']['protection']['state'];

const protectionWords: Record<Protection, Cell> = {
  NotProtected: { text: 'not protected', tone: 'warning' },
  Protected: { text: 'protected', tone: 'good' },
  ProtectionStopped: { text: 'stopped', tone: 'warning' },
  BackupsSuspended: { text: 'suspended', tone: 'warning' },
  SoftDeleted: { text: 'deleted', tone: 'warning' },
  NotProtectable: { text: 'not protectable', tone: 'bad' },
};

export function addVmCommands(program: Command, cli: Cli): void {
  const noun = addNoun(program, 'vm', 'virtual machines on the hosts');

  const list = withGroup(
    addCommand(noun, {
      name: 'list',
      summary: 'List the virtual machines of all hosts, and whether they are protected.',
      example: 'holdfast vm list',
    }),
  );
  onRun(list, cli, async (call) => {
    const machines = await (await call.connect()).virtualMachines.list();
    call.list(
      machines.filter(({ id }) => inNamedGroup(call, id)),
      [
        { header: 'NAME' },
        { header: 'GROUP' },
        { header: 'HOST' },
        { header: 'POWER' },
        { header: 'AGENT' },
        { header: 'DISKS', align: 'right' },
        { header: 'SIZE', align: 'right' },
        { header: 'PROTECTION' },
        { header: 'VAULT' },
      ],
      ({ id, name, properties }) => [
        name,
        segmentOf(id, 'resourceGroups') ?? nothing,
        nameOf(properties.host),
        properties.powerState,
        properties.agent,
        String(properties.disks.length),
        formatBytes(totalSize(properties.disks)),
        protectionWords[properties.protection.state],
        vaultOf(properties) ?? nothing,
      ],
      `No virtual machines. Is a host connected? ${call.nextCommand('host list', false)}`,
    );
  });

  const show = withGroup(
    addCommand(noun, {
      name: 'show <vm>',
      summary: 'Show a virtual machine, its disks, and what stands in the way of protecting it.',
      args: { vm: 'its name' },
      example: 'holdfast vm show web-1',
      exits: ['notFound', 'conflict'],
    }),
  );
  onRun(show, cli, async (call) => {
    const vm = await (await call.connect()).virtualMachines.get(call.resourceGroup, call.name);
    showVm(call, vm);
  });

  const install = withGroup(
    addCommand(noun, {
      name: 'install-hook <vm>',
      summary:
        'Put the freeze hook into the guest of a virtual machine, for application-consistent points on Linux.',
      args: { vm: 'its name' },
      example: 'holdfast vm install-hook web-1',
      exits: ['notFound', 'conflict'],
    }),
  ).option('--print', 'change nothing; print the hook, and how to install it by hand');
  onRun<{ print?: true }>(install, cli, async (call) => {
    const { virtualMachines } = await call.connect();
    if (call.options.print === true) {
      const hook = await virtualMachines.freezeHook();
      if (call.options.output !== 'table') return call.json(hook);
      call.write(hook.script);
      for (const [index, step] of hook.steps.entries()) call.say(`${index + 1}. ${step}`);
      return;
    }
    const installed = await virtualMachines.installHook(call.resourceGroup, call.name);
    call.show(installed, [['Freeze hook', installed.path], ...todo(installed.left)]);
  });

  addVmRegisterCommands(noun, cli);
}

/** A name where the API gives a name or a resource id. */
function nameOf(nameOrId: string): string {
  return nameOrId.slice(nameOrId.lastIndexOf('/') + 1);
}

function vaultOf({ protection }: VirtualMachine['properties']): string | undefined {
  return protection.vaultId === undefined ? undefined : segmentOf(protection.vaultId, 'vaults');
}

function totalSize(disks: VirtualMachine['properties']['disks']): number | undefined {
  const sizes = disks.flatMap(({ sizeBytes }) => sizeBytes ?? []);
  return sizes.length === 0 ? undefined : sizes.reduce((sum, size) => sum + size, 0);
}

/** What is left to be done, one row each. */
function todo(steps: readonly string[]): [string, string][] {
  return steps.map((step, index) => [index === 0 ? 'Left to do' : '', step]);
}

/** What is known of the guest's agent. */
export function agentRows(
  call: Call,
  agent: VirtualMachine['properties']['agentReport'],
): [string, string | undefined][] {
  if (agent === undefined) return [];
  const hooks = agent.freezeHooks === undefined ? '' : `, freeze hooks: ${agent.freezeHooks}`;
  return [
    ['Agent status', `${agent.status}${agent.version === undefined ? '' : ` (${agent.version})`}${hooks}`],
    ['', agent.os],
    ['Scripts', agent.scripts === true ? 'configured' : undefined],
    ['', agent.problem && `${agent.problem.code}: ${agent.problem.message}`],
    ['', agent.problem?.action],
    ['Agent seen', call.time(agent.checkedAt)],
  ];
}

function showVm(call: Call, vm: VirtualMachine): void {
  const { properties } = vm;
  call.show(vm, [
    ['Name', vm.name],
    ['Resource group', segmentOf(vm.id, 'resourceGroups')],
    ['Host', nameOf(properties.host)],
    ['Region', vm.location],
    ['Extended zone', vm.extendedLocation?.name],
    ['UUID', properties.vmId],
    ['Power', properties.powerState],
    ['CPUs', String(properties.vcpus)],
    ['Memory', formatBytes(properties.memoryBytes)],
    ['Firmware', properties.firmware],
    ['Operating system', properties.osType],
    ['Guest agent', properties.agent],
    ...agentRows(call, properties.agentReport),
    ['Protection', protectionWords[properties.protection.state]],
    ['Vault', vaultOf(properties)],
  ]);
  if (properties.disks.length > 0) {
    const table = formatTable(
      [
        { header: 'DISK' },
        { header: 'BUS' },
        { header: 'TYPE' },
        { header: 'FORMAT' },
        { header: 'SIZE', align: 'right' },
        { header: 'LAYERS', align: 'right' },
        { header: 'PATH' },
      ],
      properties.disks.map((disk) => [
        disk.target,
        disk.bus,
        disk.type,
        disk.format ?? nothing,
        formatBytes(disk.sizeBytes),
        String(disk.layers),
        disk.path ?? nothing,
      ]),
      call.look,
    );
    call.write(`\n${table}`);
  }
  const obstacles = properties.protection.obstacles ?? [];
  if (obstacles.length === 0) return;
  const table = formatTable(
    [{ header: 'OBSTACLE' }, { header: 'DISK' }, { header: 'WHY' }, { header: 'WHAT TO DO' }],
    obstacles.map(({ code, disk, message, action }) => [
      { text: code, tone: 'bad' as const },
      disk ?? nothing,
      message,
      action,
    ]),
    call.look,
  );
  call.write(`\n${table}`);
}
