import { open } from 'node:fs/promises';
import { DirectReader } from '../../platform/index.ts';
import { toImageFailure } from './failures.ts';
import type { ImageLayer } from './image-types.ts';
import { type Place, Qcow2Tables } from './qcow2-tables.ts';

interface Layer {
  path: string;
  content: DirectReader;
  /** Undefined: a raw image. */
  tables: Qcow2Tables | undefined;
}

/** A part of a read that the files cannot serve. */
export interface LeftOut {
  offset: number;
  into: Buffer;
}

/**
 * The content of a chain of frozen images, straight from the files: no other process, no socket, no copy. Without it
 * qemu-nbd and we take more processor time for moving the bytes than for anything else but compression.
 *
 * All files stay open, so that they may be deleted meanwhile; none of them may be written to.
 */
export class DirectLayers implements AsyncDisposable {
  readonly #layers: readonly Layer[];
  readonly #opened: AsyncDisposable;

  private constructor(layers: readonly Layer[], opened: AsyncDisposable) {
    this.#layers = layers;
    this.#opened = opened;
  }

  /**
   * `layers` top first. Undefined when one of them is an image that only QEMU can read.
   * @throws DiskImageNotFound, DiskImageUnavailable
   */
  static async open(layers: readonly ImageLayer[]): Promise<DirectLayers | undefined> {
    await using opened = new AsyncDisposableStack();
    const open: Layer[] = [];
    for (const { path, format } of layers) {
      try {
        const layer = await openLayer(path, format, opened);
        if (layer === undefined) return undefined;
        open.push(layer);
      } catch (error) {
        throw toImageFailure('open', path, error);
      }
    }
    return new DirectLayers(open, opened.move());
  }

  /**
   * Fills `into` with the content at `offset`, and returns the parts of it that it left out; whatever it found, nothing
   * touches `into` any more.
   * @throws DiskImageUnavailable
   */
  async read(offset: number, into: Buffer): Promise<LeftOut[]> {
    const leftOut: LeftOut[] = [];
    const leave = (from: number, part: Buffer) => {
      const last = leftOut.at(-1);
      if (last !== undefined && last.offset + last.into.length === from)
        last.into = into.subarray(last.offset - offset, from + part.length - offset);
      else leftOut.push({ offset: from, into: part });
    };
    for (let done = 0; done < into.length; ) {
      const { layer, place } = await this.#find(offset + done, into.length - done);
      let length = place.length;
      // Neighbours in the file are read together.
      for (let next = done + length; place.kind === 'data' && next < into.length; next = done + length) {
        const more = await this.#find(offset + next, into.length - next);
        if (more.layer !== layer || more.place.kind !== 'data' || more.place.at !== place.at + length) break;
        length += more.place.length;
      }
      const part = into.subarray(done, done + length);
      if (place.kind === 'data') {
        const filled = await this.#readFrom(layer, place.at, part);
        if (filled < length) leave(offset + done + filled, part.subarray(filled)); // the file ends here
      } else leave(offset + done, part);
      done += length;
    }
    return leftOut;
  }

  async #readFrom(layer: Layer | undefined, at: number, into: Buffer): Promise<number> {
    if (layer === undefined) return 0;
    try {
      return await layer.content.read(into, at);
    } catch (error) {
      throw toImageFailure('read', layer.path, error);
    }
  }

  /** The topmost layer that has something at `offset`, as far as it is that one. */
  async #find(offset: number, length: number): Promise<{ layer: Layer | undefined; place: Place }> {
    let limit = length;
    for (const layer of this.#layers) {
      if (layer.tables === undefined) return { layer, place: { kind: 'data', at: offset, length: limit } };
      const place = await layer.tables.find(offset, limit).catch((error: unknown) => {
        throw toImageFailure('read', layer.path, error);
      });
      if (place.kind !== 'below') return { layer, place };
      limit = place.length;
    }
    return { layer: undefined, place: { kind: 'other', length: limit } };
  }

  /** Waits for the reads that are under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened[Symbol.asyncDispose]();
  }
}

async function openLayer(
  path: string,
  format: ImageLayer['format'],
  opened: AsyncDisposableStack,
): Promise<Layer | undefined> {
  const file = opened.use(await open(path, 'r'));
  const content = opened.use(new DirectReader(file));
  if (format === 'raw') return { path, content, tables: undefined };
  const tables = await Qcow2Tables.read(file);
  return tables && { path, content, tables };
}
