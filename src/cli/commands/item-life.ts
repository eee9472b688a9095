import { type Command, Option } from 'commander';
import type { HoldfastClient, ItemAddress, ProtectedItemRequest } from '../../api/client/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import { shellWord } from '../call.ts';
import {
  addCommand,
  type Cli,
  itemAddress,
  jobExits,
  onRun,
  type VmOptions,
  type WaitOptions,
  withItem,
  withWait,
} from '../command.ts';
import { startedJob } from '../start-job.ts';

type Wish = Omit<ProtectedItemRequest['properties'], 'protectedItemType' | 'sourceResourceId'>;

/** What is done to an item that is there, from another policy to the end. */
export function addItemLifeCommands(noun: Command, cli: Cli): void {
  const withJob = (name: string, summary: string, example: string) =>
    withWait(withItem(addCommand(noun, { name, summary, example, exits: jobExits })));

  const update = withJob(
    'update',
    'Give a protected virtual machine another policy: from Standard to Enhanced, and never back.',
    'holdfast item update --vault v1 --vm web-1 --policy EnhancedPolicy',
  ).requiredOption('--policy <name>', 'backup policy');
  onRun<VmOptions & WaitOptions & { policy: string }>(update, cli, async (call) => {
    const at = itemAddress(call);
    const client = await call.connect();
    await client.items.get(at); // what is not protected is not enabled by the way
    const policyId = await client.policies.id(at, call.options.policy);
    return startedJob(call, client, await change(client, at, { policyId }));
  });

  const exclude = withJob(
    'exclude',
    'Choose the disks that backups leave out.',
    'holdfast item exclude --vault v1 --vm web-1 --disk vdb vdc',
  )
    .option('--disk <target...>', 'leave these out, by target (vdb), and no others')
    .addOption(new Option('--none', 'leave no disk out any more').conflicts('disk'));
  onRun<VmOptions & WaitOptions & { disk?: string[]; none?: boolean }>(exclude, cli, async (call) => {
    const at = itemAddress(call);
    const { disk, none } = call.options;
    if (disk === undefined && none !== true)
      throw new HoldfastError('InvalidCommandLine', 'Which disks are to be left out?', {
        action: 'Give --disk with their targets, or --none.',
      });
    const client = await call.connect();
    const { policyId } = (await client.items.get(at)).properties;
    if (policyId === undefined)
      throw new HoldfastError('InvalidCommandLine', `The protection of ${at.vm} is stopped.`, {
        action: `Resume it first: ${call.nextCommand(`item resume --vm ${shellWord(at.vm)}`)}`,
      });
    const wish = { policyId, holdfast: { excludedDisks: disk ?? [] } };
    return startedJob(call, client, await change(client, at, wish));
  });

  const stop = withJob(
    'stop',
    'Stop protecting a virtual machine, and keep its recovery points, let them expire, or delete them.',
    'holdfast item stop --vault v1 --vm web-1 --retain',
  )
    .addOption(new Option('--retain', 'keep the recovery points for ever (the default)'))
    .addOption(
      new Option(
        '--suspend',
        'let them expire as the policy says that is in force now; immutable vaults only',
      ).conflicts('retain'),
    )
    .addOption(
      new Option('--delete-data', 'delete them, once the soft-delete period is over').conflicts([
        'retain',
        'suspend',
      ]),
    )
    .option('--confirm <name>', "with --delete-data: the VM's name, typed once more");
  onRun<VmOptions & WaitOptions & StopOptions>(stop, cli, async (call) => {
    const at = itemAddress(call);
    const { suspend, deleteData, confirm } = call.options;
    const client = await call.connect();
    if (deleteData !== true) {
      const protectionState = suspend === true ? 'BackupsSuspended' : 'ProtectionStopped';
      return startedJob(call, client, await change(client, at, { protectionState }));
    }
    if (confirm?.toLowerCase() !== at.vm.toLowerCase()) {
      const { holdfast, softDeleteRetentionPeriodInDays } = (await client.items.get(at)).properties;
      const typed = confirm === undefined ? '' : `'${confirm}' is not the name of ${at.vm}. `;
      throw new HoldfastError(
        'InvalidCommandLine',
        `${typed}All backup data of ${at.vm} (recovery points: ${holdfast.recoveryPoints}) would be deleted; for ${softDeleteRetentionPeriodInDays} days it could be brought back.`,
        {
          action: `If that is meant: ${call.nextCommand(`item stop --vm ${shellWord(at.vm)} --delete-data --confirm NAME`)} with the VM's name.`,
        },
      );
    }
    return startedJob(call, client, await client.items.delete(at));
  });

  const resume = withJob(
    'resume',
    'Resume stopped or suspended protection, with any policy.',
    'holdfast item resume --vault v1 --vm web-1',
  ).option('--policy <name>', 'backup policy (default: the last it had)');
  onRun<VmOptions & WaitOptions & { policy?: string }>(resume, cli, async (call) => {
    const at = itemAddress(call);
    const client = await call.connect();
    const { protectionState, holdfast } = (await client.items.get(at)).properties;
    if (protectionState !== 'ProtectionStopped' && protectionState !== 'BackupsSuspended')
      throw new HoldfastError('UserErrorProtectionActive', `${at.vm} is protected.`, { target: at.vm });
    const policy = call.options.policy ?? holdfast.lastPolicyName ?? 'DefaultPolicy';
    const policyId = await client.policies.id(at, policy);
    return startedJob(call, client, await change(client, at, { policyId }));
  });

  const undelete = withJob(
    'undelete',
    'Bring deleted backup data back; protection stays stopped.',
    'holdfast item undelete --vault v1 --vm web-1',
  );
  onRun<VmOptions & WaitOptions>(undelete, cli, async (call) => {
    const at = itemAddress(call);
    const client = await call.connect();
    const wish = { isRehydrate: true, protectionState: 'ProtectionStopped' } as const;
    const exitCode = await startedJob(call, client, await change(client, at, wish));
    if (call.options.wait !== false && exitCode === 0)
      call.write(`To go on backing it up: ${call.nextCommand(`item resume --vm ${shellWord(at.vm)}`)}\n`);
    return exitCode;
  });

  const purge = withJob(
    'purge',
    'Remove deleted backup data whose time is over now rather than within the hour.',
    'holdfast item purge --vault v1 --vm web-1',
  );
  onRun<VmOptions & WaitOptions>(purge, cli, async (call) => {
    const at = itemAddress(call);
    const client = await call.connect();
    return startedJob(call, client, await client.items.purge(at));
  });
}

interface StopOptions {
  retain?: boolean;
  suspend?: boolean;
  deleteData?: boolean;
  confirm?: string;
}

async function change(client: HoldfastClient, at: ItemAddress, wish: Wish) {
  const { sourceResourceId } = (await client.items.get(at)).properties;
  return client.items.put(at, {
    properties: { protectedItemType: 'Microsoft.Compute/virtualMachines', sourceResourceId, ...wish },
  });
}
