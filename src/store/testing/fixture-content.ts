/** What the stores under `fixtures/` hold, as far as it does not differ each time they are made. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NewSecret } from '../index.ts';
import { printRecoveryKey } from '../keys/recovery-key.ts';
import { bytesFrom, testChunkBytes } from './model-disk.ts';

export const fixturesDirectory = join(import.meta.dirname, 'fixtures');

/** By the version of the format and whether it is encrypted. */
export const fixtureNames = ['format-1-plain', 'format-1-encrypted'] as const;
export type FixtureName = (typeof fixtureNames)[number];

export function fixturePath(name: FixtureName): string {
  return join(fixturesDirectory, `${name}.store`);
}

/** Each of them opens the encrypted ones. They protect nothing else. */
export const fixtureSecrets: readonly NewSecret[] = [
  { kind: 'key-file', label: 'service', text: `# Of a fixture.\n${'0123456789abcdef'.repeat(4)}\n` },
  { kind: 'recovery', label: 'safe', text: printRecoveryKey(Buffer.alloc(20, 7)) },
  { kind: 'passphrase', label: 'ours', text: 'the passphrase of a fixture' },
];

const first = Buffer.concat([
  bytesFrom(2, 4 * testChunkBytes),
  Buffer.alloc(300 * testChunkBytes), // so that the map has two levels
  bytesFrom(3, testChunkBytes),
  bytesFrom(4, 1234),
]);
const changed = Buffer.from(first);
bytesFrom(6, 5000).copy(changed, testChunkBytes - 100);
changed.fill(0, 2 * testChunkBytes, 3 * testChunkBytes);

/** The disks of every point, by item, point and name. */
export const fixturePoints: Record<string, Record<string, Buffer>> = {
  'web/w1': { sda: first, sdb: Buffer.alloc(1_000_000) },
  'web/w2': { sda: changed, sdb: Buffer.alloc(1_000_000) },
  'db/d1': { sda: bytesFrom(8, 3 * testChunkBytes) },
};

/** Where `web/w2` differs from `web/w1`. */
export const fixtureChanges = [
  { offset: testChunkBytes - 100, length: 5000, zero: false },
  { offset: 2 * testChunkBytes, length: testChunkBytes, zero: true },
];

export const fixtureMetadata = {
  xml: '<domain type="kvm"><name>größer</name></domain>',
  nvram: null,
  disks: 2,
};

/** The objects of a store in one file: a line of JSON with names and lengths, then their bytes. */
export function packObjects(objects: ReadonlyMap<string, Buffer>): Buffer {
  const sorted = [...objects].sort(([a], [b]) => (a < b ? -1 : 1));
  const head = JSON.stringify(sorted.map(([name, { length }]) => [name, length]));
  return Buffer.concat([Buffer.from(`${head}\n`), ...sorted.map(([, bytes]) => bytes)]);
}

export function readFixture(name: FixtureName): Map<string, Buffer> {
  const bytes = readFileSync(fixturePath(name));
  let at = bytes.indexOf(0x0a) + 1;
  const head = JSON.parse(bytes.toString('utf8', 0, at)) as [string, number][];
  const objects = new Map<string, Buffer>();
  for (const [objectName, length] of head) {
    objects.set(objectName, Buffer.from(bytes.subarray(at, at + length)));
    at += length;
  }
  return objects;
}
