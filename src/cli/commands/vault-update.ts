import { type Command, Option } from 'commander';
import type { Vault, VaultUpdate } from '../../api/client/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import { type Call, shellWord } from '../call.ts';
import { addCommand, type Cli, onRun, withGroup } from '../command.ts';
import { parsePositive, parseTag } from '../parse.ts';
import type { Cell } from '../table.ts';
import { vaultAddress } from '../vault-address.ts';

const immutabilityStates = { off: 'Disabled', on: 'Unlocked', locked: 'Locked' } as const;
const softDeleteStates = { on: 'Enabled', always: 'AlwaysON' } as const;

interface UpdateOptions {
  immutability?: keyof typeof immutabilityStates;
  softDelete?: keyof typeof softDeleteStates;
  softDeleteDays?: number;
  tag?: Record<string, string>;
  yes?: boolean;
}

export function addVaultUpdateCommand(noun: Command, cli: Cli, show: (call: Call, vault: Vault) => void) {
  const update = withGroup(
    addCommand(noun, {
      name: 'update <vault>',
      summary: "Change a vault's tags and what protects its data against those who manage it.",
      args: { vault: 'its name' },
      example: 'holdfast vault update v1 --immutability on --soft-delete-days 30',
      exits: ['notFound', 'conflict'],
    }),
  )
    .addOption(
      new Option(
        '--immutability <state>',
        'whether recovery points can be removed before they expire; locked: never again, and nobody can take that back',
      ).choices(Object.keys(immutabilityStates)),
    )
    .addOption(
      new Option(
        '--soft-delete <state>',
        'deleted data can be brought back for a while; always: nobody can take that back',
      ).choices(Object.keys(softDeleteStates)),
    )
    .option('--soft-delete-days <days>', 'for how long: 14 to 180', parsePositive)
    .option('--tag <key=value>', 'tag; several may be given, and they replace all it has', parseTag)
    .option('-y, --yes', 'really do what nobody can take back');
  onRun<UpdateOptions>(update, cli, async (call) => {
    const { immutability, softDelete, softDeleteDays, tag, yes } = call.options;
    if ([immutability, softDelete, softDeleteDays, tag].every((each) => each === undefined))
      throw new HoldfastError('InvalidCommandLine', 'It is not said what to change.', {
        action: `Name what is to be different; "${call.nextCommand(`vault show ${shellWord(call.name)}`, false)}" shows what it is now.`,
      });
    const forEver = [
      ...(immutability === 'locked' ? ['immutability'] : []),
      ...(softDelete === 'always' ? ['soft delete'] : []),
    ];
    if (forEver.length > 0 && yes !== true)
      throw new HoldfastError(
        'InvalidCommandLine',
        `Nobody can ever switch ${forEver.join(' and ')} of vault ${call.name} off again.`,
        {
          action: `If that is meant, say so with --yes; "${call.nextCommand(`vault show ${shellWord(call.name)}`, false)}" shows what it is now.`,
        },
      );
    const body: VaultUpdate = {
      ...(tag === undefined ? {} : { tags: tag }),
      properties: {
        securitySettings: {
          ...(immutability && { immutabilitySettings: { state: immutabilityStates[immutability] } }),
          softDeleteSettings: {
            ...(softDelete && { softDeleteState: softDeleteStates[softDelete] }),
            ...(softDeleteDays && { softDeleteRetentionPeriodInDays: softDeleteDays }),
          },
        },
      },
    };
    show(call, await (await call.connect()).vaults.update(vaultAddress(call), body));
  });
}

/** The lines of a vault that say what protects its data. */
export function securityFields({ properties }: Vault): [string, Cell][] {
  const { immutabilitySettings, softDeleteSettings } = properties.securitySettings;
  const states = { Disabled: 'off', Unlocked: 'on', Locked: 'locked' };
  const always = softDeleteSettings.softDeleteState === 'AlwaysON' ? ', always on' : '';
  return [
    ['Immutability', states[immutabilitySettings.state]],
    ['Soft delete', `${softDeleteSettings.softDeleteRetentionPeriodInDays} days${always}`],
  ];
}
