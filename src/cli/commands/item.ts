import { type Command, Option } from 'commander';
import {
  ApiError,
  type HoldfastClient,
  type ItemAddress,
  type ProtectedItem,
  segmentOf,
} from '../../api/client/index.ts';
import { type Call, shellWord } from '../call.ts';
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
  withVault,
  withWait,
} from '../command.ts';
import { nothing } from '../format.ts';
import { startedJob } from '../start-job.ts';
import type { Cell } from '../table.ts';
import { addItemLifeCommands } from './item-life.ts';
import { agentRows } from './vm.ts';

type State = ProtectedItem['properties']['protectionState'];

const stateWords: Record<State, Cell> = {
  IRPending: { text: 'initial backup pending', tone: 'warning' },
  Protected: { text: 'protected', tone: 'good' },
  ProtectionError: { text: 'error', tone: 'bad' },
  ProtectionStopped: { text: 'stopped, data retained', tone: 'warning' },
  BackupsSuspended: { text: 'suspended, data expires', tone: 'warning' },
};

function stateOf({ properties }: ProtectedItem): Cell {
  if (!properties.isScheduledForDeferredDelete) return stateWords[properties.protectionState];
  return { text: properties.holdfast.purging === true ? 'being purged' : 'soft-deleted', tone: 'bad' };
}

interface EnableOptions {
  policy?: string;
  excludeDisk?: string[];
  includeAllDisks?: boolean;
}

export function addItemCommands(program: Command, cli: Cli): void {
  const noun = addNoun(program, 'item', 'protected items: virtual machines under protection');

  const list = withVault(
    addCommand(noun, {
      name: 'list',
      summary: 'List what a vault protects and how it fares.',
      example: 'holdfast item list --vault v1',
      exits: ['notFound'],
    }),
  );
  onRun(list, cli, async (call) => {
    const at = call.vault;
    call.list(
      await (await call.connect()).items.list(at),
      [
        { header: 'VM' },
        { header: 'STATE' },
        { header: 'HEALTH' },
        { header: 'LAST BACKUP' },
        { header: 'WHEN' },
        { header: 'POINTS', align: 'right' },
        { header: 'POLICY' },
        { header: 'NEXT BACKUP' },
      ],
      ({ properties, ...item }) => [
        properties.friendlyName,
        stateOf({ properties, ...item }),
        health(properties.protectionStatus),
        properties.lastBackupStatus || nothing,
        call.time(properties.lastBackupTime),
        String(properties.holdfast.recoveryPoints),
        properties.policyName || nothing,
        call.time(properties.holdfast.nextBackup),
      ],
      `Vault ${at.vault} protects nothing yet. Protect a VM: ${call.nextCommand('item enable --vm NAME')}`,
    );
  });

  const show = withItem(
    addCommand(noun, {
      name: 'show',
      summary: 'Show the protection of a virtual machine.',
      example: 'holdfast item show --vault v1 --vm web-1',
      exits: ['notFound', 'conflict'],
    }),
  );
  onRun<VmOptions>(show, cli, async (call) => {
    const at = itemAddress(call);
    showItem(call, await (await call.connect()).items.get(at));
  });

  const enable = withWait(
    withItem(
      addCommand(noun, {
        name: 'enable',
        summary: 'Protect a virtual machine, or change how it is protected; resumes a stopped protection.',
        example: 'holdfast item enable --vault v1 --vm web-1 --exclude-disk vdb',
        exits: jobExits,
      }),
    )
      .option('--policy <name>', 'backup policy (default: as before, DefaultPolicy at first)')
      .option('--exclude-disk <target...>', 'disks to leave out, by target (vdb); default: as before')
      .addOption(new Option('--include-all-disks', 'leave no disk out any more').conflicts('excludeDisk')),
  );
  onRun<VmOptions & WaitOptions & EnableOptions>(enable, cli, async (call) => {
    const at = itemAddress(call);
    const client = await call.connect();
    const vm = await client.virtualMachines.get(at.vmResourceGroup, at.vm);
    const excludedDisks = call.options.includeAllDisks === true ? [] : call.options.excludeDisk;
    const policy = call.options.policy ?? (await policyInForce(client, at)) ?? 'DefaultPolicy';
    const accepted = await client.items.put(at, {
      properties: {
        protectedItemType: 'Microsoft.Compute/virtualMachines',
        sourceResourceId: vm.id,
        policyId: await client.policies.id(at, policy),
        ...(excludedDisks === undefined ? {} : { holdfast: { excludedDisks } }),
      },
    });
    const exitCode = await startedJob(call, client, accepted);
    if (call.options.wait !== false && exitCode === 0)
      call.write(`Next: ${call.nextCommand(`backup now --vm ${shellWord(at.vm)}`)}\n`);
    return exitCode;
  });

  addItemLifeCommands(noun, cli);
}

/** The policy that a VM is under already. */
async function policyInForce(client: HoldfastClient, at: ItemAddress): Promise<string | undefined> {
  try {
    const { policyName, holdfast } = (await client.items.get(at)).properties;
    return policyName ?? holdfast.lastPolicyName;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** `Healthy`, or `Unhealthy` and why. */
function health(protectionStatus: string): Cell {
  return { text: protectionStatus, tone: protectionStatus.startsWith('Healthy') ? 'good' : 'bad' };
}

function showItem(call: Call, item: ProtectedItem): void {
  const { properties } = item;
  const { holdfast } = properties;
  call.show(item, [
    ['VM', properties.friendlyName],
    ['Host', holdfast.host.slice(holdfast.host.lastIndexOf('/') + 1)],
    ['UUID', holdfast.vmUuid],
    ['Vault', segmentOf(properties.vaultId, 'vaults')],
    ['Policy', properties.policyName],
    ['State', stateOf(item)],
    ['Data is kept until', item.properties.holdfast.purgeAt && call.time(item.properties.holdfast.purgeAt)],
    ['Health', health(properties.protectionStatus)],
    ['Last backup', properties.lastBackupStatus || nothing],
    ['', call.time(properties.lastBackupTime)],
    ['Last recovery point', call.time(properties.lastRecoveryPoint)],
    ['Next backup', call.time(holdfast.nextBackup)],
    ['Recovery points', String(holdfast.recoveryPoints)],
    ...agentRows(call, holdfast.agent),
    ['Excluded disks', holdfast.excludedDisks.length === 0 ? undefined : holdfast.excludedDisks.join(', ')],
  ]);
}
