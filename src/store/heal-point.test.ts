import { expect, test } from 'vitest';
import { copyPoint, createStore, healPoint, memoryBackend } from './index.ts';
import { backUp, bytesFrom, restore, testChunkBytes, testClock } from './testing/model-disk.ts';

const chunk = testChunkBytes;
const options = { clock: testClock, threads: 0, packTargetBytes: 3 * chunk };
const point = { itemId: 'vm', pointId: 'p' };

test.each([
  [chunk, chunk],
  [chunk, 4 * chunk],
  [4 * chunk, chunk],
])('a point is healed from its copy and a copy from its origin (chunks of %i and %i bytes)', async (a, b) => {
  const first = memoryBackend();
  const second = memoryBackend();
  await using source = await createStore(first, { ...options, chunkSizeBytes: a });
  await using copy = await createStore(second, { ...options, chunkSizeBytes: b });
  const content = Buffer.concat([bytesFrom(1, 40 * chunk), Buffer.alloc(20 * chunk), bytesFrom(3, 9000)]);
  await backUp(source, 'p', content);
  await copyPoint(source, copy, point);
  for (const [store, backend, other] of [
    [source, first, copy],
    [copy, second, source],
  ] as const) {
    for (const [name, bytes] of backend.objects) {
      if (!name.endsWith('.pack')) continue;
      const spoilt = Buffer.from(bytes);
      spoilt.fill(0xee, 16, 16 + 100);
      backend.objects.set(name, spoilt);
    }
    expect((await store.verifyPoint('vm', 'p', {})).length).toBeGreaterThan(0);
    const healed = await healPoint(store, other, point);
    expect(healed).toMatchObject({ lostBytes: 0 });
    expect(healed?.healedChunks).toBeGreaterThan(0);
    expect(await store.verifyPoint('vm', 'p', {})).toEqual([]);
    expect((await restore(store, 'p')).equals(content)).toBe(true);
  }
});

test('another store that has no such point, or other content, heals nothing', async () => {
  const backend = memoryBackend();
  await using source = await createStore(backend, { ...options, chunkSizeBytes: chunk });
  await using other = await createStore(memoryBackend(), { ...options, chunkSizeBytes: chunk });
  await backUp(source, 'p', bytesFrom(1, 2 * chunk));
  for (const [name, bytes] of backend.objects) if (name.endsWith('.pack')) bytes.fill(0xee, 16, 16 + 100);
  await source.verifyPoint('vm', 'p', {});
  expect(await healPoint(source, other, point)).toBeUndefined();
  await backUp(other, 'p', bytesFrom(5, 2 * chunk));
  expect(await healPoint(source, other, point)).toMatchObject({ healedChunks: 0 });
  expect((await source.verifyPoint('vm', 'p', {})).length).toBeGreaterThan(0);
});
