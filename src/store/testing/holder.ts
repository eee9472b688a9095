/**
 * Opens the store at a place and writes points into it until it is killed or loses the lock, telling its parent.
 * Arguments: the place, the credentials as JSON, how long a lease lasts in ms.
 */
import { createStore, openBackend } from '../index.ts';
import { backUp, bytesFrom, testChunkBytes, testClock } from './model-disk.ts';

const [, , place = '', credentials = '', leaseMs = ''] = process.argv;
const backend = await openBackend(place, {
  credentials: JSON.parse(credentials) as unknown,
  leaseMs: Number(leaseMs),
  rules: { tries: 3, baseMs: 10 },
});
const store = await createStore(backend, {
  clock: testClock,
  chunkSizeBytes: testChunkBytes,
  packTargetBytes: 4 * testChunkBytes,
});
const tell = (message: unknown) => process.send?.(message);
try {
  for (let number = 1; ; number += 2) {
    const pointId = `p${number}`;
    await backUp(store, pointId, bytesFrom(number, 200_000));
    tell({ committed: pointId });
  }
} catch (error) {
  tell({ failed: (error as { code?: string }).code ?? String(error) });
}
process.disconnect?.();
await store[Symbol.asyncDispose]();
