import { setImmediate } from 'node:timers/promises';
import type { Backend } from '../backend.ts';

/** Numbers that follow from a seed alone. */
export function randomFrom(seed: number): (below: number) => number {
  let state = (seed * 2654435761 + 97) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/**
 * Runs tasks so that only one of them moves at a time, and chance decides which: whoever calls `turn` stops until it is
 * picked. The same seed gives the same order, provided that nothing else lets the tasks wait.
 */
export class Scheduler {
  readonly #random: (below: number) => number;
  #parked: (() => void)[] = [];
  #running = false;
  steps = 0;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  async turn(): Promise<void> {
    if (this.#running) await new Promise<void>((resolve) => this.#parked.push(resolve));
  }

  /** `afterStep` runs while all tasks stand still. Rejects with the first failure of a task. */
  async run(tasks: readonly (() => Promise<void>)[], afterStep: () => Promise<void>): Promise<void> {
    this.#running = true;
    let live = tasks.length;
    const failures: unknown[] = [];
    for (const task of tasks)
      task()
        .catch((error: unknown) => failures.push(error))
        .finally(() => live--);
    for (let idle = 0; live > 0 && failures.length === 0; ) {
      await setImmediate();
      const [picked] = this.#parked.splice(this.#random(Math.max(1, this.#parked.length)), 1);
      if (picked === undefined && ++idle > 1000) throw new Error('the tasks wait for each other');
      if (picked === undefined) continue;
      idle = 0;
      this.steps++;
      picked();
      await setImmediate();
      await afterStep();
    }
    if (failures.length > 0) throw failures[0]; // the others stand still for good
    this.#running = false;
  }

  /** A backend whose every call takes turns, before and after, and between the entries of a listing. */
  backend(inner: Backend): Backend {
    const around = async <T>(call: () => Promise<T>): Promise<T> => {
      await this.turn();
      try {
        return await call();
      } finally {
        await this.turn();
      }
    };
    const turn = () => this.turn();
    return {
      description: inner.description,
      capabilities: () => inner.capabilities(),
      exists: () => inner.exists(),
      lock: (options) => inner.lock(options),
      put: (name, parts) => around(() => inner.put(name, parts)),
      get: (name, range) => around(() => inner.get(name, range)),
      stat: (name) => around(() => inner.stat(name)),
      async *list(prefix) {
        await turn();
        for await (const object of inner.list(prefix)) {
          yield object;
          await turn();
        }
      },
      delete: (name) => around(() => inner.delete(name)),
    };
  }
}
