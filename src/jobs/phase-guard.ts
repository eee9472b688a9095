import { type Database, enterPhase, leavePhase } from '../catalog/index.ts';
import { type Clock, catalogTime } from './clock.ts';
import type { Logger } from './logger.ts';
import type { Worker } from './worker.ts';

/** `collection`, `replication`, `verification` and `repair` are phases of a vault, the others are phases of an item. */
export type Phase =
  | 'snapshot'
  | 'transfer'
  | 'maintenance'
  | 'collection'
  | 'replication'
  | 'verification'
  | 'repair';

const keyOf = (phase: Phase, id: string) => `${phase} ${id}`;

/**
 * Which items are in which phase right now. Per item at most one snapshot phase and one transfer phase run; a backup
 * may take its snapshot while an earlier one still transfers. Phases are rows, so that this holds for all workers of a
 * catalog; those of a worker that died are free when its lease is over, or its home has a new one.
 */
export class PhaseGuard {
  readonly #held = new Set<string>();
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #worker: Worker;

  constructor(db: Database, clock: Clock, log: Logger, worker: Worker) {
    this.#db = db;
    this.#clock = clock;
    this.#log = log;
    this.#worker = worker;
  }

  /** Enters a phase, or resolves to undefined when the item is in it already. Dispose to leave. */
  async tryEnter(phase: Phase, id: string): Promise<AsyncDisposable | undefined> {
    const key = keyOf(phase, id);
    if (this.#held.has(key)) return undefined;
    // At once, so that nobody here asks for the row meanwhile: to the catalog we are all the same worker.
    this.#held.add(key);
    const workerId = this.#worker.id;
    try {
      const isIn = await enterPhase(this.#db, phase, id, workerId, catalogTime(this.#clock.now()));
      if (isIn) return { [Symbol.asyncDispose]: () => this.#leave(phase, id, workerId) };
    } catch (error) {
      this.#held.delete(key);
      throw error;
    }
    this.#held.delete(key);
    return undefined;
  }

  /** Whether this process is in the phase. */
  isHeld(phase: Phase, id: string): boolean {
    return this.#held.has(keyOf(phase, id));
  }

  /** Never rejects: a row that stays is no obstacle to this worker, and goes with it. */
  async #leave(phase: Phase, id: string, workerId: string): Promise<void> {
    try {
      await leavePhase(this.#db, phase, id, workerId);
    } catch (error) {
      this.#log.warn({ phase, id, err: error }, 'could not write down that a phase is over');
    } finally {
      this.#held.delete(keyOf(phase, id));
    }
  }
}
