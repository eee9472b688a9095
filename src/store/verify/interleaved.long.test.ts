import { expect, test } from 'vitest';
import { createStore, memoryBackend } from '../index.ts';
import { backUp, bytesFrom, testChunkBytes } from '../testing/model-disk.ts';
import { MovableClock } from '../testing/movable-clock.ts';
import { Scheduler } from '../testing/scheduler.ts';

/** Among them some at which segments came and went while they were looked through, and packs seemed to be in none. */
const seeds = [0, 1, 2, 3, 32, 37, 38, 122, 142, 153, 154, 171, 182];

test.each(seeds)(
  'a sound store is sound whoever writes, deletes and collects meanwhile (seed %i)',
  async (seed) => {
    const scheduler = new Scheduler(seed);
    const clock = new MovableClock();
    const store = await createStore(scheduler.backend(memoryBackend()), {
      clock,
      chunkSizeBytes: testChunkBytes,
      packTargetBytes: 2 * testChunkBytes,
      threads: 0,
      reserveBytes: 64,
    });
    const content = (number: number) =>
      Buffer.concat([bytesFrom(1, testChunkBytes), bytesFrom(2 * number + 3, 2 * testChunkBytes)]);
    for (let number = 0; number < 3; number++) await backUp(store, `p${number}`, content(number));
    let verifications = 0;
    let removed = 0;
    let working = true;
    await scheduler.run(
      [
        async () => {
          for (let number = 3; number < 7; number++) await backUp(store, `p${number}`, content(number));
        },
        async () => {
          for (let number = 0; number < 3; number++) {
            await store.deletePoint('vm', `p${number}`);
            clock.move(25);
            removed += (await store.collect()).removedPacks;
          }
          clock.move(25);
          removed += (await store.collect()).removedPacks;
          working = false;
        },
        async () => {
          while (working) {
            const { damagedPacks, damagedObjects, damagedPoints } = await store.verify();
            expect({ damagedPacks, damagedObjects, damagedPoints }).toEqual({
              damagedPacks: [],
              damagedObjects: [],
              damagedPoints: [],
            });
            verifications++;
          }
        },
      ],
      async () => {},
    );
    expect(verifications).toBeGreaterThan(0);
    expect(removed).toBeGreaterThan(0);
    await store[Symbol.asyncDispose]();
  },
);
