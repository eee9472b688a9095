import { type ChunkIndex, packStates } from './chunk-index.ts';
import type { PackTable } from './pack-table.ts';

/** When a pack was condemned. */
export interface Sentence {
  generation: number;
  /** ISO 8601, by the clock of the collection. */
  at: string;
  /** The epoch of `Uses` that began with it: writers of an earlier one may rely on the pack. */
  epoch: number;
}

/**
 * The packs that wait to be deleted. Readers go on reading them; no writer begins to rely on one. A writer that happens
 * to make the very same pack takes it out again, and waits where the deletion has begun.
 */
export class CondemnedPacks {
  readonly #index: ChunkIndex;
  readonly #packs: PackTable;
  readonly #sentences = new Map<string, Sentence>();
  readonly #deleting = new Map<string, Promise<void>>();

  constructor(index: ChunkIndex, packs: PackTable) {
    this.#index = index;
    this.#packs = packs;
  }

  get sentences(): ReadonlyMap<string, Sentence> {
    return this.#sentences;
  }

  get sizeBytes(): number {
    let sum = 0;
    for (const packId of this.#sentences.keys()) sum += this.#packs.sizeOf(packId) ?? 0;
    return sum;
  }

  condemn(packId: string, sentence: Sentence): void {
    this.#sentences.set(packId, sentence);
    this.#index.setPackState(this.#packs.number(packId), packStates.condemned);
  }

  /** The pack counts again, and its two generations begin anew should it be condemned again. */
  pardon(packId: string): void {
    if (!this.#sentences.delete(packId)) return;
    this.#index.setPackState(this.#packs.number(packId), packStates.kept);
  }

  /**
   * A clock that was ahead when a pack was condemned must not keep it until that time comes: its age counts from `now`.
   * The number of packs concerned.
   */
  dateBack(now: Temporal.Instant): number {
    let dated = 0;
    for (const [packId, sentence] of this.#sentences) {
      if (Temporal.Instant.compare(sentence.at, now) <= 0) continue;
      this.#sentences.set(packId, { ...sentence, at: now.toString() });
      dated++;
    }
    return dated;
  }

  /** Before a pack is put. From when it resolves, no deletion of this name begins. */
  async makeWay(packId: string): Promise<void> {
    await this.#deleting.get(packId);
    this.pardon(packId);
  }

  /** After a pack was put: one that had been deleted before counts again. */
  arrived(packId: string): void {
    if (!this.#sentences.has(packId)) this.#index.setPackState(this.#packs.number(packId), packStates.kept);
  }

  /**
   * Deletes a condemned pack with `action`. What is in it is out of the index before anything is touched; it is back,
   * and condemned, if the action fails.
   */
  async delete(packId: string, action: () => Promise<void>): Promise<void> {
    const sentence = this.#sentences.get(packId);
    const sizeBytes = this.#packs.sizeOf(packId);
    if (sentence === undefined) throw new Error(`pack ${packId} is not condemned`);
    const ended = Promise.withResolvers<void>();
    this.#deleting.set(packId, ended.promise);
    this.#sentences.delete(packId);
    this.#packs.setMissing(packId);
    this.#index.setPackState(this.#packs.number(packId), packStates.gone);
    try {
      await action();
      this.#packs.forget(packId);
      this.#index.removePack(this.#packs.number(packId));
    } catch (error) {
      if (sizeBytes !== undefined) this.#packs.setPresent(packId, sizeBytes);
      this.condemn(packId, sentence);
      throw error;
    } finally {
      this.#deleting.delete(packId);
      ended.resolve();
    }
  }
}
