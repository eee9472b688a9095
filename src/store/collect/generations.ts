import { randomBytes } from 'node:crypto';
import { isHoldfastError } from '../../errors/index.ts';
import type { Backend } from '../backend.ts';
import type { CondemnedPacks } from '../condemned-packs.ts';
import type { Documents } from '../document.ts';
import { encodeGeneration, type GenerationRecord, type LoadedGeneration } from '../generation-record.ts';
import { reserveName } from '../layout.ts';
import type { PackTable } from '../pack-table.ts';

/** Given up when a mark finds no room: enough for a list of 60 000 packs. */
export const reserveBytes = 4 * 1024 * 1024;

/** The store's generation: what the collections so far have left, in memory and as a document. */
export class Generations {
  readonly #backend: Backend;
  readonly #documents: Documents;
  readonly #condemned: CondemnedPacks;
  readonly #packs: PackTable;
  #names: string[];
  #highest: number;
  #points: number | undefined;
  /** See {@link GenerationRecord.removed}. */
  readonly removed: Set<string>;

  constructor(
    backend: Backend,
    documents: Documents,
    condemned: CondemnedPacks,
    packs: PackTable,
    loaded: LoadedGeneration,
  ) {
    const { record, names, highest } = loaded;
    this.#backend = backend;
    this.#documents = documents;
    this.#condemned = condemned;
    this.#packs = packs;
    this.#names = [...names];
    this.#highest = highest;
    this.#points = record?.points;
    this.removed = new Set(record?.removed);
    for (const { generation, at, packs: ids } of record?.condemned ?? []) {
      for (const id of ids) {
        // No writer of an earlier process is open any more: epoch 0.
        if (packs.sizeOf(id) !== undefined) condemned.condemn(id, { generation, at, epoch: 0 });
      }
    }
  }

  get next(): number {
    return this.#highest + 1;
  }

  /** Whether no collection has left anything yet. */
  get isFirst(): boolean {
    return this.#highest === 0;
  }

  /** Whether the document of the newest generation, which was there, is there no more. */
  async newestIsMissing(): Promise<boolean> {
    // A collection may write the next one while it is looked for.
    for (;;) {
      const names = this.#names;
      for (const name of names) if ((await this.#backend.stat(name)) !== undefined) return false;
      if (names === this.#names) return names.length > 0;
    }
  }

  /** Points that the last collection found; undefined before the first. */
  get points(): number | undefined {
    return this.#points;
  }

  /**
   * Makes what is condemned and removed durable, as generation `generation`. When the store is full, the reserve is
   * given up for it. @throws StoreFull
   */
  async save(head: Pick<GenerationRecord, 'generation' | 'at' | 'points'>): Promise<void> {
    const groups = new Map<string, { generation: number; at: string; packs: string[] }>();
    for (const [pack, { generation, at }] of this.#condemned.sentences) {
      const key = `${generation} ${at}`;
      const group = groups.get(key) ?? { generation, at, packs: [] };
      groups.set(key, group);
      group.packs.push(pack);
    }
    const record = { ...head, condemned: [...groups.values()], removed: [...this.removed] };
    const { name, bytes } = encodeGeneration(record, this.#documents);
    await this.#put(name, bytes);
    this.#points = head.points;
    this.#highest = Math.max(this.#highest, head.generation);
    const old = this.#names.filter((other) => other !== name);
    this.#names = [name, ...old];
    for (const other of old) await this.#backend.delete(other);
    this.#names = [name];
  }

  /**
   * Writes what the last collection left once more, as the next generation: its document is damaged. Never beside a
   * collection, which would write the same one with what it has done since.
   */
  async rewrite(at: string): Promise<void> {
    await this.save({ generation: this.next, at, points: this.#points ?? 0 });
  }

  /** Sets the reserve aside again, or for the first time, if there is room. */
  async restoreReserve(sizeBytes: number): Promise<void> {
    const reserve = await this.#backend.stat(reserveName);
    if (reserve !== undefined && reserve.sizeBytes >= sizeBytes) return;
    try {
      // Random, so that no file system makes less of it.
      await this.#backend.put(reserveName, [randomBytes(sizeBytes)]);
    } catch (error) {
      if (!isHoldfastError(error, 'StoreFull')) throw error;
    }
  }

  /** Packs that are gone from the medium and no longer mentioned anywhere need no note. */
  forgetRemoved(ids: Iterable<string>): void {
    for (const id of ids) this.removed.delete(id);
  }

  isGone(packId: string): boolean {
    return this.removed.has(packId) && this.#packs.sizeOf(packId) === undefined;
  }

  async #put(name: string, bytes: Buffer): Promise<void> {
    try {
      await this.#backend.put(name, [bytes]);
    } catch (error) {
      if (!isHoldfastError(error, 'StoreFull')) throw error;
      if ((await this.#backend.stat(reserveName)) === undefined) throw error;
      await this.#backend.delete(reserveName);
      await this.#backend.put(name, [bytes]);
    }
  }
}
