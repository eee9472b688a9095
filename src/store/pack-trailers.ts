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

  /** Only what is in memory. */
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
    this.forget(pack);
    // A part of something larger would keep all of that.
    const isAlone = trailer.buffer.byteLength === trailer.length;
    this.#cached.set(pack, isAlone ? trailer : Buffer.from(trailer));
    this.#newest = pack;
    this.#bytes += trailer.length;
    for (const [oldest, { length }] of this.#cached) {
      if (this.#bytes <= this.#limitBytes || oldest === pack) break;
      this.#cached.delete(oldest);
      this.#bytes -= length;
    }
  }

  forget(pack: number): void {
    this.#bytes -= this.#cached.get(pack)?.length ?? 0;
    this.#cached.delete(pack);
  }

  /**
   * From the pack, which has so many entries; or, where that cannot tell, from an index segment. Undefined when nobody
   * knows any more; a pack that is there is noted as unreadable then. @throws StoreUnavailable
   */
  async load(pack: number, entries: number): Promise<Buffer | undefined> {
    const known = this.cached(pack) ?? this.#loading.get(pack);
    if (known !== undefined) return await known;
    const loading = this.#reads.run(() => this.#read(this.#packs.id(pack), entries));
    this.#loading.set(pack, loading);
    try {
      const trailer = await loading;
      if (trailer !== undefined) this.keep(pack, trailer);
      return trailer;
    } finally {
      this.#loading.delete(pack);
    }
  }

  async #read(packId: string, entries: number): Promise<Buffer | undefined> {
    this.#loads++;
    const length = entries * packEntryBytes;
    const sizeBytes = this.#packs.sizeOf(packId);
    const offset = (sizeBytes ?? 0) - packFooterBytes - length;
    let why = 'it is too short';
    if (offset >= 0) {
      const trailer = await fetchObject(this.#backend, packName(packId), { offset, length });
      if (Buffer.isBuffer(trailer) && packIdOfTrailer(trailer) === packId) {
        this.#packs.setReadable(packId);
        return trailer;
      }
      if (trailer === undefined) await this.#noteLoss(packId);
      why = Buffer.isBuffer(trailer) ? 'its table of contents is damaged' : (trailer ?? 'it has gone');
    }
    const kept = await this.#segments.find(packId);
    if (kept !== undefined) return kept;
    if (this.#packs.sizeOf(packId) !== undefined) this.#packs.setUnreadable(packId, why);
    return undefined;
  }

  /** It may have been deleted, or written again, since it was asked for: then nothing is lost. */
  async #noteLoss(packId: string): Promise<void> {
    const isThere = (await this.#backend.stat(packName(packId))) !== undefined;
    if (!isThere && this.#packs.sizeOf(packId) !== undefined) this.#packs.setLost(packId);
  }
}
