/**
 * Everything a store consists of, and everything a medium can do to it. `docs/store-format.md`, "What damage does", has
 * the table in words.
 */
import { describe, expect, test } from 'vitest';
import {
  createStore,
  type MemoryBackend,
  memoryBackend,
  openStore,
  type Store,
  type VerifyReport,
} from './index.ts';
import { packEntryBytes, packFooterBytes, packHeaderBytes } from './pack-format.ts';
import { entriesOf, flip } from './testing/damaged-store.ts';
import { storeKinds } from './testing/encrypted.ts';
import { backUp, bytesFrom, restore, testChunkBytes } from './testing/model-disk.ts';
import { MovableClock } from './testing/movable-clock.ts';

const common = { chunkSizeBytes: testChunkBytes, chunksBeforeTable: 1, reserveBytes: 64, threads: 0 };
const contents = new Map([
  ['old', bytesFrom(1, 4 * testChunkBytes)],
  ['new', Buffer.concat([bytesFrom(2, 2 * testChunkBytes), bytesFrom(3, 2 * testChunkBytes + 777)])],
  ['healed', bytesFrom(5, 2 * testChunkBytes)],
]);
const contentOf = (pointId: string) => contents.get(pointId) ?? Buffer.alloc(0);

type Kind = (typeof storeKinds)[number][1];
type Objects = Map<string, Buffer>;

/** What the medium does. `flipped`: one bit, at several places. */
const harms = ['flipped', 'cut', 'emptied', 'gone'] as const;
type Harm = (typeof harms)[number];

/**
 * Found by a verification under the object's name; or under the name of the place where it is missed; or mended by
 * whoever opens the store before anybody could look; or nowhere, for nothing hangs on it.
 */
type Found = 'named' | { as: string } | 'mended' | 'nowhere';

interface Row {
  /** The object, among those of a store with the points above. */
  name(objects: Objects): string;
  /** The part of it that is flipped, or that the object ends in; default: all of it. */
  part?(bytes: Buffer): readonly [from: number, to: number];
  harms?: readonly Harm[];
  /** Damaged while the store is open, and before it is opened. */
  open: Found | Partial<Record<Harm, Found>>;
  opening: Found | Partial<Record<Harm, Found>>;
  /** Of the point `new`: nothing, stretches of its disk, or all of it. */
  loses?: Partial<Record<Harm, 'stretches' | 'point'>>;
  encryptedOnly?: true;
}

const first =
  (prefix: string, suffix = '') =>
  (objects: Objects) =>
    [...objects.keys()].find((name) => name.startsWith(prefix) && name.endsWith(suffix)) ?? '';
const packOfNew = (objects: Objects) => {
  const backend = memoryBackend(objects);
  const size = (name: string) => entriesOf(backend, name).entries.length;
  // Five chunks, a page and nothing else: no other pack has as many.
  return (
    [...objects.keys()].filter((name) => name.endsWith('.pack')).sort((a, b) => size(b) - size(a))[0] ?? ''
  );
};
const frameOf = (kind: number) => (bytes: Buffer) => {
  const { entries } = entriesOf(memoryBackend(new Map([['packs/x', bytes]])), 'packs/x');
  const { offset = 0, storedLength = 0 } = entries.find((entry) => entry.kind === kind) ?? {};
  return [offset, offset + storedLength] as const;
};
const trailerOf = (bytes: Buffer) => {
  const { entries } = entriesOf(memoryBackend(new Map([['packs/x', bytes]])), 'packs/x');
  const end = bytes.length - packFooterBytes;
  return [end - entries.length * packEntryBytes, end] as const;
};

const rows: Record<string, Row> = {
  'the description': { name: () => 'holdfast-store', open: 'named', opening: 'mended' },
  'the copy of the description': { name: () => 'holdfast-store-copy', open: 'named', opening: 'mended' },
  'the marker of the packs': { name: () => 'packs/marker', open: 'named', opening: 'named' },
  'the marker of the points': { name: () => 'points/marker', open: 'named', opening: 'named' },
  'the marker of the keys': {
    name: () => 'keys/marker',
    open: 'named',
    opening: 'named',
    encryptedOnly: true,
  },
  'a key': { name: first('keys/', '.key'), open: 'named', opening: 'mended', encryptedOnly: true },
  'the copy of a key': { name: first('key-copies/'), open: 'named', opening: 'mended', encryptedOnly: true },
  'the header of a pack': {
    name: packOfNew,
    part: () => [0, packHeaderBytes],
    harms: ['flipped'],
    open: 'named',
    opening: 'named',
  },
  'the data in a pack': {
    name: packOfNew,
    part: frameOf(1),
    open: 'named',
    opening: 'named',
    loses: { flipped: 'stretches', cut: 'stretches', emptied: 'stretches', gone: 'stretches' },
  },
  'a page of a map in a pack': {
    name: packOfNew,
    part: frameOf(2),
    harms: ['flipped', 'cut'],
    open: 'named',
    opening: 'named',
    loses: { flipped: 'stretches', cut: 'stretches' },
  },
  'the trailer of a pack': {
    name: packOfNew,
    part: trailerOf,
    harms: ['flipped', 'cut'],
    open: 'named',
    opening: 'named',
  },
  'the footer of a pack': {
    name: packOfNew,
    part: (bytes) => [bytes.length - packFooterBytes, bytes.length],
    harms: ['flipped', 'cut'],
    open: 'named',
    opening: 'named',
  },
  'an index segment': {
    name: first('index/'),
    open: { flipped: 'named', cut: 'named', emptied: 'named', gone: { as: 'index/' } },
    opening: { flipped: 'named', cut: 'named', emptied: 'named', gone: { as: 'index/' } },
  },
  'the index table': {
    name: first('table/'),
    open: { flipped: 'named', cut: 'named', emptied: 'named', gone: { as: 'table/' } },
    opening: 'mended',
  },
  'the record of a point': {
    name: () => 'points/vm/new.point',
    open: 'named',
    opening: { flipped: 'named', cut: 'named', emptied: 'named', gone: 'nowhere' },
    loses: { flipped: 'point', cut: 'point', emptied: 'point', gone: 'point' },
  },
  'the generation': {
    name: first('generations/'),
    open: { flipped: 'named', cut: 'named', emptied: 'named', gone: { as: 'generations/' } },
    opening: { flipped: 'named', cut: 'named', emptied: 'named', gone: 'nowhere' },
  },
  'a note in the quarantine': {
    name: first('quarantine/'),
    open: 'named',
    opening: { flipped: 'named', cut: 'named', emptied: 'named', gone: 'nowhere' },
  },
  'the reserve': { name: () => 'reserve/space', open: 'nowhere', opening: 'nowhere' },
};

interface Made {
  objects: Objects;
  /** What a verification finds before anything else is damaged. */
  sound: string[];
}

/** Three points; a chunk of `healed` went bad, was found, and was stored anew by another; a collection has been there. */
async function make({ create, open }: Kind): Promise<Made> {
  const backend = memoryBackend();
  const clock = new MovableClock();
  {
    await using store = await createStore(backend, { ...common, clock, ...create });
    await backUp(store, 'healed', contentOf('healed'));
    const pack = first('packs/', '.pack')(backend.objects);
    const { bytes, entries } = entriesOf(backend, pack);
    flip(bytes, (entries[0]?.offset ?? 0) + 50);
    await store.verify();
    await backUp(store, 'again', contentOf('healed'));
    await backUp(store, 'old', contentOf('old'));
    await backUp(store, 'new', contentOf('new'));
    await store.deletePoint('vm', 'again');
    await store.collect();
  }
  await using store = await openStore(backend, { ...common, clock, ...open }); // what is written late is there now
  const sound = foundIn(await store.verify());
  return { objects: backend.objects, sound };
}

const cloneOf = (objects: Objects) =>
  new Map([...objects].map(([name, bytes]) => [name, Buffer.from(bytes)]));

/** What the object is after each way in which it can be hurt so (`everywhere`: at several places); undefined: gone. */
function* damagesOf(
  { part }: Row,
  harm: Harm,
  whole: Buffer,
  everywhere: boolean,
): Generator<[label: string, Buffer | undefined]> {
  const [from, to] = part?.(whole) ?? [0, whole.length];
  if (harm === 'gone') yield ['gone', undefined];
  if (harm === 'emptied') yield ['emptied', Buffer.alloc(0)];
  if (harm === 'cut')
    for (const at of everywhere ? [from + ((to - from) >> 1), to - 1] : [from + ((to - from) >> 1)])
      yield [`cut at ${at}`, whole.subarray(0, at)];
  if (harm === 'flipped')
    for (const share of everywhere ? [0, 0.5, 1] : [0.5]) {
      const bytes = Buffer.from(whole);
      const at = from + Math.floor((to - from - 1) * share);
      flip(bytes, at);
      yield [`flipped at ${at}`, bytes];
    }
}

const foundIn = (report: VerifyReport) => [
  ...report.damagedPacks.map(
    ({ pack, kind, frames }) => `packs/${pack.slice(0, 2)}/${pack}.pack ${kind} ${frames}`,
  ),
  ...report.damagedObjects.map(({ name, kind }) => `${name} ${kind}`),
  ...report.damagedPoints.map(({ pointId }) => `point ${pointId}`),
];

async function expectOthersWhole(store: Store, label: string): Promise<void> {
  for (const pointId of ['old', 'healed'])
    expect((await restore(store, pointId)).equals(contentOf(pointId)), `${label}: ${pointId}`).toBe(true);
}

/** Of `new`, every byte but those that a verification has named. */
async function expectRestWhole(store: Store, { damagedPoints }: VerifyReport, label: string): Promise<void> {
  const expected = Buffer.from(contentOf('new'));
  const [damage, ...others] = damagedPoints;
  expect(others, label).toEqual([]);
  expect(damage, label).toMatchObject({ pointId: 'new', itemId: 'vm', disks: [{ name: 'sda' }] });
  for (const { offset, length } of damage?.disks[0]?.gaps ?? []) expected.fill(0, offset, offset + length);
  const restored = Buffer.alloc(expected.length);
  const [{ disk } = { disk: { root: undefined, sizeBytes: 0, chunkSizeBytes: 0 } }] = (
    await store.readPoint('vm', 'new')
  ).disks;
  using reader = store.openDisk(disk);
  for await (const { offset, data } of reader.stream({ onGap: () => {} })) restored.set(data, offset);
  expect(restored.equals(expected), label).toBe(true);
  await expect(restore(store, 'new'), label).rejects.toMatchObject({ code: 'StoreDamaged' });
}

async function expectCell(
  kind: Kind,
  { objects, sound }: Made,
  { row, harm, when, everywhere }: { row: Row; harm: Harm; when: 'open' | 'opening'; everywhere: boolean },
): Promise<void> {
  const name = row.name(objects);
  const whole = objects.get(name) ?? Buffer.alloc(0);
  expect(whole.length, name).toBeGreaterThan(0);
  const column = row[when];
  const expected = typeof column === 'string' || 'as' in column ? column : (column[harm] ?? 'nowhere');
  const loss = row.loses?.[harm];
  for (const [label, bytes] of damagesOf(row, harm, whole, everywhere)) {
    const backend: MemoryBackend = memoryBackend(cloneOf(objects));
    const options = { ...common, clock: new MovableClock(), ...kind.open };
    const hurt = () => {
      if (bytes === undefined) backend.objects.delete(name);
      else backend.objects.set(name, Buffer.from(bytes));
    };
    if (when === 'opening') hurt();
    await using store = await openStore(backend, options);
    if (when === 'open') hurt();

    // Found, by its name; and nothing else has suffered.
    const report = await store.verify();
    const found = foundIn(report).filter((one) => !sound.includes(one));
    const named = expected === 'named' ? name : typeof expected === 'object' ? expected.as : undefined;
    if (named !== undefined)
      expect(
        found.some((one) => one.startsWith(`${named} `)),
        `${label}: ${found}`,
      ).toBe(true);
    else expect(found, label).toEqual([]);
    await expectOthersWhole(store, label);
    if (loss === 'stretches' && expected !== 'mended') await expectRestWhole(store, report, label);
    else if (loss === 'point')
      await expect(restore(store, 'new'), label).rejects.toMatchObject({
        code:
          bytes === undefined ? 'RecoveryPointNotInStore' : expect.stringMatching(/^Store(Damaged|Version)/),
      });
    else expect((await restore(store, 'new')).equals(contentOf('new')), label).toBe(true);

    // What can be mended by itself is as it was; what cannot is named as lost, and costs no other anything.
    const { failed, steps } = await store.repair({ dryRun: false });
    expect(failed, label).toEqual([]);
    await expectOthersWhole(store, label);
    const lost = steps.filter(({ action }) => action === 'lost').map(({ target }) => target);
    const isLost = loss === 'stretches' || (loss === 'point' && expected !== 'nowhere');
    expect(lost.includes('points/vm/new.point'), `${label}: ${JSON.stringify(steps)}`).toBe(isLost);
    if (loss === undefined) expect((await restore(store, 'new')).equals(contentOf('new')), label).toBe(true);
    // A backup that meets the content again brings the rest back.
    if (loss === 'stretches') {
      await backUp(store, 'next', contentOf('new'));
      expect((await restore(store, 'new')).equals(contentOf('new')), label).toBe(true);
    }
    const after = await store.verify();
    expect(after.damagedPoints, label).toEqual([]);
    if (loss === undefined) expect(after.damagedObjects, label).toEqual([]);

    // And the next who opens it finds it so.
    await store[Symbol.asyncDispose]();
    await using again = await openStore(backend, { ...options, clock: new MovableClock() });
    await expectOthersWhole(again, label);
    if (loss !== 'point') expect((await restore(again, 'new')).equals(contentOf('new')), label).toBe(true);
    await again.collect().catch((error: unknown) => expect(loss, String(error)).toBe('point'));
    expect(backend.objects.get('reserve/space')?.length, label).toBe(64);
  }
}

describe.each(storeKinds)('a store that is %s', (what, kind) => {
  const made = make(kind);
  for (const [of, row] of Object.entries(rows)) {
    if (row.encryptedOnly === true && what !== 'encrypted') continue;
    test.each(row.harms ?? harms)(`${of}, %s: found, named, mended or lost alone`, async (harm) => {
      for (const when of ['open', 'opening'] as const) {
        // Once in every place; in the other three the middle will do, for time's sake.
        const everywhere = when === 'open' && (what === 'plain' || row.encryptedOnly === true);
        await expectCell(kind, await made, { row, harm, when, everywhere });
      }
    });
  }

  test('the table has a row for every kind of object there is', async () => {
    const rowed = new Set(Object.values(rows).map(({ name }) => name));
    const { objects } = await made;
    const patterns = [...rowed].map((name) => name(objects).split('/')[0]);
    for (const name of objects.keys()) expect(patterns).toContain(name.split('/')[0]);
  });
});
