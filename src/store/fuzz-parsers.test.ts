import { hash, type KeyObject } from 'node:crypto';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isHoldfastError } from '../errors/index.ts';
import { type Backend, checkObjectName } from './backend.ts';
import { claimLeases } from './backends/claims.ts';
import { ChunkIndex } from './chunk-index.ts';
import { type DocumentKind, decodeDocument, documentsWith, encodeDocument } from './document.ts';
import { encodeGeneration, loadGeneration } from './generation-record.ts';
import { memoryBackend } from './index.ts';
import { encodeSegment, segmentSections } from './index-segment.ts';
import { isTableWhole, loadTable, tableParts } from './index-table.ts';
import { decodeWrap, encodeWrap, type KeyWrap } from './keys/key-wrap.ts';
import { newVaultKey, storeKeysOf } from './keys/store-keys.ts';
import { passphraseCost } from './keys/store-secret.ts';
import {
  generationName,
  generationOf,
  keyCopyName,
  keyName,
  packIdOf,
  packName,
  pointName,
  pointOf,
  quarantineName,
  quarantineOf,
  wrapIdOf,
} from './layout.ts';
import {
  decodeFooter,
  encodeFooter,
  encodeTrailer,
  packEntryBytes,
  packFooterBytes,
  packIdOfTrailer,
  trailerEntries,
} from './pack-format.ts';
import { PackTable } from './pack-table.ts';
import { PackTrailers } from './pack-trailers.ts';
import { decodePoint, encodePoint } from './point-records.ts';
import { decodeConfig, encodeConfig } from './store-config.ts';
import { fuzzRuns, mutate, mutation } from './testing/mutations.ts';
import type { PointRecord } from './types.ts';
import { Quarantine } from './verify/quarantine.ts';
import { encodeQuarantine, loadQuarantine } from './verify/quarantine-record.ts';

const bytes = fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array));
const changes = fc.array(mutation, { minLength: 1, maxLength: 4 });
const changed = (valid: Buffer) => changes.map((list) => list.reduce(mutate, valid));
const refused = ['StoreDamaged', 'StoreVersionNotSupported'] as const;

/** The answer, or undefined where the input was refused as damage or as a newer version; anything else is thrown. */
async function orRefused<T>(action: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    if (!isHoldfastError(error, ...refused)) throw error;
    return undefined;
  }
}

/** As a document whose sum is right: whoever made it knows the format, but not what belongs into it. */
function signed(kind: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`holdfast-${kind} 1\n${hash('sha256', body)}\n`), body]);
}

/** JSON that is nearly what is expected: a valid body in which one value, anywhere, is another. */
function nearly(body: object): fc.Arbitrary<unknown> {
  const paths: (string | number)[][] = [];
  const walk = (value: unknown, path: (string | number)[]): void => {
    paths.push(path);
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value))
      walk(inner, [...path, Array.isArray(value) ? Number(key) : key]);
  };
  walk(body, []);
  const other = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom(null, -1, 1e308, 2 ** 53, 0.5, '', '../x', '2026-02-30T00:00:00Z', [null], [[]], {}),
  );
  return fc.tuple(fc.constantFrom(...paths), other).map(([path, value]) => {
    if (path.length === 0) return value;
    const copy = structuredClone(body) as Record<string, unknown>;
    let parent = copy;
    for (const key of path.slice(0, -1)) parent = parent[key] as Record<string, unknown>;
    parent[path.at(-1) ?? ''] = value;
    return copy;
  });
}

const plain = documentsWith(undefined);
const point: PointRecord = {
  pointId: 'p1',
  itemId: 'vm',
  createdAt: '2026-11-21T06:00:00Z',
  disks: [
    { name: 'sda', disk: { root: 'ab'.repeat(32), sizeBytes: 10_000_000, chunkSizeBytes: 65_536 } },
    { name: 'sdb', disk: { root: undefined, sizeBytes: 0, chunkSizeBytes: 65_536 } },
  ],
  metadata: { xml: '<domain/>' },
  copyOf: {
    storeId: 'c0ffee',
    disks: [{ name: 'sda', disk: { root: 'cd'.repeat(32), sizeBytes: 10_000_000, chunkSizeBytes: 65_536 } }],
  },
};
const config = {
  storeId: 'c0ffee',
  createdAt: '2026-11-21T06:00:00Z',
  chunkSizeBytes: 65_536,
  features: { read: [], write: [] },
};
const generation = {
  generation: 3,
  at: '2026-11-21T06:00:00Z',
  points: 2,
  condemned: [{ generation: 2, at: '2026-11-20T06:00:00Z', packs: ['ab'.repeat(32)] }],
  removed: ['cd'.repeat(32)],
};

const wrap: KeyWrap = {
  wrapId: 'd5d8f5a3-6a4f-4ad3-9f0e-6ab1c6a4c0de',
  kind: 'passphrase',
  label: 'ours',
  createdAt: '2026-11-21T06:00:00Z',
  salt: 'ab'.repeat(16),
  cost: passphraseCost,
  sealed: 'cd'.repeat(60),
};
const quarantine = {
  pack: 'ab'.repeat(32),
  frames: [16, 200],
  all: false,
  container: 'torn',
  salvaged: false,
};

const documents: {
  kind: DocumentKind;
  body: object;
  valid: Buffer;
  read(input: Buffer): Promise<unknown>;
}[] = [
  {
    kind: 'point',
    body: point,
    valid: encodePoint(point, plain),
    read: async (input: Buffer) => decodePoint(pointName('vm', 'p1'), input, plain),
  },
  {
    kind: 'store',
    body: config,
    valid: encodeConfig(config),
    read: async (input: Buffer) => decodeConfig(input),
  },
  {
    kind: 'generation',
    body: generation,
    valid: encodeGeneration(generation, plain).bytes,
    read: async (input: Buffer) =>
      (await loadGeneration(memoryBackend(new Map([[generationName(3), input]])), plain)).record,
  },
  {
    kind: 'key',
    body: wrap,
    valid: encodeWrap(wrap),
    read: async (input) => decodeWrap(keyName(wrap.wrapId), input),
  },
  {
    kind: 'marker',
    body: {},
    valid: encodeDocument('marker', {}),
    read: async (input) => decodeDocument('marker', 'packs/marker', input),
  },
  {
    kind: 'quarantine',
    body: quarantine,
    valid: encodeQuarantine(quarantine),
    read: async (input) =>
      (await loadQuarantine(memoryBackend(new Map([[quarantineName(quarantine.pack), input]])))).records[0],
  },
];

describe.each(documents)('a document of kind $kind', ({ kind, body, valid, read }) => {
  test('that was changed anywhere is refused, or is what it was', async () => {
    const before = await read(valid);
    expect(before).toBeDefined();
    await fc.assert(
      fc.asyncProperty(fc.oneof(changed(valid), bytes), async (input) => {
        const found = await orRefused(() => read(input));
        if (found !== undefined) expect(found).toEqual(before);
      }),
      fuzzRuns(500),
    );
  });

  test('whose sum is right and whose body is anything is refused, or is one that could have been written', async () => {
    const bodies = fc.oneof(
      nearly(body).map((value) => Buffer.from(JSON.stringify(value))),
      changed(Buffer.from(JSON.stringify(body))),
      fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
      bytes,
    );
    await fc.assert(
      fc.asyncProperty(bodies, async (input) => {
        const found = await orRefused(() => read(signed(kind, input)));
        if (found === undefined) return;
        // What is accepted is whole: it can be written, and then reads as itself.
        const again =
          kind === 'point' ? encodePoint(found as PointRecord, plain) : encodeDocument(kind, found);
        expect(await read(again)).toEqual(found);
        if (kind === 'point') expectWholePoint(found as PointRecord);
      }),
      fuzzRuns(1000),
    );
  });
});

function expectWholePoint({ pointId, itemId, disks, metadata }: PointRecord): void {
  expect([pointId, itemId]).toEqual(['p1', 'vm']);
  for (const { name } of disks) expect(name).toBeTypeOf('string');
  expect(new Set(disks.map(({ name }) => name)).size).toBe(disks.length);
  expect(metadata).toBeTypeOf('object');
  expect(metadata).not.toBeNull();
  expect(Array.isArray(metadata)).toBe(false);
}

test('a sealed document opens under its own name and key, and nothing else does', async () => {
  const keysOf = (vaultKey: KeyObject) => documentsWith(storeKeysOf(vaultKey, config.storeId));
  const sealed = keysOf(newVaultKey());
  const name = pointName('vm', 'p1');
  const valid = encodePoint(point, sealed);
  expect(decodePoint(name, valid, sealed)).toEqual(point);
  for (const [other, documentsOf] of [
    [pointName('vm', 'p2'), sealed],
    [name, keysOf(newVaultKey())],
    [name, plain],
  ] as const)
    expect(await orRefused(() => documentsOf.decode('point', other, valid))).toBeUndefined();
  expect(await orRefused(() => decodePoint(name, encodePoint(point, plain), sealed))).toBeUndefined();
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        changed(valid),
        bytes,
        bytes.map((body) => signed('point', body)),
      ),
      async (input) => {
        const found = await orRefused(() => decodePoint(name, input, sealed));
        if (found !== undefined) expect(found).toEqual(point);
      },
    ),
    fuzzRuns(500),
  );
});

test('very deep JSON is refused like any other damage', async () => {
  for (const deep of ['['.repeat(2_000_000), `${'['.repeat(500_000)}${']'.repeat(500_000)}`])
    for (const { kind, read } of documents.filter((one) => one.kind !== 'marker')) // nobody looks into one
      expect(await orRefused(() => read(signed(kind, Buffer.from(deep))))).toBeUndefined();
});

function emptyIndex(backend: Backend): ChunkIndex {
  const packs = new PackTable();
  return new ChunkIndex(packs, new PackTrailers(backend, packs), new Quarantine(backend));
}

const entry = {
  id: Buffer.alloc(32, 7),
  kind: 1,
  codec: 1,
  offset: 16,
  storedLength: 100,
  plainLength: 65_536,
  crc: 5,
} as const;
const trailer = encodeTrailer([entry, { ...entry, id: Buffer.alloc(32, 8), offset: 116 }]);

describe('a pack', () => {
  test('whose footer is anything says where its trailer is inside it, or what is wrong', () => {
    const valid = encodeFooter(216, trailer);
    const packBytes = 216 + trailer.length + packFooterBytes;
    fc.assert(
      fc.property(
        fc.oneof(changed(valid), bytes),
        fc.oneof(fc.constant(packBytes), fc.maxSafeNat()),
        (input, size) => {
          const place = decodeFooter(input, size);
          if ('wrong' in place) return;
          expect(place.offset).toBeGreaterThanOrEqual(0);
          expect(place.length % packEntryBytes).toBe(0);
          expect(place.offset + place.length + packFooterBytes).toBe(size);
          if (size === packBytes) expect(place).toEqual({ offset: 216, length: trailer.length });
        },
      ),
      fuzzRuns(1000),
    );
  });

  test('whose trailer is anything has entries that can be looked at, and no more than fit', () => {
    fc.assert(
      fc.property(fc.oneof(changed(trailer), bytes), (input) => {
        const entries = [...trailerEntries(input)];
        expect(entries.length).toBeLessThanOrEqual(input.length / packEntryBytes);
        for (const { id, kind, codec } of entries) {
          expect(id.length).toBe(32);
          expect([1, 2]).toContain(kind);
          expect([0, 1]).toContain(codec);
        }
      }),
      fuzzRuns(1000),
    );
  });
});

test('an index segment that was changed gives sections that are whole, or none', () => {
  const other = trailer.subarray(0, packEntryBytes);
  const sections = [trailer, other].map((part) => ({
    packId: packIdOfTrailer(part),
    packBytes: 1000,
    trailer: part,
  }));
  const valid = Buffer.concat([...encodeSegment(sections)]);
  fc.assert(
    fc.property(fc.oneof(changed(valid), bytes), (input) => {
      for (const section of segmentSections(input)) {
        expect(packIdOfTrailer(section.trailer)).toBe(section.packId);
        expect(sections.some(({ packId }) => packId === section.packId) || section.trailer.length === 0).toBe(
          true,
        );
      }
    }),
    fuzzRuns(1000),
  );
});

describe('a table of the index', async () => {
  const table = await (async () => {
    const backend = memoryBackend();
    const sections = [trailer, trailer.subarray(0, packEntryBytes)].map((part) => ({
      packId: packIdOfTrailer(part),
      packBytes: 1000,
      trailer: part,
    }));
    const index = emptyIndex(backend);
    for (const section of sections) index.addPack(section);
    return Buffer.concat(await Array.fromAsync(tableParts(index, ['index/a.segment'], () => true)));
  })();
  const name = 'table/a.table';
  const load = async (input: Buffer) => {
    const backend = memoryBackend(new Map([[name, input]]));
    const index = emptyIndex(backend);
    const object = { name, sizeBytes: input.length };
    const found = await loadTable(backend, object, index, () => false);
    return { found, isWhole: await isTableWhole(backend, object), count: index.table.count };
  };

  test('that was changed anywhere is of no use', async () => {
    expect(await load(table)).toMatchObject({
      isWhole: true,
      count: 3,
      found: { segments: ['index/a.segment'] },
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(changed(table), bytes), async (input) => {
        const { found, isWhole } = await load(input);
        expect(isWhole).toBe(input.equals(table));
        if (!input.equals(table)) expect(found).toBeUndefined();
      }),
      fuzzRuns(300),
    );
  });

  test('whose sums are right, and whose head is anything, has no more than it can have', async () => {
    const footerAt = table.length - 64;
    const headAt = Number(table.readBigUInt64LE(footerAt));
    await fc.assert(
      fc.asyncProperty(changed(table.subarray(headAt, footerAt)), fc.nat(4), async (head, packs) => {
        const footer = Buffer.from(table.subarray(footerAt));
        footer.writeUInt32LE(packs, 8);
        footer.writeUInt32LE(Math.max(0, head.length - packs * 64 - 1024 * 40), 12);
        hash('sha256', head, 'buffer').copy(footer, 16);
        footer.writeUInt32LE(crc32(footer.subarray(0, 52)), 52);
        const { count } = await load(Buffer.concat([table.subarray(0, headAt), head, footer]));
        expect(count).toBeLessThanOrEqual(3);
      }),
      fuzzRuns(300),
    );
  });
});

test('a claim to the lease on object storage that is anything still only waits for its time', async () => {
  const signal = new AbortController().signal;
  const claims = fc.oneof(
    bytes,
    nearly({ holder: 'h', renewal: 1, ttlMs: 1000, released: false }).map((value) =>
      Buffer.from(JSON.stringify(value)),
    ),
  );
  await fc.assert(
    fc.asyncProperty(claims, async (body) => {
      const key = 'lock/000000000001';
      const leases = claimLeases(
        {
          put: async () => true,
          get: async () => body,
          delete: async () => {},
          listPage: async () => ({ next: undefined, objects: [{ key, sizeBytes: body.length, mark: 'm' }] }),
        },
        'lock/',
        { ttlMs: 500, conditional: async () => true },
      );
      const seen = await leases.look(signal);
      if (seen === undefined)
        expect(JSON.parse(String(body)).released).toBe(true); // given back, in so many words
      else expect(seen.ttlMs > 0 && seen.ttlMs <= 600_000).toBe(true);
      // Nobody takes it while somebody may stand behind the claim.
      if (seen !== undefined) expect(await leases.take(undefined, signal)).toBeUndefined();
    }),
    fuzzRuns(500),
  );
});

test('a name means something only if it is the name of that thing, and none leads out of the store', () => {
  const id = 'ab'.repeat(32);
  const wrapId = wrap.wrapId;
  const valid = [
    packName(id),
    pointName('vm', 'p1'),
    generationName(12),
    quarantineName(id),
    keyName(wrapId),
    keyCopyName(wrapId),
  ];
  const names = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.stringMatching(/^(packs|points|generations)\/[a-f0-9./-]{1,70}(\.pack|\.point|\.generation)?$/),
    fc.nat(300).map((length) => `points/vm/${'p'.repeat(length)}.point`),
    ...valid.map((name) => changed(Buffer.from(name)).map((changedName) => changedName.toString('latin1'))),
  );
  fc.assert(
    fc.property(names, (name) => {
      const pack = packIdOf(name);
      if (pack !== undefined) expect(packName(pack)).toBe(name);
      const found = pointOf(name);
      if (found !== undefined) expect(pointName(found.itemId, found.pointId)).toBe(name);
      const number = generationOf(name);
      if (number !== undefined) expect(generationName(number)).toBe(name);
      const quarantined = quarantineOf(name);
      if (quarantined !== undefined) expect(quarantineName(quarantined)).toBe(name);
      const key = wrapIdOf(name);
      if (key !== undefined) expect([keyName(key), keyCopyName(key)]).toContain(name);
      if ([pack, found, number, quarantined, key].some((each) => each !== undefined)) checkObjectName(name);
    }),
    fuzzRuns(1000),
  );
});
