import type { Backend } from './backend.ts';
import { segmentSections } from './index-segment.ts';
import { indexPrefix, segmentSuffix } from './layout.ts';
import { Limiter } from './limiter.ts';
import { fetchObject } from './object-access.ts';
import { packIdOfTrailer } from './pack-format.ts';

interface Place {
  segment: string;
  offset: number;
  length: number;
}

/**
 * What index segments know of packs that cannot speak for themselves. Nothing is read before somebody asks, which is for
 * damage only; the first question reads all segments, later ones only those that are new.
 */
export class SegmentTrailers {
  readonly #backend: Backend;
  readonly #places = new Map<string, Place>();
  #read = new Set<string>();
  readonly #reading = new Limiter(1);

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** Checked against the pack's name; undefined when no segment has it. */
  async find(packId: string): Promise<Buffer | undefined> {
    await this.#reading.run(() => this.#refresh());
    const place = this.#places.get(packId);
    if (place === undefined) return undefined;
    const { segment, offset, length } = place;
    const trailer = await fetchObject(this.#backend, segment, { offset, length });
    return Buffer.isBuffer(trailer) && packIdOfTrailer(trailer) === packId ? trailer : undefined;
  }

  async #refresh(): Promise<void> {
    const there = new Set<string>();
    for await (const { name } of this.#backend.list(indexPrefix))
      if (name.endsWith(segmentSuffix)) there.add(name);
    for (const [packId, { segment }] of this.#places) if (!there.has(segment)) this.#places.delete(packId);
    for (const name of there) {
      if (this.#read.has(name)) continue;
      const segment = await fetchObject(this.#backend, name);
      if (!Buffer.isBuffer(segment)) continue;
      for (const { packId, trailer } of segmentSections(segment)) {
        const offset = trailer.byteOffset - segment.byteOffset;
        this.#places.set(packId, { segment: name, offset, length: trailer.length });
      }
    }
    this.#read = there;
  }
}
