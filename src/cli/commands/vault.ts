import { type Command, Option } from 'commander';
import { segmentOf, type Vault } from '../../api/client/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import { type Call, shellWord } from '../call.ts';
import { addCommand, addNoun, type Cli, onRun, withGroup } from '../command.ts';
import { count, formatBytes, nothing } from '../format.ts';
import { parsePlace, parseTag } from '../parse.ts';
import { readSecret } from '../secret-file.ts';
import { readStoreCredentials } from '../store-credentials.ts';
import type { Cell } from '../table.ts';
import { vaultAddress } from '../vault-address.ts';
import { inNamedGroup } from './host.ts';
import { addVaultKeyCommands } from './vault-key.ts';
import { addVaultReplicaCommands } from './vault-replica.ts';
import { addVaultUpdateCommand, securityFields } from './vault-update.ts';

const statusWords: Record<Vault['properties']['holdfast']['status'], Cell> = {
  Ready: { text: 'ready', tone: 'good' },
  Locked: { text: 'locked', tone: 'bad' },
  Unavailable: { text: 'unavailable', tone: 'bad' },
};

export function addVaultCommands(program: Command, cli: Cli): void {
  const noun = addNoun(program, 'vault', 'vaults, which hold the recovery points');

  const create = withGroup(
    addCommand(noun, {
      name: 'create <vault>',
      summary: 'Create a vault with a store of its own, encrypted, and print its recovery key.',
      args: { vault: 'its name: 2 to 50 letters, digits and hyphens' },
      example: 'holdfast vault create v1 --store /backup/v1',
      exits: ['conflict'],
    }),
  )
    .option('--location <region>', 'region of the vault', 'local')
    .option(
      '--store <place>',
      "directory of the store, s3://BUCKET/PREFIX or azblob://ACCOUNT/CONTAINER/PREFIX (default: under the service's home)",
      parsePlace,
    )
    .option(
      '--store-credentials <file>',
      'JSON file with the credentials of the store; given again for a vault that exists, it replaces them',
    )
    .addOption(
      new Option('--encryption <how>', 'whether the store is encrypted (default: on)').choices([
        'on',
        'none',
      ]),
    )
    .option('--passphrase-file <file>', 'a passphrase that is to open it, too; - is standard input')
    .option('--tag <key=value>', 'tag; may be given several times', parseTag);
  onRun<CreateOptions>(create, cli, async (call) => {
    const { location, store, storeCredentials, tag, encryption, passphraseFile } = call.options;
    const credentials =
      storeCredentials === undefined ? undefined : await readStoreCredentials(storeCredentials);
    const passphrase = passphraseFile === undefined ? undefined : await readSecret(passphraseFile);
    const holdfast = {
      ...(store === undefined ? {} : { storePath: store }),
      ...(credentials === undefined ? {} : { storeCredentials: credentials }),
      ...(encryption === undefined && passphrase === undefined
        ? {}
        : { encryption: { state: encryption === 'none' ? 'Disabled' : 'Enabled', passphrase } as const }),
    };
    const vault = await (await call.connect()).vaults.put(vaultAddress(call), {
      location,
      ...(tag === undefined ? {} : { tags: tag }),
      properties: Object.keys(holdfast).length === 0 ? {} : { holdfast },
    });
    showVault(call, vault);
    sayHowToKeepIt(call, vault);
  });

  const list = withGroup(
    addCommand(noun, {
      name: 'list',
      summary: 'List the vaults, of all resource groups unless one is named.',
      example: 'holdfast vault list',
    }),
  );
  onRun(list, cli, async (call) => {
    const vaults = await (await call.connect()).vaults.list();
    call.list(
      vaults.filter(({ id }) => inNamedGroup(call, id)),
      [
        { header: 'NAME' },
        { header: 'GROUP' },
        { header: 'LOCATION' },
        { header: 'STATUS' },
        { header: 'ITEMS', align: 'right' },
        { header: 'POINTS', align: 'right' },
        { header: 'STORED', align: 'right' },
      ],
      ({ id, name, location, properties: { holdfast } }) => [
        name,
        segmentOf(id, 'resourceGroups') ?? nothing,
        location,
        statusWords[holdfast.status],
        String(holdfast.protectedItems),
        String(holdfast.recoveryPoints ?? nothing),
        formatBytes(holdfast.storedBytes),
      ],
      `No vaults yet. Create one: ${call.nextCommand('vault create NAME', false)}`,
    );
  });

  const show = withGroup(
    addCommand(noun, {
      name: 'show <vault>',
      summary: 'Show a vault, its store and what it holds.',
      args: { vault: 'its name' },
      example: 'holdfast vault show v1',
      exits: ['notFound'],
    }),
  );
  onRun(show, cli, async (call) => {
    showVault(call, await (await call.connect()).vaults.get(vaultAddress(call)));
  });

  const remove = withGroup(
    addCommand(noun, {
      name: 'delete <vault>',
      summary: 'Delete a vault that protects nothing any more.',
      args: { vault: 'its name' },
      example: 'holdfast vault delete v1 --yes',
      exits: ['notFound', 'conflict'],
    }),
  ).option('-y, --yes', 'really do it');
  onRun<{ yes?: boolean }>(remove, cli, async (call) => {
    const at = vaultAddress(call);
    const client = await call.connect();
    if (call.options.yes !== true) {
      const { holdfast } = (await client.vaults.get(at)).properties;
      const points =
        holdfast.recoveryPoints === undefined
          ? ''
          : ` and ${count(holdfast.recoveryPoints, 'recovery point')}`;
      throw new HoldfastError(
        'InvalidCommandLine',
        `Vault ${at.vault} (${count(holdfast.protectedItems, 'protected item')}${points}, store ${holdfast.storePath}) would be deleted.`,
        {
          action: `If that is meant: ${call.nextCommand(`vault delete ${shellWord(at.vault)} --yes`, false)}`,
        },
      );
    }
    await client.vaults.delete(at);
    call.write(`Vault ${at.vault} is deleted.\n`);
  });

  addVaultUpdateCommand(noun, cli, showVault);
  addVaultReplicaCommands(noun, cli);
  addVaultKeyCommands(noun, cli);
}

interface CreateOptions {
  location: string;
  store?: string;
  storeCredentials?: string;
  encryption?: 'on' | 'none';
  passphraseFile?: string;
  tag?: Record<string, string>;
}

/** The only moment at which the recovery key can be seen: losing all keys is explained before it can happen. */
function sayHowToKeepIt(call: Call, vault: Vault): void {
  const { recoveryKey, keyFile } = vault.properties.holdfast.encryption;
  if (recoveryKey === undefined) return;
  call.write(`\nRecovery key: ${recoveryKey}\n`);
  call.say(
    `Write the recovery key down and keep it away from this machine: it is shown only now. The service opens the vault with ${keyFile}. ` +
      'Without that file and without the recovery key, nobody can restore anything from this vault, ever.',
  );
}

function showVault(call: Call, vault: Vault): void {
  const { holdfast } = vault.properties;
  const tags = Object.entries(vault.tags ?? {}).map(([key, value]) => `${key}=${value}`);
  call.show(vault, [
    ['Name', vault.name],
    ['Resource group', segmentOf(vault.id, 'resourceGroups')],
    ['Location', vault.location],
    ['Status', statusWords[holdfast.status]],
    ['', holdfast.statusMessage],
    ['Store', holdfast.storePath],
    ['Encryption', holdfast.encryption.state === 'Enabled' ? 'on' : 'none'],
    ['Key file', holdfast.encryption.keyFile],
    ...securityFields(vault),
    ['Protected items', String(holdfast.protectedItems)],
    ['Recovery points', holdfast.recoveryPoints?.toString()],
    ['Content', holdfast.uniqueBytes === undefined ? undefined : formatBytes(holdfast.uniqueBytes)],
    ['Stored', holdfast.storedBytes === undefined ? undefined : formatBytes(holdfast.storedBytes)],
    ['Tags', tags.length === 0 ? undefined : tags.join(', ')],
  ]);
}
