import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Place, Qcow2Tables } from './qcow2-tables.ts';

const KiB = 1024;
const clusterBytes = 64 * KiB;
const copied = 1n << 63n;
let directory = '';
let made = 0;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-tables-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Made {
  version?: number;
  features?: bigint;
  encryption?: number;
  clusterBits?: number;
  clusters?: number;
  l1?: readonly bigint[];
  /** Of the one table of the second level: numbers of 64 bits, two for each cluster with subclusters. */
  l2?: readonly bigint[];
}

/** An image of 64 KiB clusters: header, first level in cluster 1, second level in cluster 2. */
function imageOf({ clusters = 8, l2 = [], ...made }: Made): Buffer {
  const image = Buffer.alloc(2 * clusterBytes + Math.max(clusterBytes, l2.length * 8));
  image.write('QFI\xfb', 0, 'latin1');
  image.writeUInt32BE(made.version ?? 3, 4);
  image.writeUInt32BE(made.clusterBits ?? 16, 20);
  image.writeBigUInt64BE(BigInt(clusters * clusterBytes), 24);
  image.writeUInt32BE(made.encryption ?? 0, 32);
  const l1 = made.l1 ?? [copied | BigInt(2 * clusterBytes)];
  image.writeUInt32BE(l1.length, 36);
  image.writeBigUInt64BE(BigInt(clusterBytes), 40);
  image.writeBigUInt64BE(made.features ?? 0n, 72);
  for (const [at, entry] of l1.entries()) image.writeBigUInt64BE(entry, clusterBytes + at * 8);
  for (const [at, entry] of l2.entries()) image.writeBigUInt64BE(entry, 2 * clusterBytes + at * 8);
  return image;
}

async function withTables<T>(
  image: Buffer,
  use: (tables: Qcow2Tables | undefined) => Promise<T>,
): Promise<T> {
  const path = join(directory, `${++made}`);
  writeFileSync(path, image);
  await using file = await open(path);
  return await use(await Qcow2Tables.read(file));
}

/** Everything from `from` to the end, as it is found. */
function placesIn(image: Buffer, sizeBytes: number, from = 0): Promise<Place[]> {
  return withTables(image, async (tables) => {
    if (tables === undefined) throw new Error('not read');
    const places: Place[] = [];
    for (let at = from; at < sizeBytes; ) {
      const place = await tables.find(at, sizeBytes - at);
      expect(place.length).toBeGreaterThan(0);
      places.push(place);
      at += place.length;
    }
    return places;
  });
}

const at = (cluster: number) => copied | BigInt(cluster * clusterBytes);

describe('tables of a qcow2 image', () => {
  test('tell what lies together, what is below, and what is not theirs to tell', async () => {
    const l2 = [
      at(10),
      at(11),
      at(5),
      0n,
      copied | 1n, // zeros
      (1n << 62n) | 12_345n, // compressed
      at(12) | (1n << 57n), // a bit that means nothing yet
      at(13) + 512n, // no place for a cluster
    ];
    const places = await placesIn(imageOf({ l2 }), 9 * clusterBytes, 100);
    expect(places).toEqual([
      { kind: 'data', at: 10 * clusterBytes + 100, length: 2 * clusterBytes - 100 },
      { kind: 'data', at: 5 * clusterBytes, length: clusterBytes },
      { kind: 'below', length: clusterBytes },
      { kind: 'other', length: 4 * clusterBytes },
      { kind: 'other', length: clusterBytes }, // beyond the disk
    ]);
  });

  test('tell subclusters', async () => {
    const sub = clusterBytes / 32;
    const bitmap = (zeros: number, data: number) => (BigInt(zeros >>> 0) << 32n) | BigInt(data >>> 0);
    const l2 = [
      ...[at(10), bitmap(0, 0b1110)],
      ...[at(11), bitmap(0b11 << 30, -1 >>> 2)],
      ...[0n, bitmap(0, 1)], // content without a place
      ...[at(12), bitmap(1, 1)], // both at once
    ];
    const places = await placesIn(imageOf({ features: 16n, clusters: 4, l2 }), 4 * clusterBytes);
    expect(places).toEqual([
      { kind: 'below', length: sub },
      { kind: 'data', at: 10 * clusterBytes + sub, length: 3 * sub },
      { kind: 'below', length: 28 * sub },
      { kind: 'data', at: 11 * clusterBytes, length: 30 * sub },
      { kind: 'other', length: 3 * sub },
      { kind: 'below', length: 31 * sub },
      { kind: 'other', length: sub },
      { kind: 'below', length: 31 * sub },
    ]);
  });

  test.each<[string, Made]>([
    ['another version', { version: 4 }],
    ['encryption', { encryption: 2 }],
    ['damage that QEMU has marked', { features: 2n }],
    ['content in another file', { features: 4n }],
    ['another compression', { features: 8n }],
    ['a feature of the future', { features: 1n << 40n }],
    ['clusters of an impossible size', { clusterBits: 40 }],
    ['subclusters that are too small', { features: 16n, clusterBits: 13 }],
  ])('are not read with %s', async (_, image) => {
    expect(await withTables(imageOf(image), async (tables) => tables)).toBeUndefined();
  });

  test('are not read from a file that is something else, or ends', async () => {
    for (const image of [
      Buffer.alloc(0),
      Buffer.alloc(4 * KiB, 0x51),
      imageOf({}).subarray(0, clusterBytes + 4),
    ])
      expect(await withTables(image, async (tables) => tables)).toBeUndefined();
  });

  test('that lead nowhere tell nothing', async () => {
    const all = [{ kind: 'other', length: 8 * clusterBytes }];
    expect(await placesIn(imageOf({ l1: [] }), 8 * clusterBytes)).toEqual(all);
    expect(await placesIn(imageOf({ l1: [at(77)] }), 8 * clusterBytes)).toEqual(all);
    expect(await placesIn(imageOf({ l1: [at(2) + 512n] }), 8 * clusterBytes)).toEqual(all);
    expect(await placesIn(imageOf({ l1: [0n] }), 8 * clusterBytes)).toEqual([
      { kind: 'below', length: 8 * clusterBytes },
    ]);
  });

  test('stay readable when more has been looked at than is kept', async () => {
    const tables = 300; // of 512 bytes and 64 clusters of 512 bytes each
    const image = imageOf({
      clusterBits: 9,
      clusters: (tables * 64 * 512) / clusterBytes,
      l1: Array.from({ length: tables }, (_, table) => BigInt(2 * clusterBytes + table * 512)),
      l2: Array.from({ length: tables * 64 }, (_, entry) => BigInt((entry + 1) * 1024)),
    });
    await withTables(image, async (read) => {
      for (const table of Array.from({ length: 2 * tables }, (_, number) => (number * 7) % tables))
        expect(await read?.find((table * 64 + 5) * 512, 512)).toEqual({
          kind: 'data',
          at: (table * 64 + 6) * 1024,
          length: 512,
        });
    });
  });
});
