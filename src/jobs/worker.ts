import { randomUUID } from 'node:crypto';
import { type Database, enterWorker, leaveWorker, listOtherWorkers, renewLease } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { type Clock, catalogTime } from './clock.ts';

/** How long a worker is taken for alive after it last said so. */
export const leaseMs = 60_000;

export interface WorkerOptions {
  /** What names the home of this process; a home has one worker at a time. */
  home?: string | undefined;
  /** Other processes may work on the same catalog, and take over what a worker has that can't renew its lease. */
  isShared?: boolean;
  /**
   * No other worker may be there. The engine would share its queue, but a store is open in one process, and what a host
   * has of us is written down in one home.
   */
  isAlone?: boolean;
}

/**
 * This process as the catalog knows it. Jobs and phases belong to workers, and a worker to its lease: when that is over,
 * others take up what it had, and a worker that was only late must stop.
 */
export class Worker {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #home: string;
  readonly #isShared: boolean;
  readonly #isAlone: boolean;
  #id = randomUUID();
  #renewedMs: number;

  constructor(db: Database, clock: Clock, options: WorkerOptions) {
    this.#db = db;
    this.#clock = clock;
    this.#home = options.home ?? randomUUID();
    this.#isShared = options.isShared ?? false;
    this.#isAlone = options.isAlone ?? false;
    this.#renewedMs = clock.monotonicMs();
  }

  get id(): string {
    return this.#id;
  }

  /**
   * Announces itself, under a new id; the one before, if any, has nothing any more.
   * @throws CatalogInUse
   */
  async enter(): Promise<void> {
    this.#id = randomUUID();
    await enterWorker(this.#db, { worker_id: this.#id, home: this.#home, lease_until: this.#until() });
    this.#renewedMs = this.#clock.monotonicMs();
    if (!this.#isAlone) return;
    // After the announcement: of two that come at once, neither overlooks the other.
    const [other] = await listOtherWorkers(this.#db, this.#id, catalogTime(this.#clock.now()));
    if (other === undefined) return;
    await this.leave();
    throw new HoldfastError('CatalogInUse', `Another Holdfast service uses this catalog: ${other.home}.`, {
      target: other.home,
    });
  }

  /** @returns false when others may have taken over what it has. @throws when the catalog does not answer */
  async renew(): Promise<boolean> {
    const askedMs = this.#clock.monotonicMs();
    if (!(await renewLease(this.#db, this.#id, this.#until()))) return false;
    this.#renewedMs = askedMs;
    return true;
  }

  /** Whether its lease has run out, as far as it knows, without anybody to say that it was renewed. */
  get isOverdue(): boolean {
    return this.#isShared && this.#clock.monotonicMs() - this.#renewedMs >= leaseMs;
  }

  async leave(): Promise<void> {
    await leaveWorker(this.#db, this.#id);
  }

  #until(): string {
    return catalogTime(this.#clock.now().add({ milliseconds: leaseMs }));
  }
}
