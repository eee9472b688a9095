import { alignedMemory } from '../platform/index.ts';

/** What a pack's memory is made of: long enough for one write, short enough that the next pack can have it soon. */
export const packPieceBytes = 4 * 1024 * 1024;

/** One pack that fills, and half of one that is being written. */
const defaultLimitBytes = 48 * 1024 * 1024;

/**
 * The memory of packs that fill or are being written, of all writers together. Pieces that were given back are kept for
 * the next pack: mapping fresh ones costs more than filling them.
 *
 * The limit is one that writers are asked to respect, not one they wait for: whoever waits for another's memory could
 * wait for a source that stands still.
 */
export class PackMemory {
  readonly #limit: number;
  readonly #free: Buffer[] = [];
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(limitBytes = defaultLimitBytes) {
    this.#limit = limitBytes / packPieceBytes;
  }

  /** Whether all is taken that should be. */
  get isTight(): boolean {
    return this.#taken >= this.#limit;
  }

  take(): Buffer {
    this.#taken++;
    return this.#free.pop() ?? Buffer.from(alignedMemory(packPieceBytes), 0, packPieceBytes);
  }

  giveBack(piece: Buffer): void {
    this.#taken--;
    if (this.#free.length < this.#limit) this.#free.push(piece);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves when anything is given back. */
  async givenBack(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

/** Of this process: several stores may be open, as when points are copied. */
export const packMemory = new PackMemory();
