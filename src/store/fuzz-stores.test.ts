import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isHoldfastError } from '../errors/index.ts';
import { createStore, memoryBackend, newKeyFile, openStore, type Store } from './index.ts';
import { backUp, bytesFrom, restore, testChunkBytes } from './testing/model-disk.ts';
import { MovableClock } from './testing/movable-clock.ts';
import { fuzzRuns, type Mutation, mutate, mutation } from './testing/mutations.ts';

const options = {
  clock: new MovableClock(),
  chunkSizeBytes: testChunkBytes,
  packTargetBytes: 4 * testChunkBytes,
  threads: 0,
  reserveBytes: 64,
};

const key = { kind: 'key-file' as const, text: newKeyFile() };
const variants = {
  plain: { create: {}, open: {} },
  encrypted: { create: { encryption: { secrets: [{ ...key, label: 'service' }] } }, open: { unlock: [key] } },
};

/** Three points that share and do not share, with garbage, condemned packs and a generation beside them. */
async function sampleStore(
  create: object,
): Promise<{ objects: ReadonlyMap<string, Buffer>; points: Map<string, Buffer> }> {
  const backend = memoryBackend();
  const points = new Map<string, Buffer>();
  const store = await createStore(backend, { ...options, ...create });
  const first = Buffer.concat([bytesFrom(2, 3 * testChunkBytes), bytesFrom(3, 4 * testChunkBytes + 99)]);
  const { disk } = await backUp(store, 'first', first);
  points.set('first', first);
  await backUp(store, 'gone', bytesFrom(5, 5 * testChunkBytes));
  await store.deletePoint('vm', 'gone');
  const second = Buffer.from(first);
  bytesFrom(7, 5000).copy(second, 2 * testChunkBytes - 500);
  const extents = [{ offset: 2 * testChunkBytes - 500, length: 5000, zero: false }];
  await backUp(store, 'second', second, { base: disk, extents });
  points.set('second', second);
  await store.collect();
  const other = bytesFrom(9, 2 * testChunkBytes);
  await backUp(store, 'other', other);
  points.set('other', other);
  await store[Symbol.asyncDispose]();
  return { objects: backend.objects, points };
}

/** Something that happens to a medium; objects by number, so that a failure can be shrunk. */
type Accident =
  | { kind: 'change'; object: number; changes: Mutation[] }
  | { kind: 'lose'; object: number }
  | { kind: 'exchange' | 'copy'; object: number; other: number };

const object = fc.nat(1000);
const accident: fc.Arbitrary<Accident> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('change' as const),
      object,
      changes: fc.array(mutation, { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const), object }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('exchange' as const, 'copy' as const),
      object,
      other: object,
    }),
  },
);

function befall(objects: Map<string, Buffer>, what: Accident): void {
  const names = [...objects.keys()].sort();
  const name = names[what.object % names.length] ?? '';
  const bytes = objects.get(name) ?? Buffer.alloc(0);
  if (what.kind === 'change') objects.set(name, what.changes.reduce(mutate, bytes));
  else if (what.kind === 'lose') objects.delete(name);
  else {
    const other = names[what.other % names.length] ?? '';
    if (what.kind === 'exchange') objects.set(name, objects.get(other) ?? Buffer.alloc(0));
    objects.set(other, bytes);
  }
}

const reported = [
  'StoreDamaged',
  'StoreVersionNotSupported',
  'StoreNotFound',
  'StoreUnavailable',
  'RecoveryPointNotInStore',
  'CollectionRefused',
  // Of an encrypted store, where its description or its key is not what it was.
  'StoreKeyWrong',
  'StoreNotEncrypted',
] as const;

async function orReported<T>(action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    if (!isHoldfastError(error, ...reported)) throw error;
    return undefined;
  }
}

/** The points that restore; each of them byte for byte, or the test fails. */
async function restorable(store: Store, points: ReadonlyMap<string, Buffer>): Promise<string[]> {
  const whole: string[] = [];
  for (const [pointId, content] of points) {
    const restored = await orReported(() => restore(store, pointId));
    if (restored === undefined) continue;
    expect(restored.equals(content), `${pointId} restored as something else`).toBe(true);
    whole.push(pointId);
  }
  return whole;
}

test.each(['plain', 'encrypted'] as const)(
  'whatever happens to the objects of a store (%s), each point restores as it was or the damage is reported',
  async (variant) => {
    const { create, open } = variants[variant];
    const { objects, points } = await sampleStore(create);
    await fc.assert(
      fc.asyncProperty(
        fc.array(accident, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        async (accidents, withIndex) => {
          const hurt = new Map([...objects].filter(([name]) => withIndex || !name.startsWith('index/')));
          for (const what of accidents) befall(hurt, what);
          const store = await orReported(() => openStore(memoryBackend(hurt), { ...options, ...open }));
          if (store === undefined) return;
          await using _ = store;
          const { points: listed, damaged } = (await orReported(() => store.listPoints())) ?? {
            points: [],
            damaged: [],
          };
          const records = [...hurt.keys()].filter((name) => name.endsWith('.point'));
          expect(listed.length + damaged.length).toBe(records.length);
          for (const { pointId, itemId } of listed) {
            const damage = await orReported(() => store.verifyPoint(itemId, pointId, {}));
            const content = points.get(pointId);
            if (damage?.length === 0 && content !== undefined)
              expect((await restore(store, pointId)).equals(content)).toBe(true);
          }
          const before = await restorable(store, points);
          // Collecting and writing over the damage never costs a point that could be restored.
          for (let round = 0; round < 2; round++)
            await orReported(() => store.collect({ minimumAgeMs: 0, wasteThreshold: 0 }));
          const content = points.get('first') ?? Buffer.alloc(0);
          await orReported(() => backUp(store, 'new', content));
          for (let round = 0; round < 2; round++)
            await orReported(() => store.collect({ minimumAgeMs: 0, wasteThreshold: 0 }));
          expect(await restorable(store, points)).toEqual(expect.arrayContaining(before));
          const healed = await orReported(() => restore(store, 'new'));
          if (healed !== undefined) expect(healed.equals(content)).toBe(true);
        },
      ),
      fuzzRuns(200),
    );
  },
);
