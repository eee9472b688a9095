import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Vault, VaultKey } from '../../src/api/client/index.ts';
import { runCli } from '../../src/cli/index.ts';
import { type RunningService, startService } from '../../src/service.ts';
import { fileSystemBackend, openStore } from '../../src/store/index.ts';

/** A service with its home, and the command line as a person uses it. */
let directory: string;
let home: string;
let service: RunningService;
let log: string;

const started = () =>
  startService({
    home,
    listen: { host: '127.0.0.1', port: 0 },
    log: {
      info: (...what: unknown[]) => note(what),
      warn: (...what: unknown[]) => note(what),
      error: (...what: unknown[]) => note(what),
    },
  });

function note(what: unknown[]): void {
  log += `${JSON.stringify(what)}\n`;
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-keys-'));
  home = join(directory, 'home');
  log = '';
  service = await started();
});

afterEach(async () => {
  await service.stop();
  await rm(directory, { recursive: true, force: true });
});

async function run(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await runCli([...words, '--home', home], {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: { NO_COLOR: '1' },
  });
  return { code, out, err };
}

async function json<T>(...words: string[]): Promise<T> {
  const { code, out, err } = await run(...words, '--output', 'json');
  if (code !== 0) throw new Error(err);
  return JSON.parse(out) as T;
}

async function restart(between: () => Promise<void>): Promise<void> {
  await service.stop();
  await between();
  service = await started();
}

const figures = async () => (await json<Vault>('vault', 'show', 'v1')).properties.holdfast;

describe('a new vault', () => {
  it('is encrypted, shows its recovery key once, and says what losing it means', async () => {
    const { out, err, code } = await run('vault', 'create', 'v1');
    expect(code).toBe(0);
    const [, key = ''] = /^Recovery key: ((?:[0-9A-Z]{4}-){8}[0-9A-Z]{4})$/m.exec(out) ?? [];
    expect(key).not.toBe('');
    const { encryption, storePath, storeId } = await figures();
    expect(encryption).toEqual({
      state: 'Enabled',
      keyFile: expect.stringMatching(/\/keys\/[0-9a-f-]+\.key$/),
    });
    expect(err).toContain(`Without that file and without the recovery key, nobody can restore anything`);
    expect(err).toContain(encryption.keyFile);
    expect((await stat(encryption.keyFile ?? '')).mode & 0o777).toBe(0o600);
    expect((await stat(join(home, 'keys'))).mode & 0o777).toBe(0o700);
    for (const words of [
      ['vault', 'list'],
      ['vault', 'key', 'list', 'v1'],
      ['vault', 'show', 'v1'],
    ]) {
      const again = await run(...words, '--output', 'json');
      expect(again.out).not.toContain(key);
    }
    expect((await run('vault', 'create', 'v1', '--output', 'json')).out).not.toContain('recoveryKey');

    // Neither key is anywhere but where it belongs.
    await service.stop();
    const digits = (await readFile(encryption.keyFile ?? '', 'utf8')).split('\n')[1] ?? '';
    const files = await readdir(home, { recursive: true, withFileTypes: true });
    for (const file of files.filter((entry) => entry.isFile())) {
      const path = join(file.parentPath, file.name);
      const bytes = await readFile(path);
      for (const secret of [key, key.replaceAll('-', ''), digits, Buffer.from(digits, 'hex')])
        expect(bytes.includes(secret), path).toBe(path === encryption.keyFile && secret === digits);
    }
    expect(log.includes(key) || log.includes(digits)).toBe(false);
    await using store = await openStore(fileSystemBackend(storePath), {
      clock: { now: () => Temporal.Now.instant() },
      unlock: [{ kind: 'recovery', text: key }],
    });
    expect(store.storeId).toBe(storeId);
    service = await started();
  });

  it('opens by itself when the service starts again', async () => {
    await run('vault', 'create', 'v1');
    await restart(async () => {});
    expect(await figures()).toMatchObject({ status: 'Ready', encryption: { state: 'Enabled' } });
  });

  it('may be plain, and then has no keys', async () => {
    const vault = await json<Vault>('vault', 'create', 'v1', '--encryption', 'none');
    expect(vault.properties.holdfast.encryption).toEqual({ state: 'Disabled' });
    expect((await run('vault', 'key', 'list', 'v1')).err).toContain('is not encrypted');
    await expect(readdir(join(home, 'keys'))).rejects.toThrow('ENOENT');
    await restart(async () => {});
    expect(await figures()).toMatchObject({ status: 'Ready' });
    const changed = await run('vault', 'create', 'v1', '--encryption', 'on');
    expect(changed).toMatchObject({ code: 11, err: expect.stringContaining("can't change its encryption") });
    expect((await run('vault', 'create', 'v1')).code).toBe(0);
  });

  it('is not made with a passphrase that is too short, and leaves nothing behind', async () => {
    const file = join(directory, 'passphrase');
    await writeFile(file, 'short\n');
    const { code, err } = await run('vault', 'create', 'v1', '--passphrase-file', file);
    expect(code).toBe(1);
    expect(err).toContain('Error KeyNotUsable: A passphrase has at least 12 characters');
    expect(err).not.toContain('short\n');
    expect((await run('vault', 'show', 'v1')).code).toBe(10);
    expect(await readdir(home)).not.toContain('keys');
    const plain = await run('vault', 'create', 'v1', '--encryption', 'none', '--passphrase-file', file);
    expect(plain.err).toContain('has no passphrase');
  });
});

describe('a vault whose key file is lost', () => {
  it('says so, and is unlocked with the recovery key, which makes a new key file', async () => {
    const created = await json<Vault>('vault', 'create', 'v1');
    const { recoveryKey = '', keyFile = '' } = created.properties.holdfast.encryption;
    const aside = join(directory, 'aside');
    await rename(keyFile, aside);
    expect(await figures()).toMatchObject({
      status: 'Ready',
      statusMessage: expect.stringContaining('will be locked when the service starts again'),
    });
    await restart(async () => {});
    expect(await figures()).toMatchObject({
      status: 'Locked',
      statusMessage: `Vault 'v1' is locked: its key file ${keyFile} is missing.`,
    });
    expect((await run('vault', 'key', 'list', 'v1')).err).toMatch(
      /^Error VaultLocked: .*\nWhat to do: Put the key file back at .* or unlock the vault with its recovery key/,
    );
    const secret = join(directory, 'recovery');
    await writeFile(secret, '0000-0000-0000-0000-0000-0000-0000-0000-0000\n');
    const mistyped = await run('vault', 'key', 'unlock', 'v1', '--recovery-key-file', secret);
    expect(mistyped).toMatchObject({ code: 1, err: expect.stringContaining('KeyNotUsable') });
    await writeFile(secret, `${recoveryKey.toLowerCase().replaceAll('-', ' ')}\n`);
    const { code, err } = await run('vault', 'key', 'unlock', 'v1', '--recovery-key-file', secret);
    expect(code).toBe(0);
    expect(err).toContain(`The service's key file is ${keyFile}`);
    expect(await figures()).toMatchObject({ status: 'Ready' });
    await restart(async () => {});
    expect(await figures()).toMatchObject({ status: 'Ready' });
    const keys = await json<VaultKey[]>('vault', 'key', 'list', 'v1');
    expect(keys.map(({ properties }) => [properties.label, properties.usedByService]).sort()).toEqual([
      ['recovery key', false],
      ['service', false],
      ['service', true],
    ]);
    // The lost one is of no use to whoever finds it, once it is removed.
    const lost = keys.find(({ properties }) => properties.label === 'service' && !properties.usedByService);
    expect((await run('vault', 'key', 'remove', 'v1', '--key', lost?.name ?? '')).code).toBe(2);
    expect((await run('vault', 'key', 'remove', 'v1', '--key', lost?.name ?? '', '--yes')).code).toBe(0);
    await restart(async () => rename(aside, keyFile));
    expect(await figures()).toMatchObject({
      status: 'Locked',
      statusMessage: expect.stringContaining('does not open its store'),
    });
    expect((await run('vault', 'key', 'unlock', 'v1', '--recovery-key-file', secret)).code).toBe(0);
    // What was there is put aside: nobody knows what else it opens.
    expect((await readdir(join(home, 'keys'))).length).toBe(2);
  });

  it('is made sound while it is open, with what opens it and nothing else', async () => {
    const created = await json<Vault>('vault', 'create', 'v1');
    const { recoveryKey = '', keyFile = '' } = created.properties.holdfast.encryption;
    await rm(keyFile);
    const secret = join(directory, 'secret');
    await writeFile(secret, `${'12'.repeat(32)}\n`);
    const wrong = await run('vault', 'key', 'unlock', 'v1', '--key-file', secret);
    expect(wrong).toMatchObject({ code: 11, err: expect.stringContaining('StoreKeyWrong') });
    await writeFile(secret, recoveryKey);
    expect((await run('vault', 'key', 'unlock', 'v1', '--recovery-key-file', secret)).code).toBe(0);
    expect((await figures()).statusMessage).toBeUndefined();
    const before = await readFile(keyFile);
    expect((await run('vault', 'key', 'unlock', 'v1', '--recovery-key-file', secret)).code).toBe(0);
    expect(await readFile(keyFile)).toEqual(before); // there was nothing to mend
  });
});

describe('the keys of a vault', () => {
  it('are added, listed, renamed and removed, but not the one that the service needs', async () => {
    const passphrase = join(directory, 'passphrase');
    await writeFile(passphrase, 'correct horse battery staple\n');
    await run('vault', 'create', 'v1', '--passphrase-file', passphrase);
    const copy = join(directory, 'copy.key');
    const added = await run(
      'vault',
      'key',
      'add',
      'v1',
      '--kind',
      'key-file',
      '--file',
      copy,
      '--label',
      'safe',
    );
    expect(added.code).toBe(0);
    expect((await stat(copy)).mode & 0o777).toBe(0o600);
    const digits = (await readFile(copy, 'utf8')).split('\n')[1] ?? '';
    expect(digits).toMatch(/^[0-9a-f]{64}$/);
    expect(added.out.includes(digits)).toBe(false);
    expect((await run('vault', 'key', 'add', 'v1', '--kind', 'key-file', '--file', copy)).err).toContain(
      'EEXIST',
    );
    const more = await json<VaultKey>('vault', 'key', 'add', 'v1', '--kind', 'recovery-key');
    expect(more.properties.secret).toMatch(/^([0-9A-Z]{4}-){8}/);
    const keys = await json<VaultKey[]>('vault', 'key', 'list', 'v1');
    expect(keys.map(({ properties: { kind, label, secret } }) => [kind, label, secret]).sort()).toEqual([
      ['KeyFile', 'safe', undefined],
      ['KeyFile', 'service', undefined],
      ['Passphrase', 'passphrase', undefined],
      ['RecoveryKey', 'recovery key', undefined],
      ['RecoveryKey', 'recovery key', undefined],
    ]);
    const renamed = await json<VaultKey>(
      'vault',
      'key',
      'rename',
      'v1',
      '--key',
      more.name,
      '--label',
      'bank',
    );
    expect(renamed.properties.label).toBe('bank');
    const own = keys.find(({ properties }) => properties.usedByService)?.name ?? '';
    expect(await run('vault', 'key', 'remove', 'v1', '--key', own, '--yes')).toMatchObject({
      code: 11,
      err: expect.stringContaining('Error ResourceInUse: The service opens vault'),
    });
    for (const { name } of keys)
      if (name !== own)
        expect((await run('vault', 'key', 'remove', 'v1', '--key', name, '--yes')).code).toBe(0);
    expect((await run('vault', 'key', 'remove', 'v1', '--key', more.name, '--yes')).code).toBe(10);
    expect(await json<VaultKey[]>('vault', 'key', 'list', 'v1')).toHaveLength(1);
  });

  it('are asked for in a way that shows what is missing', async () => {
    await run('vault', 'create', 'v1');
    for (const [words, message] of [
      [['add', 'v1', '--kind', 'passphrase'], '--passphrase-file goes with --kind passphrase'],
      [['add', 'v1', '--kind', 'key-file'], '--file goes with --kind key-file'],
      [['add', 'v1', '--kind', 'passphrase', '--passphrase-file', '/none'], '/none cannot be read'],
      [['unlock', 'v1'], 'Give one of --recovery-key-file, --passphrase-file and --key-file'],
    ] as const) {
      const { code, err } = await run('vault', 'key', ...words);
      expect(code).toBe(2);
      expect(err).toContain(message);
    }
    const nobody = '00000000-0000-4000-8000-000000000000';
    const renamed = await run('vault', 'key', 'rename', 'v1', '--key', nobody, '--label', 'x');
    expect(renamed).toMatchObject({ code: 10, err: expect.stringContaining('StoreKeyNotFound') });
  });
});
