import { HoldfastError, isHoldfastError } from '../../errors/index.ts';
import { pointName } from '../layout.ts';
import { mapOrdered } from '../map-ordered.ts';
import { listPointNames, readPoint } from '../point-records.ts';
import type { StoreState } from '../store-state.ts';
import type { DiskRoot } from '../types.ts';

const recordsInFlight = 8;

/** A root with the point it was found in, for messages. */
export interface FoundRoot {
  point: string;
  disk: DiskRoot;
}

/** Lists the points again and again; each listing reads only the records that those before it have not shown. */
export class RootList {
  readonly #state: StoreState;
  readonly #read = new Set<string>();
  readonly #roots = new Set<string>();
  #points = 0;

  constructor(state: StoreState) {
    this.#state = state;
  }

  /** Points that the last listing showed. */
  get points(): number {
    return this.#points;
  }

  /**
   * Roots that were not found before. Every record must be readable: what a damaged one needs is unknown.
   * @throws StoreUnavailable when the listing cannot be believed @throws StoreDamaged @throws StoreVersionNotSupported
   */
  async listNew(signal: AbortSignal | undefined): Promise<FoundRoot[]> {
    const { backend, known } = this.#state;
    const expected = [...known.names];
    const listed = await listPointNames(backend);
    const names = new Set(listed.map(({ itemId, pointId }) => pointName(itemId, pointId)));
    // This process alone deletes points, so it knows which ones there must be.
    const lost = expected.filter((name) => known.names.has(name) && !names.has(name));
    if (lost.length > 0)
      throw new HoldfastError(
        'StoreUnavailable',
        `The listing of points in the store at ${backend.description} lacks ${lost.length} that nobody has deleted, ${lost[0]} among them.`,
        { target: backend.description },
      );
    this.#points = names.size;
    const state = this.#state;
    const read = this.#read;
    const found: FoundRoot[] = [];
    async function* unread() {
      for (const point of listed) {
        signal?.throwIfAborted();
        if (!read.has(pointName(point.itemId, point.pointId))) yield point;
      }
    }
    const records = mapOrdered(unread(), recordsInFlight, async ({ itemId, pointId }) => {
      try {
        return await readPoint(state, itemId, pointId);
      } catch (error) {
        const name = pointName(itemId, pointId);
        const wasDeleted = isHoldfastError(error, 'RecoveryPointNotInStore') && !known.names.has(name);
        if (wasDeleted) return undefined;
        throw error;
      }
    });
    for await (const record of records) {
      if (record === undefined) continue;
      state.known.note(record);
      const point = pointName(record.itemId, record.pointId);
      read.add(point);
      for (const { disk } of record.disks) {
        const key = `${disk.root} ${disk.sizeBytes} ${disk.chunkSizeBytes}`;
        if (disk.root === undefined || this.#roots.has(key)) continue;
        this.#roots.add(key);
        found.push({ point, disk });
      }
    }
    return found;
  }
}
