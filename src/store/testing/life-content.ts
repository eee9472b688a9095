import { bytesFrom, testChunkBytes, testClock } from './model-disk.ts';

/** A disk as the seeds of its chunks: small enough to be told in a message. */
export type Life = readonly number[];

export const lifeOptions = {
  clock: testClock,
  packTargetBytes: 4 * testChunkBytes,
  reserveBytes: 4096,
  chunksBeforeTable: 1,
  indexCacheBytes: 0,
};

export function lifeContent(life: Life): Buffer {
  return Buffer.concat(life.map((seed) => bytesFrom(seed, testChunkBytes)));
}
