import type { Command } from 'commander';
import type { Replica, ReplicaRequest } from '../../api/client/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import { type Call, shellWord } from '../call.ts';
import {
  addCommand,
  addNoun,
  type Cli,
  jobExits,
  onRun,
  type WaitOptions,
  withGroup,
  withWait,
} from '../command.ts';
import { count, formatBytes } from '../format.ts';
import { parsePlace, parsePositive, parseRate } from '../parse.ts';
import { startedJob } from '../start-job.ts';
import { readStoreCredentials } from '../store-credentials.ts';
import type { Cell } from '../table.ts';

type Properties = Replica['properties'];

interface SetOptions {
  store?: string;
  storeCredentials?: string;
  keepPoints?: number;
  keepDays?: number;
  follow?: boolean;
  limitRate?: number | 'none';
}

const vaultArgument = { vault: 'its name' };

/** The second store of a vault. */
export function addVaultReplicaCommands(vaultNoun: Command, cli: Cli): void {
  const noun = addNoun(
    vaultNoun,
    'replica',
    'the second store of a vault, which gets a copy of every recovery point',
  );

  const set = withGroup(
    addCommand(noun, {
      name: 'set <vault>',
      summary: 'Give a vault a second store and keep it up to date, or change how it is kept.',
      args: vaultArgument,
      example: 'holdfast vault replica set v1 --store /mnt/second/v1',
      exits: ['notFound', 'conflict'],
    }),
  )
    .option(
      '--store <place>',
      'directory or address of the second store (s3://…, azblob://…); needed the first time. A store of copies of this vault is taken over',
      parsePlace,
    )
    .option('--store-credentials <file>', 'JSON file with what opens a store at an address (docs/stores.md)')
    .option('--follow', 'remove there what has expired and the vault has given up (the default)')
    .option('--keep-points <number>', 'instead: keep the newest of each VM, so many', parsePositive)
    .option('--keep-days <days>', 'instead: keep what is younger', parsePositive)
    .option('--limit-rate <rate>', 'most to copy in a second: 500K, 20M, 1G, or none (bytes)', parseRate);
  onRun<SetOptions>(set, cli, async (call) => {
    const { store, storeCredentials, limitRate } = call.options;
    const retention = retentionOf(call.options);
    const properties: ReplicaRequest['properties'] = {
      ...(store === undefined ? {} : { storePath: store }),
      ...(storeCredentials === undefined
        ? {}
        : { storeCredentials: await readStoreCredentials(storeCredentials) }),
      ...(retention === undefined ? {} : { retention }),
      ...(limitRate === undefined ? {} : { bytesPerSecond: limitRate === 'none' ? null : limitRate }),
    };
    showReplica(call, await (await call.connect()).replica.put(addressOf(call), { properties }));
  });

  const show = withGroup(
    addCommand(noun, {
      name: 'show <vault>',
      summary: 'Show the second store of a vault and how far behind it is.',
      args: vaultArgument,
      example: 'holdfast vault replica show v1',
      exits: ['notFound'],
    }),
  );
  onRun(show, cli, async (call) => {
    showReplica(call, await (await call.connect()).replica.get(addressOf(call)));
  });

  const sync = withWait(
    withGroup(
      addCommand(noun, {
        name: 'sync <vault>',
        summary: 'Bring the second store up to date now, and remove there what is over.',
        args: vaultArgument,
        example: 'holdfast vault replica sync v1',
        exits: jobExits,
      }),
    ).option('--force', "go on although most of the replica's recovery points would be removed at once"),
  );
  onRun<WaitOptions & { force?: boolean }>(sync, cli, async (call) => {
    const client = await call.connect();
    const accepted = await client.replica.sync(addressOf(call), {
      properties: call.options.force === true ? { force: true } : {},
    });
    return startedJob(call.inVault(call.name), client, accepted);
  });

  const remove = withGroup(
    addCommand(noun, {
      name: 'remove <vault>',
      summary: 'End the replication of a vault; the second store stays, with all that is in it.',
      args: vaultArgument,
      example: 'holdfast vault replica remove v1 --yes',
      exits: ['notFound', 'conflict'],
    }),
  ).option('-y, --yes', 'really do it');
  onRun<{ yes?: boolean }>(remove, cli, async (call) => {
    const client = await call.connect();
    const { storePath, recoveryPoints } = (await client.replica.get(addressOf(call))).properties;
    if (call.options.yes !== true) {
      const points = recoveryPoints === undefined ? '' : ` (${count(recoveryPoints, 'recovery point')})`;
      throw new HoldfastError(
        'InvalidCommandLine',
        `The replica of vault ${call.name} at ${storePath}${points} would not be kept up to date any more, nor restored from.`,
        {
          action: `If that is meant: ${call.nextCommand(`vault replica remove ${shellWord(call.name)} --yes`, false)}`,
        },
      );
    }
    await client.replica.delete(addressOf(call));
    call.write(`Vault ${call.name} has no replica any more. Its store stays at ${storePath}.\n`);
  });
}

/** The vault that these commands name as their argument. */
function addressOf(call: Call) {
  return { resourceGroup: call.resourceGroup, vault: call.name };
}

function retentionOf({
  follow,
  keepPoints,
  keepDays,
}: SetOptions): ReplicaRequest['properties']['retention'] {
  const keeps = keepPoints !== undefined || keepDays !== undefined;
  if (follow === true && keeps)
    throw new HoldfastError(
      'InvalidCommandLine',
      '--follow leaves nothing for --keep-points or --keep-days.',
      {
        action: 'Give either --follow, or a retention of its own.',
      },
    );
  if (follow === true) return { mode: 'Follow' };
  if (!keeps) return undefined;
  return {
    mode: 'Keep',
    ...(keepPoints === undefined ? {} : { count: keepPoints }),
    ...(keepDays === undefined ? {} : { days: keepDays }),
  };
}

const statusWords: Record<Properties['status'], Cell> = {
  Ready: { text: 'ready', tone: 'good' },
  Unavailable: { text: 'unavailable', tone: 'bad' },
};

function retentionWords({ retention }: Properties): string {
  if (retention.mode === 'Follow') return 'follows the vault';
  const { count: points, days } = retention;
  return [
    ...(points === undefined ? [] : [`the newest ${count(points, 'point')} of each VM`]),
    ...(days === undefined ? [] : [`what is younger than ${count(days, 'day')}`]),
  ].join(', and ');
}

function lagWords(call: Call, { lag }: Properties): Cell {
  if (lag.recoveryPoints === 0) return { text: 'none', tone: 'good' };
  const { recoveryPoints, bytes, since } = lag;
  const text = `${count(recoveryPoints, 'recovery point')}, about ${formatBytes(bytes)}, since ${call.time(since)}`;
  return { text, tone: 'warning' };
}

function showReplica(call: Call, replica: Replica): void {
  const { properties } = replica;
  const { lastError } = properties;
  call.show(replica, [
    ['Replica of', call.name],
    ['Status', statusWords[properties.status]],
    ['', properties.statusMessage],
    ['Store', properties.storePath],
    ['Keeps', retentionWords(properties)],
    [
      'Rate limit',
      properties.bytesPerSecond === undefined ? undefined : `${formatBytes(properties.bytesPerSecond)}/s`,
    ],
    ['Recovery points', properties.recoveryPoints?.toString()],
    ['Stored', properties.storedBytes === undefined ? undefined : formatBytes(properties.storedBytes)],
    ['Not replicated yet', lagWords(call, properties)],
    ['Up to date at', call.time(properties.lastCompletedTime)],
    ['Under way', properties.jobId],
    [
      'Last error',
      lastError === undefined ? undefined : { text: `${lastError.code}: ${lastError.message}`, tone: 'bad' },
    ],
    ['', lastError === undefined ? undefined : `What to do: ${lastError.action}`],
  ]);
}
