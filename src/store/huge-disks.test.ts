import { expect, test } from 'vitest';
import { createStore, memoryBackend } from './index.ts';
import { bytesFrom, extentsOf, testClock } from './testing/model-disk.ts';
import type { DiskExtent, DiskRoot } from './types.ts';

const chunkBytes = 64 * 1024;
const pageBytes = 8192;
const stretchBytes = 1024 * 1024;
const stretches = 24;
const contents = Array.from({ length: stretches + 3 }, (_, number) => bytesFrom(number + 1, stretchBytes));

/** Where the data of a disk is: the same amount, spread over all of it. */
function places(sizeBytes: number): number[] {
  const apart = Math.floor(sizeBytes / stretches / chunkBytes) * chunkBytes;
  return Array.from({ length: stretches }, (_, number) => number * apart);
}

/** A disk's extents as a hypervisor tells them: data, and the zeros between in one piece each. */
function* allExtents(sizeBytes: number): Generator<DiskExtent> {
  const starts = places(sizeBytes);
  for (const [number, offset] of starts.entries()) {
    yield { offset, length: stretchBytes, zero: false };
    const end = starts[number + 1] ?? sizeBytes;
    if (end > offset + stretchBytes)
      yield { offset: offset + stretchBytes, length: end - offset - stretchBytes, zero: true };
  }
}

/** Everything that a disk of this size costs from its first backup to its restore, counted and not timed. */
async function costOf(sizeBytes: number) {
  const backend = memoryBackend();
  await using store = await createStore(backend, { clock: testClock, chunkSizeBytes: chunkBytes });
  const calls = { get: 0, gotBytes: 0, put: 0 };
  const { get, put } = backend;
  backend.get = async (name, range) => {
    calls.get++;
    const bytes = await get(name, range);
    calls.gotBytes += bytes?.length ?? 0;
    return bytes;
  };
  backend.put = async (name, parts) => {
    calls.put++;
    await put(name, parts);
  };
  const since = (before: typeof calls) => ({
    get: calls.get - before.get,
    gotBytes: calls.gotBytes - before.gotBytes,
    put: calls.put - before.put,
  });
  const starts = places(sizeBytes);
  const model = new Map(starts.map((offset, number) => [offset, contents[number] ?? Buffer.alloc(0)]));
  const source = {
    async read(offset: number, length: number) {
      // Too short where it is asked for what is in no stretch, which the store takes for a failure.
      const parts = [...model].map(([start, content]) =>
        content.subarray(Math.max(0, offset - start), Math.max(0, offset + length - start)),
      );
      return Buffer.concat(parts);
    },
  };
  const write = async (pointId: string, extents: Iterable<DiskExtent>, base?: DiskRoot) => {
    await using writer = await store.beginPoint({ itemId: 'vm', pointId });
    const written = await writer.writeDisk({
      sizeBytes,
      source,
      extents: extentsOf([...extents]),
      ...(base === undefined ? {} : { base }),
    });
    const disks = [{ name: 'sda', disk: written.disk }];
    await writer.commit({ createdAt: '2026-11-21T06:00:00Z', disks, metadata: {} });
    return written;
  };

  const full = await write('full', allExtents(sizeBytes));
  const changed = [1, 8, 20].map((number) => starts[number] ?? 0);
  for (const [number, offset] of changed.entries())
    model.set(offset, contents[stretches + number] ?? Buffer.alloc(0));
  const beforeChanges = { ...calls };
  const changes = await write(
    'changed',
    changed.map((offset) => ({ offset, length: stretchBytes, zero: false })),
    full.disk,
  );
  const incremental = since(beforeChanges);

  const beforeRestore = { ...calls };
  using reader = store.openDisk(changes.disk);
  const extents = await Array.fromAsync(reader.extents());
  let restoredBytes = 0;
  for await (const { offset, data } of reader.stream()) {
    const start = starts.filter((candidate) => candidate <= offset).at(-1) ?? 0;
    const expected = model.get(start)?.subarray(offset - start, offset - start + data.length);
    expect(Buffer.from(data).equals(expected ?? Buffer.alloc(0)), `at ${offset}`).toBe(true);
    restoredBytes += data.length;
  }
  const restore = since(beforeRestore);

  const beforeVerify = { ...calls };
  let verifiedBytes = 0;
  const onProgress = (bytes: number) => {
    verifiedBytes = bytes;
  };
  expect(await store.verifyPoint('vm', 'changed', { onProgress })).toEqual([]);
  const verify = since(beforeVerify);

  const diff = await Array.fromAsync(store.changedExtents(full.disk, changes.disk));
  const beforeCollect = { ...calls };
  const { neededChunks } = await store.collect({ dryRun: true });
  const collect = since(beforeCollect);
  const stats = await store.stats();
  return {
    full,
    changes,
    changed,
    incremental,
    extents,
    restoredBytes,
    restore,
    verify,
    verifiedBytes,
    diff,
    collect,
    neededChunks,
    stats,
  };
}

test('a disk of 1 TiB costs what its data costs, from the first backup to its restore', async () => {
  const dataBytes = stretches * stretchBytes;
  const small = await costOf(dataBytes);
  const huge = await costOf(2 ** 40);
  // On a map of three levels, at most one page of each for every stretch of data.
  const pages = stretches * 3;
  const morePages = pages * pageBytes;
  for (const { full, changes, restoredBytes, verifiedBytes, diff, changed } of [small, huge]) {
    expect(full.readBytes).toBe(dataBytes);
    expect(changes.readBytes).toBe(3 * stretchBytes);
    expect(restoredBytes).toBe(dataBytes);
    expect(verifiedBytes).toBe(dataBytes);
    expect(diff.filter(({ zero }) => !zero).reduce((sum, { length }) => sum + length, 0)).toBe(
      3 * stretchBytes,
    );
    expect(diff.map(({ offset }) => offset)).toEqual(changed);
  }
  expect(small.extents).toEqual([{ offset: 0, length: dataBytes }]);
  expect(huge.extents).toEqual(places(2 ** 40).map((offset) => ({ offset, length: stretchBytes })));
  expect(huge.full.newBytes).toBeLessThanOrEqual(small.full.newBytes + morePages);
  expect(huge.full.storedBytes).toBeLessThan(small.full.storedBytes * 1.01);
  expect(huge.changes.newBytes).toBeLessThanOrEqual(3 * stretchBytes + 3 * 3 * pageBytes);
  expect(huge.stats.chunks).toBeLessThanOrEqual(small.stats.chunks + 2 * pages);
  expect(huge.neededChunks).toBeLessThanOrEqual(small.neededChunks + 2 * pages);
  for (const what of ['incremental', 'restore', 'verify', 'collect'] as const) {
    expect(huge[what].get, what).toBeLessThanOrEqual(small[what].get + 2 * pages);
    expect(huge[what].put, what).toBe(small[what].put);
    expect(huge[what].gotBytes, what).toBeLessThanOrEqual(small[what].gotBytes * 1.01 + 2 * morePages);
  }
});

test('a disk as large as numbers go is backed up, changed and restored as well', async () => {
  const { restoredBytes, extents } = await costOf(2 ** 53 - chunkBytes);
  expect(restoredBytes).toBe(stretches * stretchBytes);
  expect(extents).toHaveLength(stretches);
});
