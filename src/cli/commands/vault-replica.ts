import { type Command, Option } from 'commander';
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
import { readSecret } from '../secret-file.ts';
import { startedJob } from '../start-job.ts';
import { readStoreCredentials } from '../store-credentials.ts';
import { figureLines, verifiedWords } from '../store-figures.ts';
import type { Cell } from '../table.ts';
import { vaultAddress } from '../vault-address.ts';

type Properties = Replica['properties'];

interface SetOptions {
  store?: string;
  storeCredentials?: string;
  encryption?: 'on' | 'none';
  passphraseFile?: string;
  recoveryKeyFile?: string;
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
    .addOption(
      new Option('--encryption <how>', 'whether a store that is made is encrypted (default: on)').choices([
        'on',
        'none',
      ]),
    )
    .option('--passphrase-file <file>', 'a passphrase that is to open it, too; - is standard input')
    .option(
      '--recovery-key-file <file>',
      'recovery key of an encrypted store that is taken over; - is standard input',
    )
    .option('--follow', 'remove there what has expired and the vault has given up (the default)')
    .option('--keep-points <number>', 'instead: keep the newest of each VM, so many', parsePositive)
    .option('--keep-days <days>', 'instead: keep what is younger', parsePositive)
    .option('--limit-rate <rate>', 'most to copy in a second: 500K, 20M, 1G, or none (bytes)', parseRate);
  onRun<SetOptions>(set, cli, async (call) => {
    const { store, storeCredentials, limitRate, recoveryKeyFile } = call.options;
    const retention = retentionOf(call.options);
    const properties: ReplicaRequest['properties'] = {
      ...(store === undefined ? {} : { storePath: store }),
      ...(storeCredentials === undefined
        ? {}
        : { storeCredentials: await readStoreCredentials(storeCredentials) }),
      ...(await encryptionOf(call.options)),
      ...(recoveryKeyFile === undefined
        ? {}
        : { unlock: { kind: 'RecoveryKey', secret: await readSecret(recoveryKeyFile) } }),
      ...(retention === undefined ? {} : { retention }),
      ...(limitRate === undefined ? {} : { bytesPerSecond: limitRate === 'none' ? null : limitRate }),
    };
    const replica = await (await call.connect()).replica.put(vaultAddress(call), { properties });
    showReplica(call, replica);
    sayHowToKeepIt(call, replica);
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
    showReplica(call, await (await call.connect()).replica.get(vaultAddress(call)));
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
    const accepted = await client.replica.sync(vaultAddress(call), {
      properties: call.options.force === true ? { force: true } : {},
    });
    return startedJob(call.inVault(call.name), client, accepted);
  });

  const verify = withWait(
    withGroup(
      addCommand(noun, {
        name: 'verify <vault>',
        summary: 'Read everything in the second store, and heal from the vault what is damaged.',
        args: vaultArgument,
        example: 'holdfast vault replica verify v1 --limit-rate 100M',
        exits: jobExits,
      }),
    ).option('--limit-rate <rate>', 'most to read in a second: 500K, 20M, 1G, or none (bytes)', parseRate),
  );
  onRun<WaitOptions & { limitRate?: number | 'none' }>(verify, cli, async (call) => {
    const { limitRate = 'none' } = call.options;
    const client = await call.connect();
    const accepted = await client.replica.verify(vaultAddress(call), {
      properties: limitRate === 'none' ? {} : { limitBytesPerSecond: limitRate },
    });
    return startedJob(call.inVault(call.name), client, accepted);
  });

  const repair = withWait(
    withGroup(
      addCommand(noun, {
        name: 'repair <vault>',
        summary:
          'Show what can be mended of what is known to be damaged in the second store; with --yes, mend it.',
        args: vaultArgument,
        example: 'holdfast vault replica repair v1 --yes',
        exits: jobExits,
      }),
    ).option('-y, --yes', 'really do it; without it, the plan is shown and nothing is changed'),
  );
  onRun<WaitOptions & { yes?: boolean }>(repair, cli, async (call) => {
    const client = await call.connect();
    const execute = call.options.yes === true;
    const accepted = await client.replica.repair(vaultAddress(call), { properties: { execute } });
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
    const { storePath, recoveryPoints } = (await client.replica.get(vaultAddress(call))).properties;
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
    await client.replica.delete(vaultAddress(call));
    call.write(`Vault ${call.name} has no replica any more. Its store stays at ${storePath}.\n`);
  });
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

async function encryptionOf({
  encryption,
  passphraseFile,
}: SetOptions): Promise<Pick<ReplicaRequest['properties'], 'encryption'>> {
  if (encryption === undefined && passphraseFile === undefined) return {};
  const state = encryption === 'none' ? 'Disabled' : 'Enabled';
  if (passphraseFile === undefined) return { encryption: { state } };
  return { encryption: { state, passphrase: await readSecret(passphraseFile) } };
}

/** The only moment at which the recovery key can be seen: losing all keys is explained before it can happen. */
function sayHowToKeepIt(call: Call, { properties: { encryption } }: Replica): void {
  const { recoveryKey, keyFile } = encryption;
  if (recoveryKey === undefined) return;
  call.write(`\nRecovery key of the replica: ${recoveryKey}\n`);
  call.say(
    `Write this recovery key down and keep it away from this machine: it is shown only now, and it is not that of the vault. The service opens the replica with ${keyFile}. ` +
      'Without that file and without this recovery key, nobody can restore anything from the replica, ever.',
  );
}

const statusWords: Record<Properties['status'], Cell> = {
  Ready: { text: 'ready', tone: 'good' },
  Locked: { text: 'locked', tone: 'bad' },
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
    ['Encryption', properties.encryption.state === 'Enabled' ? 'on' : 'none'],
    ['Key file', properties.encryption.keyFile],
    ['Keeps', retentionWords(properties)],
    [
      'Rate limit',
      properties.bytesPerSecond === undefined ? undefined : `${formatBytes(properties.bytesPerSecond)}/s`,
    ],
    ...figureLines(properties),
    ['Not replicated yet', lagWords(call, properties)],
    ['Up to date at', call.time(properties.lastCompletedTime)],
    [
      'Verified',
      verifiedWords(
        (at) => call.time(at),
        properties.lastVerifiedTime,
        properties.unfinishedVerificationSince,
      ),
    ],
    ['Under way', properties.jobId],
    [
      'Last error',
      lastError === undefined ? undefined : { text: `${lastError.code}: ${lastError.message}`, tone: 'bad' },
    ],
    ['', lastError === undefined ? undefined : `What to do: ${lastError.action}`],
  ]);
}
