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
  // With a stored table of the index, and each look-up reads.
  chunksBeforeTable: 1,
  indexCacheBytes: 0,
};

const key = { kind: 'key-file' as const, text: newKeyFile() };
const variants = {
  plain: { create: {}, open: {} },
  encrypted: { create: { encryption: { secrets: [{ ...key, label: 'service' }] } }, open: { unlock: [key] } },
};

const sampleContent = Buffer.concat([
  bytesFrom(2, 3 * testChunkBytes),
  bytesFrom(3, 4 * testChunkBytes + 99),
]);

/** Three points that share and do not share, with garbage, condemned packs and a generation beside them. */
async function sampleStore(
  create: object,
): Promise<{ objects: ReadonlyMap<string, Buffer>; points: Map<string, Buffer> }> {
  const backend = memoryBackend();
  const points = new Map<string, Buffer>();
  const store = await createStore(backend, { ...options, ...create });
  const first = sampleContent;
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

/** What its people do with a store. None of it may ever cost a point that could be restored. */
const upkeep = {
  collect: (store: Store) => store.collect({ minimumAgeMs: 0, wasteThreshold: 0 }),
  verify: (store: Store) => store.verify(),
  repair: (store: Store) => store.repair({ dryRun: false }),
  write: (store: Store) => backUp(store, `new-${next++}`, sampleContent),
  reopen: async () => undefined,
};
let next = 0;

type Upkeep = keyof typeof upkeep;
const upkeepNames = Object.keys(upkeep) as Upkeep[];

test.each(['plain', 'encrypted'] as const)(
  'whatever happens to the objects of a store (%s), each point restores as it was or the damage is reported',
  async (variant) => {
    const { create, open } = variants[variant];
    const { objects, points } = await sampleStore(create);
    const accidents = fc.array(accident, { minLength: 1, maxLength: 4 });
    const works = fc.array(fc.constantFrom(...upkeepNames), { maxLength: 6 });
    const play = async (what: readonly Accident[], work: readonly Upkeep[], withIndex: boolean) => {
      const hurt = new Map([...objects].filter(([name]) => withIndex || !name.startsWith('index/')));
      for (const one of what) befall(hurt, one);
      const reopen = () => orReported(() => openStore(memoryBackend(hurt), { ...options, ...open }));
      let store = await reopen();
      if (store === undefined) return;
      const { points: listed, damaged } = (await orReported(async () => store?.listPoints())) ?? {
        points: [],
        damaged: [],
      };
      const records = [...hurt.keys()].filter((name) => name.endsWith('.point'));
      expect(listed.length + damaged.length).toBe(records.length);
      await expectVerifyIsRight(store, points);
      let before = await restorable(store, points);
      for (const name of work) {
        if (name === 'reopen') {
          await store[Symbol.asyncDispose]();
          store = await reopen();
          if (store === undefined) throw new Error('it could be opened before');
        } else {
          const open: Store = store;
          await orReported<unknown>(() => upkeep[name](open));
        }
        const after = await restorable(store, points);
        expect(after, `after ${name}`).toEqual(expect.arrayContaining(before));
        before = after; // what has healed stays healed
      }
      await expectVerifyIsRight(store, points);
      await store[Symbol.asyncDispose]();
    };
    // Found by chance once: contents of a pack that cannot tell them any more, known until the store was closed.
    const footers = [...objects.keys()].sort().flatMap((name, object) => {
      const changes: Mutation[] = [{ kind: 'flip', at: 0.9999, bit: 0 }];
      return name.endsWith('.pack') ? [{ kind: 'change' as const, object, changes }] : [];
    });
    // And: with a byte too many, contents that only the table of the index could still find.
    for (const { object } of footers) {
      const changes: Mutation[] = [{ kind: 'insert', at: 0, bytes: Uint8Array.of(0) }];
      await play([{ kind: 'change', object, changes }], ['repair', 'write'], false);
    }
    for (const footer of footers) await play([footer], ['verify', 'reopen', 'write', 'reopen'], false);
    await fc.assert(fc.asyncProperty(accidents, works, fc.boolean(), play), fuzzRuns(50));
  },
  Number(process.env.FUZZ_RUNS ?? 400) * 300,
);

/** What is said of each point, by both who look, is what a restore finds. */
async function expectVerifyIsRight(store: Store, points: ReadonlyMap<string, Buffer>): Promise<void> {
  const report = await orReported(() => store.verify());
  const found = report && new Set(report.damagedPoints.map(({ pointId }) => pointId));
  for (const { pointId, itemId } of (await orReported(() => store.listPoints()))?.points ?? []) {
    const damage = await orReported(() => store.verifyPoint(itemId, pointId, {}));
    const restored = await orReported(() => restore(store, pointId));
    const content = points.get(pointId) ?? sampleContent;
    if (damage !== undefined)
      expect(damage.length > 0, `${pointId}, looked at alone`).toBe(restored === undefined);
    if (found !== undefined) expect(found.has(pointId), pointId).toBe(restored === undefined);
    if (restored !== undefined) expect(restored.equals(content)).toBe(true);
  }
}
