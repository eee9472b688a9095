import type { Command } from 'commander';
import { segmentOf, type Vault } from '../../api/client/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import { type Call, shellWord } from '../call.ts';
import { addCommand, addNoun, type Cli, onRun, withGroup } from '../command.ts';
import { count, formatBytes, nothing } from '../format.ts';
import { parsePlace, parseTag } from '../parse.ts';
import { readStoreCredentials } from '../store-credentials.ts';
import type { Cell } from '../table.ts';
import { inNamedGroup } from './host.ts';
import { addVaultReplicaCommands } from './vault-replica.ts';

const statusWords: Record<Vault['properties']['holdfast']['status'], Cell> = {
  Ready: { text: 'ready', tone: 'good' },
  Unavailable: { text: 'unavailable', tone: 'bad' },
};

export function addVaultCommands(program: Command, cli: Cli): void {
  const noun = addNoun(program, 'vault', 'vaults, which hold the recovery points');

  const create = withGroup(
    addCommand(noun, {
      name: 'create <vault>',
      summary: 'Create a vault with a store of its own.',
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
    .option('--tag <key=value>', 'tag; may be given several times', parseTag);
  onRun<{
    location: string;
    store?: string;
    storeCredentials?: string;
    tag?: Record<string, string>;
  }>(create, cli, async (call) => {
    const { location, store, storeCredentials, tag } = call.options;
    const credentials =
      storeCredentials === undefined ? undefined : await readStoreCredentials(storeCredentials);
    const holdfast = {
      ...(store === undefined ? {} : { storePath: store }),
      ...(credentials === undefined ? {} : { storeCredentials: credentials }),
    };
    const vault = await (await call.connect()).vaults.put(addressOf(call), {
      location,
      ...(tag === undefined ? {} : { tags: tag }),
      properties: Object.keys(holdfast).length === 0 ? {} : { holdfast },
    });
    showVault(call, vault);
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
    showVault(call, await (await call.connect()).vaults.get(addressOf(call)));
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
    const at = addressOf(call);
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

  addVaultReplicaCommands(noun, cli);
}

/** The vault that these commands name as their argument. */
function addressOf(call: Call) {
  return { resourceGroup: call.resourceGroup, vault: call.name };
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
    ['Protected items', String(holdfast.protectedItems)],
    ['Recovery points', holdfast.recoveryPoints?.toString()],
    ['Content', holdfast.uniqueBytes === undefined ? undefined : formatBytes(holdfast.uniqueBytes)],
    ['Stored', holdfast.storedBytes === undefined ? undefined : formatBytes(holdfast.storedBytes)],
    ['Tags', tags.length === 0 ? undefined : tags.join(', ')],
  ]);
}
