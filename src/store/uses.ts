import type { DiskRoot } from './types.ts';

/** Keeps what is under a root from being collected, until it is released. */
export interface Hold {
  readonly released: boolean;
  release(): void;
}

/** What a collection sees of the others while it runs. */
export interface Watch extends Disposable {
  /** Roots that were held at any time since the watch began and have not been taken before. */
  takeRoots(): DiskRoot[];
  /** Whether a writer that is or was open during the watch has written this pack. */
  wrote(packId: string): boolean;
  note(packId: string): void;
}

/** A point being written: what it relies on without a record that says so. */
export interface WriterUse {
  hold(disk: DiskRoot): void;
  wrote(packId: string): void;
  end(): void;
}

/**
 * Who relies on what in this process, which is the only one that has the store open. Collections ask here beside the
 * records: a base that is deleted while an incremental of it is written, a point that is deleted while it is restored,
 * chunks that a writer has found in the store and no record refers to yet.
 */
export class Uses {
  #epoch = 0;
  #nextHold = 0;
  readonly #holds = new Map<number, DiskRoot>();
  readonly #writers = new Map<WriterUse, { begun: number; packs: Set<string> }>();
  readonly #watches = new Set<{ roots: DiskRoot[]; packs: Set<string> }>();
  /** A reader that was forgotten rather than closed lets go when its memory is collected. */
  readonly #forgotten = new FinalizationRegistry<number>((key) => this.#holds.delete(key));

  hold(disk: DiskRoot): Hold {
    const key = this.#nextHold++;
    const holds = this.#holds;
    holds.set(key, disk);
    for (const watch of this.#watches) watch.roots.push(disk);
    const hold: Hold = {
      get released() {
        return !holds.has(key);
      },
      release: () => void holds.delete(key),
    };
    this.#forgotten.register(hold, key);
    return hold;
  }

  beginWriter(): WriterUse {
    const packs = new Set<string>();
    const holds: Hold[] = [];
    const use: WriterUse = {
      hold: (disk) => void holds.push(this.hold(disk)),
      wrote: (packId) => {
        packs.add(packId);
        for (const watch of this.#watches) watch.packs.add(packId);
      },
      end: () => {
        this.#writers.delete(use);
        for (const hold of holds) hold.release();
      },
    };
    this.#writers.set(use, { begun: this.#epoch, packs });
    return use;
  }

  /** A new epoch: whoever begins from now on has never met what is hidden now. */
  beginEpoch(): number {
    return ++this.#epoch;
  }

  /** The epoch in which the oldest open writer began; infinite when there is none. */
  get oldestWriter(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const { begun } of this.#writers.values()) oldest = Math.min(oldest, begun);
    return oldest;
  }

  watch(): Watch {
    const seen = {
      roots: [...this.#holds.values()],
      packs: new Set([...this.#writers.values()].flatMap(({ packs }) => [...packs])),
    };
    this.#watches.add(seen);
    return {
      takeRoots: () => seen.roots.splice(0),
      wrote: (packId) => seen.packs.has(packId),
      note: (packId) => void seen.packs.add(packId),
      [Symbol.dispose]: () => void this.#watches.delete(seen),
    };
  }
}
