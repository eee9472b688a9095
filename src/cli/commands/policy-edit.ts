import type { Command } from 'commander';
import type { HoldfastClient, Policy, PolicyEditPreview, PolicyPreview } from '../../api/client/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import type { Call } from '../call.ts';
import { addCommand, type Cli, onRun, type WaitOptions, withVault, withWait } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { count, nothing } from '../format.ts';
import { printable } from '../look.ts';
import { parsePositive } from '../parse.ts';
import { type PolicyFlags, policyProperties, saysSomething, withPolicyFlags } from '../policy-flags.ts';
import { namingOptions } from '../policy-problems.ts';
import { type Cell, formatTable } from '../table.ts';

/** The commands that change policies, or tell what a change would do. */
export function addPolicyEditCommands(noun: Command, cli: Cli): void {
  const create = withPolicyFlags(
    withVault(
      addCommand(noun, {
        name: 'create <policy>',
        summary: 'Create a policy, from options or from a JSON document.',
        args: { policy: 'its name' },
        example:
          'holdfast policy create Nightly --vault v1 --at 02:30 --time-zone Europe/Berlin --keep-days 30',
        exits: ['notFound', 'conflict'],
      }),
    ),
  );
  onRun<PolicyFlags>(create, cli, async (call) => {
    const properties = await policyProperties(call.options);
    const client = await call.connect();
    const saved = await namingOptions(
      call.options,
      client.policies.put(call.vault, call.name, { properties }, { isNew: true }),
    );
    if ('id' in saved) call.json(saved);
    call.write(
      `Policy ${printable(call.name)} is created. Protect a VM with it: ${call.nextCommand(`item enable --vm NAME --policy ${printable(call.name)}`)}\n`,
    );
  });

  const set = withPolicyFlags(
    withWait(
      withVault(
        addCommand(noun, {
          name: 'set <policy>',
          summary:
            'Change a policy; what is not named stays. Every VM under it is configured by a job of its own.',
          args: { policy: 'its name' },
          example: 'holdfast policy set Nightly --vault v1 --keep-days 60 --preview',
          exits: ['warnings', 'notFound', 'conflict'],
        }),
      ),
    ).option('--preview', 'save nothing; tell what the change would do to the VMs and their recovery points'),
  );
  onRun<PolicyFlags & WaitOptions & { preview?: boolean }>(set, cli, async (call) => {
    const at = call.vault;
    const client = await call.connect();
    const before = await client.policies.get(at, call.name);
    if (!saysSomething(call.options))
      throw new HoldfastError('InvalidCommandLine', 'It is not said what to change.', {
        action: 'Name what is to be different, or give the whole policy with --file.',
      });
    const properties = await policyProperties(call.options, before.properties);
    if (call.options.preview === true) {
      const edit = { policyName: before.name, policyProperties: properties };
      showEdit(call, await namingOptions(call.options, client.policies.previewEdit(at, edit)));
      return undefined;
    }
    const saved = await namingOptions(
      call.options,
      client.policies.put(at, before.name, { properties, eTag: before.eTag }),
    );
    return 'id' in saved ? saidSaved(call, saved) : follow(call, client, before.name, saved);
  });

  const remove = withVault(
    addCommand(noun, {
      name: 'delete <policy>',
      summary: 'Delete a policy that protects nothing.',
      args: { policy: 'its name' },
      example: 'holdfast policy delete Nightly --vault v1',
      exits: ['notFound', 'conflict'],
    }),
  );
  onRun(remove, cli, async (call) => {
    const client = await call.connect();
    const { name } = await client.policies.get(call.vault, call.name);
    await client.policies.delete(call.vault, name);
    call.write(`Policy ${printable(name)} is deleted.\n`);
  });

  const preview = withPolicyFlags(
    withVault(
      addCommand(noun, {
        name: 'preview <policy>',
        summary: 'Tell which recovery points a policy would make, and when each expires; nothing is saved.',
        args: { policy: 'its name; options change what it says, or make up one that is not there yet' },
        example: 'holdfast policy preview Nightly --vault v1 --span 60 --keep-days 14',
        exits: ['notFound'],
      }),
    )
      .option('--span <days>', 'how far to look ahead', parsePositive, 14)
      .option('--first', 'as for a VM that has no recovery point yet'),
  );
  onRun<PolicyFlags & { span: number; first?: boolean }>(preview, cli, async (call) => {
    const at = call.vault;
    const client = await call.connect();
    const known = saysSomething(call.options)
      ? (await client.policies.list(at)).find(({ name }) => name.toLowerCase() === call.name.toLowerCase())
      : undefined;
    const policy = saysSomething(call.options)
      ? { policyProperties: await policyProperties(call.options, known?.properties) }
      : {};
    const to = new Date(call.now + call.options.span * 86_400_000).toISOString();
    const asked = client.policies.preview(at, {
      policyName: call.name,
      ...policy,
      from: new Date(call.now).toISOString(),
      to,
      ...(call.options.first === true && { firstBackup: true }),
    });
    showPoints(call, await namingOptions(call.options, asked));
  });

  const items = withVault(
    addCommand(noun, {
      name: 'list-items <policy>',
      summary: 'List the virtual machines under a policy.',
      args: { policy: 'its name' },
      example: 'holdfast policy list-items DefaultPolicy --vault v1',
      exits: ['notFound'],
    }),
  );
  onRun(items, cli, async (call) => {
    const at = call.vault;
    const client = await call.connect();
    const { name } = await client.policies.get(at, call.name);
    call.list(
      (await client.items.list(at)).filter(({ properties }) => properties.policyName === name),
      [{ header: 'VM' }, { header: 'HEALTH' }, { header: 'LAST BACKUP' }, { header: 'NEXT BACKUP' }],
      ({ properties }) => [
        properties.friendlyName,
        {
          text: properties.protectionStatus,
          tone: properties.protectionStatus.startsWith('Healthy') ? 'good' : 'bad',
        },
        call.time(properties.lastBackupTime),
        call.time(properties.holdfast.nextBackup),
      ],
      `Nothing is under policy ${name}.`,
    );
  });
}

function saidSaved(call: Call, policy: Policy): undefined {
  call.json(policy);
  call.write(`Policy ${printable(policy.name)} is saved.\n`);
}

/** Waits until every VM has been configured, and names those that could not follow. */
async function follow(
  call: Call<WaitOptions>,
  client: HoldfastClient,
  name: string,
  accepted: Parameters<HoldfastClient['operations']['wait']>[0],
): Promise<ExitCode | undefined> {
  const at = call.vault;
  if (call.options.wait === false) {
    const policy = await client.policies.get(at, name);
    call.json(policy);
    call.write(`Policy ${printable(name)} is saved; its VMs are being configured.\n`);
    return undefined;
  }
  const { properties } = await client.operations.wait(accepted);
  const jobs = properties?.jobIds ?? [];
  const failed = Object.keys(properties?.failedJobsError ?? {});
  const policy = await client.policies.get(at, name);
  call.json(policy);
  call.write(
    `Policy ${printable(policy.name)} is saved; ${count(jobs.length - failed.length, 'VM')} configured.\n`,
  );
  for (const id of failed) {
    const job = await client.jobs.get(at, id);
    const [error] = job.properties.errorDetails ?? [];
    call.say(
      `${printable(job.properties.entityFriendlyName)} stays as it was: ${printable(`${error?.errorTitle ?? job.properties.status}: ${error?.errorString ?? ''} ${error?.recommendations[0] ?? ''}`)}`,
    );
  }
  return failed.length === 0 ? undefined : exitCodes.warnings;
}

function showPoints(call: Call, preview: PolicyPreview): void {
  call.list(
    preview.points,
    [
      { header: 'TIME' },
      { header: 'TIER' },
      { header: 'MARKED' },
      { header: 'EXPIRES' },
      { header: 'SNAPSHOT UNTIL' },
    ],
    (point) => [
      call.time(point.time),
      point.inVault ? 'snapshot and vault' : 'snapshot',
      point.tags.length === 0 ? nothing : point.tags.join(', '),
      call.time(point.expiryTime),
      call.time(point.snapshotExpiryTime),
    ],
    'Nothing is due in this span.',
  );
}

const effectWords: Record<PolicyEditPreview['members'][number]['effect'], Cell> = {
  configure: { text: 'is configured', tone: 'good' },
  leave: 'is left as it is',
  fail: { text: 'can not follow', tone: 'bad' },
};

function showEdit(call: Call, preview: PolicyEditPreview): void {
  call.json(preview);
  if (preview.members.length === 0) {
    call.write('Nothing is under this policy: the change would touch no recovery point.\n');
    return;
  }
  const number = (value: number) => (value === 0 ? nothing : String(value));
  const right = 'right' as const;
  call.write(
    formatTable(
      [
        { header: 'VM' },
        { header: 'EFFECT' },
        { header: 'KEPT LONGER', align: right },
        { header: 'KEPT SHORTER', align: right },
        { header: 'AS BEFORE', align: right },
        { header: 'SOFT-DELETED AT ONCE', align: right },
        { header: 'REMOVED AT ONCE', align: right },
      ],
      preview.members.map((member) => [
        member.vm,
        effectWords[member.effect],
        number(member.longer),
        number(member.shorter),
        number(member.same),
        number(member.softDeletedAtOnce),
        number(member.removedAtOnce),
      ]),
      call.look,
    ),
  );
  for (const { vm, reasons } of preview.members)
    for (const reason of reasons) call.write(`${printable(vm)}: ${printable(reason)}\n`);
  call.write('Nothing was saved.\n');
}
