import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type RunningService, startService } from '../../src/service.ts';
import { startTestBlob, type TestBlob } from '../../src/store/testing/blob-server.ts';
import { startTestS3, type TestS3 } from '../../src/store/testing/s3-server.ts';

const main = resolve(import.meta.dirname, '../../src/main.ts');
const servers: { [name: string]: TestS3 | TestBlob } = {};
beforeAll(async () => {
  [servers.S3, servers.Blob] = await Promise.all([startTestS3({ strict: true }), startTestBlob()]);
});
afterAll(async () => {
  for (const server of Object.values(servers)) await server[Symbol.asyncDispose]();
});

let home: string;
let service: RunningService | undefined;
const logged: string[] = [];
const log = {
  info: (...line: unknown[]) => void logged.push(JSON.stringify(line)),
  warn: (...line: unknown[]) => void logged.push(JSON.stringify(line)),
  error: (...line: unknown[]) => void logged.push(JSON.stringify(line)),
};
const start = async () => {
  service = await startService({ home, listen: { host: '127.0.0.1', port: 0 }, log });
};

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'holdfast-objects-'));
  await chmod(home, 0o700);
  await start();
});
afterEach(async () => {
  await service?.stop();
  await rm(home, { recursive: true, force: true });
});

function holdfast(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((done) => {
    execFile(
      process.execPath,
      [main, ...args, '--home', home],
      { timeout: 90_000 },
      (error, stdout, stderr) =>
        done({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    );
  });
}

async function credentialsFile(name: string, content: object): Promise<string> {
  const path = join(home, name);
  await writeFile(path, JSON.stringify(content), { mode: 0o600 });
  return path;
}

/** Every file of the home that has this text in it. */
async function filesWith(text: string): Promise<string[]> {
  const names = await readdir(home, { recursive: true });
  const found: string[] = [];
  for (const name of names) {
    const path = join(home, name);
    if ((await stat(path)).isFile() && (await readFile(path)).includes(text)) found.push(name);
  }
  return found;
}

describe.each(['S3', 'Blob'])('a vault whose store is on %s', (name) => {
  const server = () => {
    const found = servers[name];
    if (found === undefined) throw new Error(`no server ${name}`);
    return found;
  };
  const secretOf = (credentials: object) => String(Object.values(credentials).at(-1));

  test('is created, shown, and opened again by the next service, with its secret in one file only', async () => {
    const { credentials, place } = server();
    const store = place('site/v1');
    const file = await credentialsFile('given.json', credentials);
    const created = await holdfast('vault', 'create', 'v1', '--store', store, '--store-credentials', file);
    expect(created).toMatchObject({ code: 0 });
    expect(created.stdout).toContain('ready');
    await rm(file);
    const kept = await filesWith(secretOf(credentials));
    expect(kept).toEqual([expect.stringMatching(/^store-credentials\/[0-9a-f]{32}\.json$/)]);
    expect((await stat(join(home, kept[0] ?? ''))).mode & 0o777).toBe(0o600);
    const shown = await holdfast('vault', 'show', 'v1', '--output', 'json');
    expect(shown.stdout).toContain(store.split('?')[0]);
    expect(shown.stdout + created.stdout + logged.join('')).not.toContain(secretOf(credentials));

    const again = await holdfast(
      'vault',
      'create',
      'v2',
      '--store',
      store,
      '--store-credentials',
      await credentialsFile('given.json', credentials),
    );
    expect(again.stderr).toContain('StoreExists');
    await service?.stop();
    await start();
    expect((await holdfast('vault', 'show', 'v1')).stdout).toContain('ready');
    expect((await holdfast('vault', 'delete', 'v1', '--yes')).code).toBe(0);
    await rm(join(home, 'given.json'));
    expect(await filesWith(secretOf(credentials))).toEqual([]);
  });

  test('is not created with credentials that are refused, nor in a bucket that is not there', async () => {
    const { credentials, place } = server();
    const other = Buffer.from('another secret of the test').toString('base64');
    const wrong =
      name === 'S3' ? { accessKeyId: 'AKIAOTHER', secretAccessKey: other } : { accountKey: other };
    const wrongFile = await credentialsFile('wrong.json', wrong);
    const rightFile = await credentialsFile('right.json', credentials);
    const refused = await holdfast(
      'vault',
      'create',
      'v1',
      '--store',
      place('v'),
      '--store-credentials',
      wrongFile,
    );
    expect(refused.stderr).toContain('StoreAccessDenied');
    expect(refused.stderr).not.toContain(other);
    const missing = place('v', 'no-such-place');
    const nowhere = await holdfast(
      'vault',
      'create',
      'v1',
      '--store',
      missing,
      '--store-credentials',
      rightFile,
    );
    expect(nowhere.stderr).toContain('StoreNotFound');
    expect((await holdfast('vault', 'list', '--output', 'json')).stdout).not.toContain('v1');
    expect((await filesWith(other)).filter((path) => path !== 'wrong.json')).toEqual([]);
    // Nothing was made that would be in the way now.
    const created = await holdfast(
      'vault',
      'create',
      'v1',
      '--store',
      place('v'),
      '--store-credentials',
      rightFile,
    );
    expect(created).toMatchObject({ code: 0 });
  });

  test('may be the replica of another, made anew or taken over, and leaves no secret behind', async () => {
    const { credentials, place } = server();
    await holdfast('vault', 'create', 'v1');
    const file = await credentialsFile('given.json', credentials);
    const set = () =>
      holdfast('vault', 'replica', 'set', 'v1', '--store', place('second'), '--store-credentials', file);
    const shown = await set();
    expect(shown).toMatchObject({ code: 0 });
    expect(shown.stdout).toContain('ready');
    expect(shown.stdout + logged.join('')).not.toContain(secretOf(credentials));
    expect(await holdfast('vault', 'replica', 'sync', 'v1')).toMatchObject({ code: 0 });
    await service?.stop();
    await start();
    expect((await holdfast('vault', 'replica', 'show', 'v1')).stdout).toContain('ready');
    expect(await holdfast('vault', 'replica', 'remove', 'v1', '--yes')).toMatchObject({ code: 0 });
    expect(await set()).toMatchObject({ code: 0 });
    expect(await holdfast('vault', 'replica', 'sync', 'v1')).toMatchObject({ code: 0 });
    expect(await holdfast('vault', 'replica', 'remove', 'v1', '--yes')).toMatchObject({ code: 0 });
    await rm(file);
    expect(await filesWith(secretOf(credentials))).toEqual([]);
  });

  test('takes new credentials only if they open its store', async () => {
    const { credentials, place } = server();
    const store = place('rotated');
    const rightFile = await credentialsFile('right.json', credentials);
    await holdfast('vault', 'create', 'v1', '--store', store, '--store-credentials', rightFile);
    const wrong = name === 'S3' ? { accessKeyId: 'AKIAOTHER', secretAccessKey: 'x' } : { accountKey: 'eA==' };
    const wrongFile = await credentialsFile('wrong.json', wrong);
    const refused = await holdfast(
      'vault',
      'create',
      'v1',
      '--store',
      store,
      '--store-credentials',
      wrongFile,
    );
    expect(refused.stderr).toContain('StoreAccessDenied');
    const taken = await holdfast('vault', 'create', 'v1', '--store', store, '--store-credentials', rightFile);
    expect(taken).toMatchObject({ code: 0 });
    await service?.stop();
    await start();
    expect((await holdfast('vault', 'show', 'v1')).stdout).toContain('ready');
  });
});

test('a file of credentials that others can read is refused, and nothing of it is shown', async () => {
  const file = await credentialsFile('open.json', { accessKeyId: 'a', secretAccessKey: 'topsecret' });
  await chmod(file, 0o644);
  const refused = await holdfast(
    'vault',
    'create',
    'v1',
    '--store',
    's3://backups/x',
    '--store-credentials',
    file,
  );
  expect(refused.stderr).toContain('chmod 600');
  await writeFile(file, '{"accessKeyId": topsecret');
  await chmod(file, 0o600);
  const garbled = await holdfast(
    'vault',
    'create',
    'v1',
    '--store',
    's3://backups/x',
    '--store-credentials',
    file,
  );
  expect(garbled.stderr).toContain('is not JSON');
  const local = await holdfast(
    'vault',
    'create',
    'v1',
    '--store',
    join(home, 'x'),
    '--store-credentials',
    await credentialsFile('c.json', { accountKey: 'topsecret' }),
  );
  expect(local.stderr).toContain('needs no credentials');
  for (const { stdout, stderr } of [refused, garbled, local])
    expect(stdout + stderr).not.toContain('topsecret');
});
