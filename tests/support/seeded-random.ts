import { randomInt } from 'node:crypto';

/** Random numbers from 0 up to 1 that the same seed gives again (mulberry32). */
export interface SeededRandom {
  readonly seed: number;
  next(): number;
}

/** Seeded from the environment variable `SEED` where it is set, to repeat a run that failed; else by chance. */
export function seededRandom(seed = Number(process.env.SEED ?? randomInt(2 ** 31))): SeededRandom {
  let state = seed >>> 0;
  return {
    seed,
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
  };
}
