/**
 * Makes the stores under `fixtures/` with the format as this program writes it:  node src/store/testing/make-fixtures.ts
 *
 * Fixtures of a released format are never made again: that a later program still reads them is what they are for. Those
 * of two runs differ in ids, nonces and keys.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { copyPoint, createStore, type MemoryBackend, memoryBackend, type Store } from '../index.ts';
import {
  type FixtureName,
  fixtureChanges,
  fixtureMetadata,
  fixtureNames,
  fixturePath,
  fixturePoints,
  fixtureSecrets,
  fixturesDirectory,
  packObjects,
} from './fixture-content.ts';
import { bytesFrom, extentsOf, sourceOf, testChunkBytes } from './model-disk.ts';
import { MovableClock } from './movable-clock.ts';

const clock = new MovableClock();
const options = {
  clock,
  packTargetBytes: 4 * testChunkBytes,
  reserveBytes: 64,
  threads: 0,
};

async function create(backend: MemoryBackend, name: FixtureName): Promise<Store> {
  const encryption = name.endsWith('encrypted') ? { secrets: fixtureSecrets } : 'none';
  // With a table of the index only in one of them: it is the largest object.
  const table = encryption === 'none' ? {} : { chunksBeforeTable: 1 };
  return await createStore(backend, { ...options, ...table, chunkSizeBytes: testChunkBytes, encryption });
}

async function write(store: Store, path: string, base?: string): Promise<void> {
  const [itemId = '', pointId = ''] = path.split('/');
  await using writer = await store.beginPoint({ itemId, pointId });
  const before = base === undefined ? undefined : await store.readPoint(itemId, base);
  const disks = [];
  for (const [name, content] of Object.entries(fixturePoints[path] ?? {})) {
    const root = before?.disks.find((disk) => disk.name === name)?.disk;
    const changes = name === 'sda' ? fixtureChanges : [];
    const { disk } = await writer.writeDisk({
      sizeBytes: content.length,
      source: sourceOf(content),
      extents: extentsOf(root === undefined ? [{ offset: 0, length: content.length, zero: false }] : changes),
      ...(root === undefined ? {} : { base: root }),
    });
    disks.push({ name, disk });
  }
  await writer.commit({ createdAt: clock.now().toString(), disks, metadata: fixtureMetadata });
}

/** A point that is deleted, so that there are condemned packs, and a generation that names them. */
async function writeGarbage(store: Store): Promise<void> {
  await using writer = await store.beginPoint({ itemId: 'old', pointId: 'o1' });
  const content = bytesFrom(10, 2 * testChunkBytes);
  const { disk } = await writer.writeDisk({
    sizeBytes: content.length,
    source: sourceOf(content),
    extents: extentsOf([{ offset: 0, length: content.length, zero: false }]),
  });
  await writer.commit({ createdAt: clock.now().toString(), disks: [{ name: 'sda', disk }], metadata: {} });
  await store.deletePoint('old', 'o1');
  await store.collect();
}

async function make(name: FixtureName): Promise<void> {
  const backend = memoryBackend();
  const store = await create(backend, name);
  await write(store, 'web/w1');
  clock.move(1);
  await write(store, 'web/w2', 'w1');
  await writeGarbage(store);
  // One that came from another store.
  const other = await create(memoryBackend(), 'format-1-plain');
  await write(other, 'db/d1');
  await copyPoint(other, store, { itemId: 'db', pointId: 'd1' });
  await other[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  const bytes = packObjects(backend.objects);
  writeFileSync(fixturePath(name), bytes);
  process.stdout.write(`${fixturePath(name)}: ${backend.objects.size} objects, ${bytes.length} bytes\n`);
}

mkdirSync(fixturesDirectory, { recursive: true });
for (const name of fixtureNames) await make(name);
