import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import {
  createStore,
  fileSystemBackend,
  type NewSecret,
  newKeyFile,
  newRecoveryKey,
  openStore,
  type Store,
} from '../index.ts';
import { backUp, testChunkBytes, testClock } from '../testing/model-disk.ts';
import { parseRecoveryKey } from './recovery-key.ts';
import { newVaultKey, storeKeysOf } from './store-keys.ts';

const marker = 'a marker that nobody must find';
const keyFile = newKeyFile();
const digits = keyFile.split('\n')[1] ?? '';
const recoveryKey = newRecoveryKey();
const passphrase = 'a passphrase that nobody must find';

/** In every form in which they might have been written somewhere. */
const secrets: readonly (string | Buffer)[] = [
  digits,
  Buffer.from(digits, 'hex'),
  Buffer.from(digits, 'hex').toString('base64'),
  recoveryKey,
  recoveryKey.replaceAll('-', ''),
  parseRecoveryKey(recoveryKey),
  parseRecoveryKey(recoveryKey).toString('hex'),
  passphrase,
];

const keys: NewSecret[] = [
  { kind: 'key-file', text: keyFile, label: 'service' },
  { kind: 'recovery', text: recoveryKey, label: 'safe' },
  { kind: 'passphrase', text: passphrase, label: 'ours' },
];

function filesUnder(directory: string): string[] {
  return readdirSync(directory).flatMap((name) => {
    const path = join(directory, name);
    return statSync(path).isDirectory() ? filesUnder(path) : [path];
  });
}

test('neither content nor names, metadata or keys can be found in anything a store writes', async () => {
  const parent = mkdtempSync(join(tmpdir(), 'holdfast-secrecy-'));
  const directory = join(parent, 'store');
  try {
    const backend = fileSystemBackend(directory);
    const options = { clock: testClock, chunkSizeBytes: testChunkBytes, packTargetBytes: 100_000 };
    // Both what zstd makes smaller and what it leaves as it is.
    const noise = Buffer.from(
      Array.from({ length: 20 * testChunkBytes }, (_, at) => (at * at * 31 + (at >> 3)) & 255),
    );
    const content = Buffer.concat([Buffer.from(marker.repeat(5000)), noise, Buffer.from(marker)]);
    const work = async (store: Store) => {
      const { disk } = await backUp(store, 'first', content);
      await using writer = await store.beginPoint({ itemId: 'vm', pointId: 'second' });
      await writer.commit({
        createdAt: '2026-11-21T06:00:00Z',
        disks: [{ name: marker, disk }],
        metadata: { domainXml: `<name>${marker}</name>` },
      });
      await store.deletePoint('vm', 'first');
      await backUp(store, 'third', content.subarray(0, 300_000));
      await store.deletePoint('vm', 'second');
      await store.collect({ wasteThreshold: 0, minimumAgeMs: 0 });
      await store.keys?.add({ kind: 'recovery', text: newRecoveryKey(), label: 'more' });
    };
    {
      await using store = await createStore(backend, { ...options, encryption: { secrets: keys } });
      await work(store);
      // Whatever is logged with an object in it.
      const printed = `${inspect(store, { depth: 20, showHidden: true })}${JSON.stringify(store)}`;
      for (const secret of secrets) expect(printed.includes(secret.toString())).toBe(false);
    }
    const paths = filesUnder(directory);
    expect(paths.length).toBeGreaterThan(8);
    for (const path of paths) {
      const bytes = readFileSync(path);
      for (const secret of [...secrets, marker, noise.subarray(5000, 5032)])
        expect(bytes.includes(secret), path).toBe(false);
      expect(path.includes(marker)).toBe(false);
    }
    // That the search would find something.
    const plain = join(parent, 'plain');
    {
      await using store = await createStore(fileSystemBackend(plain), options);
      await work(store);
    }
    const found = filesUnder(plain).filter((path) => readFileSync(path).includes(noise.subarray(5000, 5032)));
    expect(found.length).toBeGreaterThan(0);
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
});

test('no error repeats a secret', async () => {
  const parent = mkdtempSync(join(tmpdir(), 'holdfast-secrecy-'));
  try {
    const backend = fileSystemBackend(join(parent, 'store'));
    const options = { clock: testClock };
    {
      const secrets = [{ kind: 'key-file', text: newKeyFile(), label: 'another' }] as const;
      await using _ = await createStore(backend, { ...options, encryption: { secrets } });
    }
    const wrong = [
      { kind: 'key-file', text: keyFile },
      { kind: 'key-file', text: `${digits}${digits}` },
      { kind: 'recovery', text: recoveryKey },
      { kind: 'recovery', text: `${recoveryKey}!` },
      { kind: 'passphrase', text: passphrase },
    ] as const;
    for (const secret of wrong) {
      const error = await openStore(backend, { ...options, unlock: [secret] }).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(Error);
      const printed = inspect(error, { depth: 10, showHidden: true });
      for (const part of [...secrets, secret.text]) expect(printed.includes(part.toString())).toBe(false);
    }
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
});

test('the keys of a store print as nothing', () => {
  const storeKeys = storeKeysOf(newVaultKey(), 'id');
  const all = [storeKeys.vaultKey, storeKeys.documentKey, ...Object.values(storeKeys.content)];
  const printed = `${inspect(storeKeys, { depth: 10, showHidden: true })}${JSON.stringify(storeKeys)}`;
  for (const key of all) expect(printed.includes(key.export().toString('hex').slice(0, 8))).toBe(false);
  expect(new Set(all.map((key) => key.export().toString('hex'))).size).toBe(4);
});
