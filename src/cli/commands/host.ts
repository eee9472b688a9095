import type { Command } from 'commander';
import { type Host, segmentOf } from '../../api/client/index.ts';
import type { Call } from '../call.ts';
import { addCommand, addNoun, type Cli, onRun, withGroup } from '../command.ts';
import { nothing } from '../format.ts';
import { parseDirectory } from '../parse.ts';
import type { Cell } from '../table.ts';

const statusWords: Record<Host['properties']['status'], Cell> = {
  Connected: { text: 'connected', tone: 'good' },
  Unreachable: { text: 'unreachable', tone: 'bad' },
};

export function addHostCommands(program: Command, cli: Cli): void {
  const noun = addNoun(program, 'host', 'hypervisors: libvirt connections');

  const list = withGroup(
    addCommand(noun, {
      name: 'list',
      summary: 'List the connected hypervisors, of all resource groups unless one is named.',
      example: 'holdfast host list',
    }),
  );
  onRun(list, cli, async (call) => {
    const hosts = await (await call.connect()).hosts.list();
    call.list(
      hosts.filter(({ id }) => inNamedGroup(call, id)),
      [
        { header: 'NAME' },
        { header: 'GROUP' },
        { header: 'REGION' },
        { header: 'STATUS' },
        { header: 'VMS', align: 'right' },
        { header: 'URI' },
        { header: 'QEMU' },
      ],
      ({ id, name, location, extendedLocation, properties }) => [
        name,
        segmentOf(id, 'resourceGroups') ?? nothing,
        extendedLocation === undefined ? location : `${location}/${extendedLocation.name}`,
        statusWords[properties.status],
        String(properties.virtualMachines ?? nothing),
        properties.uri,
        properties.qemuVersion ?? nothing,
      ],
      `No hosts yet. Connect one: ${call.nextCommand('host add local --uri qemu:///system', false)}`,
    );
  });

  const show = withGroup(
    addCommand(noun, {
      name: 'show <host>',
      summary: 'Show a hypervisor and whether it answers.',
      args: { host: 'its name' },
      example: 'holdfast host show local',
      exits: ['notFound'],
    }),
  );
  onRun(show, cli, async (call) => {
    showHost(call, await (await call.connect()).hosts.get(call.resourceGroup, call.name));
  });

  const add = withGroup(
    addCommand(noun, {
      name: 'add <host>',
      summary: 'Connect a hypervisor, or change how it is connected.',
      args: { host: 'the name it gets here' },
      example: 'holdfast host add lab --uri qemu:///session',
      exits: ['conflict'],
    }),
  )
    .requiredOption('--uri <uri>', 'libvirt connection URI')
    .option('--region <region>', 'region the host is in', 'local')
    .option('--zone <zone>', 'extended zone of the region that it is in (default: in the region itself)')
    .option(
      '--overlay-directory <directory>',
      'where snapshots of block devices are kept on the host (default: image files have theirs beside them)',
      parseDirectory,
    );
  onRun<{ uri: string; region: string; zone?: string; overlayDirectory?: string }>(add, cli, async (call) => {
    const { uri, region, zone, overlayDirectory } = call.options;
    const host = await (await call.connect()).hosts.put(call.resourceGroup, call.name, {
      location: region,
      ...(zone === undefined ? {} : { extendedLocation: { name: zone, type: 'EdgeZone' } }),
      properties: { uri, ...(overlayDirectory === undefined ? {} : { overlayDirectory }) },
    });
    showHost(call, host);
  });

  const remove = withGroup(
    addCommand(noun, {
      name: 'remove <host>',
      summary: 'Forget a hypervisor; its virtual machines stay as they are.',
      args: { host: 'its name' },
      example: 'holdfast host remove rack1',
      exits: ['notFound', 'conflict'],
    }),
  );
  onRun(remove, cli, async (call) => {
    await (await call.connect()).hosts.delete(call.resourceGroup, call.name);
    call.write(`Host ${call.name} is removed.\n`);
  });
}

/** Lists span the subscription; a resource group that is named narrows them. */
export function inNamedGroup(call: Call, id: string): boolean {
  const group = segmentOf(id, 'resourceGroups');
  return call.namedGroup === undefined || group?.toLowerCase() === call.namedGroup.toLowerCase();
}

function showHost(call: Call, host: Host): void {
  const { properties } = host;
  call.show(host, [
    ['Name', host.name],
    ['Resource group', segmentOf(host.id, 'resourceGroups')],
    ['Region', host.location],
    ['Extended zone', host.extendedLocation?.name],
    ['URI', properties.uri],
    ['Status', statusWords[properties.status]],
    ['', properties.statusMessage],
    ['Host name', properties.hostname],
    ['Architecture', properties.architecture],
    ['libvirt', properties.libvirtVersion],
    ['QEMU', properties.qemuVersion],
    ['Virtual machines', properties.virtualMachines?.toString()],
    ['Overlay directory', properties.overlayDirectory],
  ]);
}
