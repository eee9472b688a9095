import { type Command, Option } from 'commander';
import type { HoldfastClient, ItemAddress, RestoreRequest } from '../../api/client/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import type { Call } from '../call.ts';
import {
  addCommand,
  addNoun,
  type Cli,
  itemAddress,
  jobExits,
  onRun,
  type VmOptions,
  type WaitOptions,
  withItem,
  withWait,
} from '../command.ts';
import { parseDirectory } from '../parse.ts';
import { startedJob } from '../start-job.ts';

type Properties = RestoreRequest['properties'];

interface SourceOptions extends VmOptions, WaitOptions {
  recoveryPoint: string;
  tier?: 'snapshot' | 'vault';
  from?: 'primary' | 'replica';
}

interface RestoreOptions extends SourceOptions {
  format?: 'raw' | 'qcow2';
  allowDamaged?: boolean;
}

interface MachineOptions extends RestoreOptions {
  name: string;
  directory: string;
  connectNetwork?: boolean;
  start?: boolean;
  live?: boolean;
}

interface OriginalOptions extends SourceOptions {
  confirm: string;
  disk?: string[];
  start?: boolean;
}

export function addRestoreCommands(program: Command, cli: Cli): void {
  const noun = addNoun(
    program,
    'restore',
    'restores; all but "original" leave what is there alone, and the source VM as it is',
  );

  const disks = withRestore(
    addCommand(noun, {
      name: 'disks',
      summary: 'Restore disks as image files into a directory of the host.',
      example: 'holdfast restore disks --vault v1 --vm web-1 --recovery-point latest --to /var/tmp/web-1',
      exits: jobExits,
    }),
  )
    .requiredOption('--to <directory>', "directory on the VM's host; created if missing", parseDirectory)
    .option('--disk <target...>', 'only these disks, by target (vda)');
  onRun<RestoreOptions & { to: string; disk?: string[] }>(disks, cli, (call) =>
    restore(call, {
      recoveryType: 'RestoreDisks',
      storageAccountId: call.options.to,
      holdfast: call.options.disk === undefined ? {} : { disks: call.options.disk },
    }),
  );

  const vm = withRestore(
    addCommand(noun, {
      name: 'vm',
      summary: 'Restore as a new virtual machine, beside the source.',
      example:
        'holdfast restore vm --vault v1 --vm web-1 --recovery-point latest --name web-1-restored --directory /var/lib/libvirt/images/web-1-restored',
      exits: jobExits,
    }),
  )
    .requiredOption('--name <name>', 'name of the new virtual machine')
    .requiredOption(
      '--directory <directory>',
      "directory on the VM's host for the new disks; created if missing",
      parseDirectory,
    )
    .option('--connect-network', 'connect the new network interfaces (otherwise their links are down)')
    .option('--start', 'start the new virtual machine')
    .option('--live', 'run it from the vault at once, and copy its disks while it runs (starts it)');
  onRun<MachineOptions>(vm, cli, (call) => {
    const { directory, name, connectNetwork, start, live } = call.options;
    return restore(call, {
      recoveryType: 'AlternateLocation',
      storageAccountId: directory,
      targetVirtualMachineId: name,
      holdfast: {
        connectNetwork: connectNetwork === true,
        start: start === true || live === true,
        ...(live === true ? { live } : {}),
      },
    });
  });

  addOriginal(noun, cli);
}

/** Which VM's disks are given up is typed: there is nothing in the command that would tell a slip from a wish. */
function addOriginal(noun: Command, cli: Cli): void {
  const original = withSource(
    addCommand(noun, {
      name: 'original',
      summary:
        'Replace the disks of the VM itself, which has to be off; what they had stays as a recovery point.',
      example:
        'holdfast restore original --vault v1 --vm web-1 --recovery-point latest --confirm web-1 --start --wait',
      exits: jobExits,
    }),
  )
    .requiredOption('--confirm <name>', 'name of the VM, once more: its disks are replaced')
    .option('--disk <target...>', 'only these disks, by target (vda)')
    .option('--start', 'start the VM afterwards');
  onRun<OriginalOptions>(original, cli, async (call) => {
    const { confirm, disk, start } = call.options;
    const at = itemAddress(call);
    if (confirm.toLowerCase() !== at.vm.toLowerCase())
      throw new HoldfastError('InvalidInput', `--confirm says '${confirm}', but --vm says '${at.vm}'.`, {
        action: 'Write the name of the VM whose disks are to be replaced.',
      });
    const client = await call.connect();
    const { sourceResourceId } = (await client.items.get(at)).properties;
    return restore(call, {
      recoveryType: 'OriginalLocation',
      sourceResourceId,
      holdfast: {
        ...(disk === undefined ? {} : { disks: disk }),
        ...(start === true ? { start } : {}),
      },
    });
  });
}

function withRestore(command: Command): Command {
  return withSource(command)
    .addOption(
      new Option('--format <format>', 'of the image files (default: as on the source)').choices([
        'raw',
        'qcow2',
      ]),
    )
    .option(
      '--allow-damaged',
      'restore what can be read of a damaged point in the vault; the rest becomes zeros and is listed',
    );
}

/** What is restored, and from where. */
function withSource(command: Command): Command {
  return withWait(
    withItem(command)
      .requiredOption('--recovery-point <id>', 'recovery point, or "latest"')
      .addOption(
        new Option(
          '--tier <tier>',
          'where to restore from (default: the snapshot while it is there, else the vault)',
        ).choices(['snapshot', 'vault']),
      )
      .addOption(
        new Option(
          '--from <store>',
          "which store of the vault, and no other (default: the vault's own, and its replica where that fails)",
        ).choices(['primary', 'replica']),
      ),
  );
}

async function restore(
  call: Call<SourceOptions & Pick<RestoreOptions, 'format' | 'allowDamaged'>>,
  what: Omit<Properties, 'objectType' | 'recoveryPointId'>,
) {
  const at = itemAddress(call);
  const { tier, from, format, allowDamaged } = call.options;
  const client = await call.connect();
  const point = await pointOf(client, at, call.options);
  const accepted = await client.recoveryPoints.restore(at, point, {
    properties: {
      objectType: 'IaasVMRestoreRequest',
      recoveryPointId: point,
      ...what,
      holdfast: {
        ...what.holdfast,
        ...(tier === undefined ? {} : { tier }),
        ...(from === undefined ? {} : { from }),
        ...(format === undefined ? {} : { diskFormat: format }),
        ...(allowDamaged === true ? { allowDamaged } : {}),
      },
    },
  });
  return startedJob(call, client, accepted);
}

/**
 * The id as given, or the newest point that the wanted tier still has; not what a restore replaced, for whoever restores
 * once more wants that least.
 */
async function pointOf(
  client: HoldfastClient,
  at: ItemAddress,
  { recoveryPoint, tier, from }: SourceOptions,
) {
  if (recoveryPoint !== 'latest') return recoveryPoint;
  const wanted = { any: ['InstantRP', 'HardenedRP'], snapshot: ['InstantRP'], vault: ['HardenedRP'] }[
    tier ?? 'any'
  ];
  const points = (await client.recoveryPoints.list(at)).filter(({ properties }) =>
    properties.holdfast.isBeforeRestore === true
      ? false
      : from === 'replica'
        ? properties.holdfast.inReplica === true
        : properties.recoveryPointTierDetails.some(
            ({ type, status }) =>
              status === 'Valid' && (from === 'primary' ? ['HardenedRP'] : wanted).includes(type),
          ),
  );
  const newest = points
    .toSorted(
      (a, b) => Date.parse(a.properties.recoveryPointTime) - Date.parse(b.properties.recoveryPointTime),
    )
    .at(-1);
  if (newest !== undefined) return newest.name;
  const where = from === 'replica' ? ' in the replica' : tier === undefined ? '' : ` in the ${tier} tier`;
  throw new HoldfastError('ResourceNotFound', `VM ${at.vm} has no recovery point${where}.`, {
    action: 'List the recovery points with "holdfast recovery-point list".',
  });
}
