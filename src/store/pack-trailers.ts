import type { Backend } from './backend.ts';
import { packName } from './layout.ts';
import { Limiter } from './limiter.ts';
import { fetchObject } from './object-access.ts';
import { packEntryBytes, packFooterBytes, packIdOfTrailer } from './pack-format.ts';
import type { PackTable } from './pack-table.ts';
import { SegmentTrailers } from './segment-trailers.ts';

/** Of trailers kept in memory: of 500 packs as a backup of well-compressing disks makes them. */
const cacheBytes = 32 * 1024 * 1024;
const readsInFlight = 16;

/**
 * The packs' tables of contents, the ones used last in memory. What is asked for together was mostly written together,
 * so one of them answers for many chunks. Each is checked against its pack's name, so it is the one that was written or none.
 */
export class PackTrailers {
  readonly #backend: Backend;
  readonly #packs: PackTable;
  readonly #segments: SegmentTrailers;
  readonly #limitBytes: number;
  /** By pack number, the one used last at the end. */
  readonly #cached = new Map<number, Buffer>();
  #bytes = 0;
  #newest = -1;
  readonly #loading = new Map<number, Promise<Buffer | undefined>>();
  readonly #reads = new Limiter(readsInFlight);
  #loads = 0;

  constructor(backend: Backend, packs: PackTable, limitBytes = cacheBytes) {
    this.#backend = backend;
    this.#packs = packs;
    this.#segments = new SegmentTrailers(backend);
    this.#limitBytes = limitBytes;
  }

  /** How many times one was not at hand. */
  get loads(): number {
    return this.#loads;
  }

  /** Only what is in memory; to be used at once. */
  cached(pack: number): Buffer | undefined {
    const trailer = this.#cached.get(pack);
    if (trailer !== undefined && pack !== this.#newest) {
      this.#cached.delete(pack);
      this.#cached.set(pack, trailer);
      this.#newest = pack;
    }
    return trailer;
  }

  keep(pack: number, trailer: Buffer): void {
    this.#adopt(pack, copyOf(trailer));
  }

  #adopt(pack: number, own: Buffer): void {
    this.forget(pack);
    this.#cached.set(pack, own);
    this.#newest = pack;
    this.#bytes += own.length;
    for (const oldest of this.#cached.keys()) {
      if (this.#bytes <= this.#limitBytes || oldest === pack) break;
      this.forget(oldest);
    }
  }

  /** Its memory is free at once: left to the garbage collector, it would come to several times the cache. */
  forget(pack: number): void {
    const trailer = this.#cached.get(pack);
    if (trailer === undefined) return;
    this.#cached.delete(pack);
    this.#bytes -= trailer.length;
    if (trailer.buffer instanceof ArrayBuffer) trailer.buffer.transfer(0);
  }

  /**
   * What `action`, which is done when it returns, makes of a trailer: from the pack, which has so many entries; or, where
   * that cannot tell, from an index segment. It gets undefined when nobody knows any more; a pack that is there is noted
   * as unreadable then. @throws StoreUnavailable
   */
  async use<T>(pack: number, entries: number, action: (trailer: Buffer | undefined) => T): Promise<T> {
    const known = this.cached(pack);
    if (known !== undefined) return action(known);
    const loading = this.#loading.get(pack);
    if (loading !== undefined) {
      const trailer = await loading;
      // Whoever comes last may find that the next one has come, and this one had to go.
      const isFree = trailer !== undefined && trailer.length !== entries * packEntryBytes;
      return isFree ? await this.use(pack, entries, action) : action(trailer);
    }
    const begun = this.#reads.run(() => this.#read(this.#packs.id(pack), entries));
    this.#loading.set(pack, begun);
    begun.then(
      (trailer) => {
        this.#loading.delete(pack);
        if (trailer !== undefined) this.#adopt(pack, trailer);
      },
      () => this.#loading.delete(pack),
    );
    return await begun.then(action); // in the same turn: nothing comes between
  }

  /** In memory that is nobody else's. */
  async #read(packId: string, entries: number): Promise<Buffer | undefined> {
    this.#loads++;
    const length = entries * packEntryBytes;
    const sizeBytes = this.#packs.sizeOf(packId);
    const offset = (sizeBytes ?? 0) - packFooterBytes - length;
    let why = 'it is too short';
    if (offset >= 0) {
      const into = Buffer.from(new ArrayBuffer(length));
      const trailer = await fetchObject(this.#backend, packName(packId), { offset, length, into });
      if (Buffer.isBuffer(trailer) && packIdOfTrailer(trailer) === packId) {
        this.#packs.setReadable(packId);
        return trailer.buffer === into.buffer ? trailer : copyOf(trailer);
      }
      if (trailer === undefined) await this.#noteLoss(packId);
      why = Buffer.isBuffer(trailer) ? 'its table of contents is damaged' : (trailer ?? 'it has gone');
    }
    const kept = await this.#segments.find(packId);
    if (kept !== undefined) return copyOf(kept);
    if (this.#packs.sizeOf(packId) !== undefined) this.#packs.setUnreadable(packId, why);
    return undefined;
  }

  /** It may have been deleted, or written again, since it was asked for: then nothing is lost. */
  async #noteLoss(packId: string): Promise<void> {
    const isThere = (await this.#backend.stat(packName(packId))) !== undefined;
    if (!isThere && this.#packs.sizeOf(packId) !== undefined) this.#packs.setLost(packId);
  }
}

function copyOf(trailer: Buffer): Buffer {
  const copy = Buffer.from(new ArrayBuffer(trailer.length));
  trailer.copy(copy);
  return copy;
}
