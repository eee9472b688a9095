import { type Command, Option } from 'commander';
import type { VaultKey, VaultKeyRequest, VaultUnlockRequest } from '../../api/client/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import { type Call, shellWord } from '../call.ts';
import { addCommand, addNoun, type Cli, onRun, withGroup } from '../command.ts';
import { readSecret, writeNewSecret } from '../secret-file.ts';
import { vaultAddress } from '../vault-address.ts';

const kinds = {
  passphrase: 'Passphrase',
  'recovery-key': 'RecoveryKey',
  'key-file': 'KeyFile',
} as const;
type KindWord = keyof typeof kinds;

const kindWords = { Passphrase: 'passphrase', RecoveryKey: 'recovery key', KeyFile: 'key file' } as const;

/** The keys of a vault: what opens its store. */
export function addVaultKeyCommands(vault: Command, cli: Cli): void {
  const noun = addNoun(vault, 'key', 'keys of an encrypted vault, which open its store');
  addList(noun, cli);
  addAdd(noun, cli);
  addRename(noun, cli);
  addRemove(noun, cli);
  addUnlock(noun, cli);
}

function addList(noun: Command, cli: Cli): void {
  const list = withGroup(
    addCommand(noun, {
      name: 'list <vault>',
      summary: 'List what opens a vault; the secrets themselves cannot be shown again.',
      args: { vault: 'its name' },
      example: 'holdfast vault key list v1',
      exits: ['notFound', 'conflict'],
    }),
  );
  onRun(list, cli, async (call) => {
    const keys = await (await call.connect()).vaultKeys.list(vaultAddress(call));
    call.list(
      keys,
      [
        { header: 'KEY' },
        { header: 'KIND' },
        { header: 'LABEL' },
        { header: 'CREATED' },
        { header: 'USED BY' },
      ],
      ({ name, properties }) => [
        name,
        kindWords[properties.kind],
        properties.label,
        call.time(properties.createdAt),
        properties.usedByService ? 'the service' : '',
      ],
      'No keys.',
    );
  });
}

interface AddOptions {
  kind: KindWord;
  label?: string;
  passphraseFile?: string;
  file?: string;
}

function addAdd(noun: Command, cli: Cli): void {
  const add = withGroup(
    addCommand(noun, {
      name: 'add <vault>',
      summary: 'Add a key: a passphrase of yours, or a recovery key or key file that is made now.',
      args: { vault: 'its name' },
      example: 'holdfast vault key add v1 --kind recovery-key --label "in the safe"',
      exits: ['notFound', 'conflict'],
    }),
  )
    .addOption(
      new Option('--kind <kind>', 'what it is').choices(Object.keys(kinds)).makeOptionMandatory(true),
    )
    .option('--label <text>', 'what you know it by')
    .option('--passphrase-file <file>', 'where the passphrase is; - is standard input')
    .option('--file <file>', 'where the new key file is to be written');
  onRun<AddOptions>(add, cli, async (call) => {
    const { kind, label, passphraseFile, file } = call.options;
    checkAddOptions(call.options);
    const passphrase = passphraseFile === undefined ? undefined : await readSecret(passphraseFile);
    const body: VaultKeyRequest = {
      properties: {
        kind: kinds[kind],
        ...(label === undefined ? {} : { label }),
        ...(passphrase === undefined ? {} : { passphrase }),
      },
    };
    const client = await call.connect();
    const make = () => client.vaultKeys.add(vaultAddress(call), body);
    const key =
      file === undefined
        ? await make()
        : await writeNewSecret(file, async () => {
            const result = await make();
            return { text: result.properties.secret ?? '', result };
          });
    if (file !== undefined) delete key.properties.secret; // it is in the file, and nowhere else
    showKey(call, key);
    if (key.properties.secret !== undefined) {
      call.write(`\nRecovery key: ${key.properties.secret}\n`);
      call.say('Write it down and keep it away from this machine: it is shown only now.');
    }
    if (file !== undefined) call.say(`The key is in ${file}: keep it secret, and away from this machine.`);
  });
}

function checkAddOptions({ kind, passphraseFile, file }: AddOptions): void {
  const wrong =
    (kind === 'passphrase') !== (passphraseFile !== undefined)
      ? '--passphrase-file goes with --kind passphrase, and has to be given for it.'
      : (kind === 'key-file') !== (file !== undefined)
        ? '--file goes with --kind key-file, and has to be given for it.'
        : undefined;
  if (wrong !== undefined) throw new HoldfastError('InvalidCommandLine', wrong);
}

function addRename(noun: Command, cli: Cli): void {
  const rename = withGroup(
    addCommand(noun, {
      name: 'rename <vault>',
      summary: 'Give a key another label.',
      args: { vault: 'its name' },
      example:
        'holdfast vault key rename v1 --key 1b4e28ba-2fa1-41d2-883f-0016d3cca427 --label "in the safe"',
      exits: ['notFound', 'conflict'],
    }),
  )
    .requiredOption('--key <id>', 'the key, as "vault key list" names it')
    .requiredOption('--label <text>', 'its new label');
  onRun<{ key: string; label: string }>(rename, cli, async (call) => {
    const { key, label } = call.options;
    showKey(call, await (await call.connect()).vaultKeys.rename(vaultAddress(call), key, label));
  });
}

function addRemove(noun: Command, cli: Cli): void {
  const remove = withGroup(
    addCommand(noun, {
      name: 'remove <vault>',
      summary: 'Remove a key; whoever has it can no longer open the vault with it.',
      args: { vault: 'its name' },
      example: 'holdfast vault key remove v1 --key 1b4e28ba-2fa1-41d2-883f-0016d3cca427 --yes',
      exits: ['notFound', 'conflict'],
    }),
  )
    .requiredOption('--key <id>', 'the key, as "vault key list" names it')
    .option('-y, --yes', 'really do it');
  onRun<{ key: string; yes?: boolean }>(remove, cli, async (call) => {
    const at = vaultAddress(call);
    const { key, yes } = call.options;
    const client = await call.connect();
    if (yes !== true) {
      const keys = await client.vaultKeys.list(at);
      const found = keys.find(({ name }) => name.toLowerCase() === key.toLowerCase());
      const what =
        found === undefined ? key : `${kindWords[found.properties.kind]} "${found.properties.label}"`;
      throw new HoldfastError(
        'InvalidCommandLine',
        `The ${what} would no longer open vault ${at.vault}, nor would any copy of it; ${keys.length - 1} other key(s) would be left.`,
        {
          action: `If that is meant: ${call.nextCommand(`vault key remove ${shellWord(at.vault)} --key ${shellWord(key)} --yes`, false)}`,
        },
      );
    }
    await client.vaultKeys.delete(at, key);
    call.write(`Key ${key} is removed.\n`);
  });
}

interface UnlockOptions {
  recoveryKeyFile?: string;
  passphraseFile?: string;
  keyFile?: string;
}

function addUnlock(noun: Command, cli: Cli): void {
  const unlock = withGroup(
    addCommand(noun, {
      name: 'unlock <vault>',
      summary: 'Open a vault whose key file is lost, and make the service a new one.',
      args: { vault: 'its name' },
      example: 'holdfast vault key unlock v1 --recovery-key-file -',
      exits: ['notFound', 'conflict'],
    }),
  )
    .option('--recovery-key-file <file>', 'where the recovery key is; - is standard input')
    .option('--passphrase-file <file>', 'where the passphrase is; - is standard input')
    .option('--key-file <file>', 'a key file of the vault');
  onRun<UnlockOptions>(unlock, cli, async (call) => {
    const given: [VaultUnlockRequest['kind'], string | undefined][] = [
      ['RecoveryKey', call.options.recoveryKeyFile],
      ['Passphrase', call.options.passphraseFile],
      ['KeyFile', call.options.keyFile],
    ];
    const [first, ...others] = given.filter(([, file]) => file !== undefined);
    const [kind, file] = first ?? [];
    if (kind === undefined || file === undefined || others.length > 0)
      throw new HoldfastError(
        'InvalidCommandLine',
        'Give one of --recovery-key-file, --passphrase-file and --key-file.',
      );
    if (file === '-' && call.io.stderr.isTTY) call.say('Type it, then Enter and Ctrl-D.');
    const at = vaultAddress(call);
    const client = await call.connect();
    const key = await client.vaultKeys.unlock(at, { kind, secret: await readSecret(file) });
    const { keyFile } = (await client.vaults.get(at)).properties.holdfast.encryption;
    showKey(call, key);
    call.say(`Vault ${at.vault} is open. The service's key file is ${keyFile}; keep a copy of it elsewhere.`);
  });
}

function showKey(call: Call, key: VaultKey): void {
  const { kind, label, createdAt, usedByService } = key.properties;
  call.show(key, [
    ['Key', key.name],
    ['Kind', kindWords[kind]],
    ['Label', label],
    ['Created', call.time(createdAt)],
    ['Used by', usedByService ? 'the service' : undefined],
  ]);
}
