import { HoldfastError } from '../../errors/index.ts';
import type { StatusExtent } from '../../nbd/index.ts';
import type { DiskExtent, ExtentBasis, FrozenDiskReader } from '../types.ts';
import { DirectLayers } from './direct-layers.ts';
import type { ImageLayer } from './image-types.ts';
import { type OpenedImage, openImage } from './open-image.ts';

export interface ReaderRequest {
  target: string;
  /**
   * Top first. Full: the whole chain of the point. Delta: the layers from the point's frozen top down to, not
   * including, the earlier point's frozen top; see {@link layersAbove}.
   */
  layers: readonly ImageLayer[];
  basis: ExtentBasis;
  /** Whether nobody writes to any of the layers as long as the reader is open, so that their files may be read directly. */
  settled: boolean;
}

export interface OpenDiskReader extends FrozenDiskReader, AsyncDisposable {}

const allocation = 'base:allocation';
const depth = 'qemu:allocation-depth';
const allocationZero = 2;

/** How much of the disk one block status request covers: its answer is what memory is taken for. */
const windowBytes = 256 * 1024 * 1024;

/** The layers of a chain (top first) that lie over `path`; undefined when `path` is not in it. */
export function layersAbove(chain: readonly ImageLayer[], path: string): ImageLayer[] | undefined {
  const at = chain.findIndex((layer) => layer.path === path);
  return at < 0 ? undefined : chain.slice(0, at);
}

/**
 * Opens one disk of a frozen point. What there is to read is told by qemu-nbd, in every case; the bytes come straight from
 * the files where these are {@link ReaderRequest.settled} and hold them as they are, and from qemu-nbd otherwise.
 *
 * A delta opens only the layers written since the earlier point; the base is not touched, so that the cost follows
 * the changes. Where the disk has grown since, what lies beyond its earlier end and is not listed reads as zeros.
 * @throws as {@link openImage}
 */
export async function readerForPoint(request: ReaderRequest, signal?: AbortSignal): Promise<OpenDiskReader> {
  const { layers, target, basis } = request;
  const isDelta = basis.kind === 'delta';
  const raw = layers.find((layer) => layer.format === 'raw');
  if (isDelta && raw !== undefined) throw new TypeError(`a raw image tells no changes: ${raw.path}`);
  const contexts = isDelta ? [allocation, depth] : [allocation];
  await using opened = new AsyncDisposableStack();
  const image = opened.use(await openImage({ layers, contexts }, signal));
  if (image.client.contexts.length !== contexts.length) {
    throw new HoldfastError(
      'HostToolMissing',
      "The host's qemu-nbd can't tell which parts of an image hold data.",
      {
        action: 'Install qemu-utils 5.2 or newer.',
      },
    );
  }
  const direct = request.settled ? await DirectLayers.open(layers) : undefined;
  if (direct !== undefined) opened.use(direct);
  const readServed = async (offset: number, length: number, readSignal?: AbortSignal) => {
    try {
      return await image.client.read(offset, length, readSignal);
    } catch (error) {
      throw image.failure('read', error);
    }
  };
  let bytesRead = 0;
  let bytesServed = 0;
  const held = opened.move();
  return {
    target,
    sizeBytes: image.sizeBytes,
    basis,
    get bytesRead() {
      return bytesRead;
    },
    get bytesServed() {
      return bytesServed;
    },
    extents: (readSignal) => joined(statesOf(image, isDelta, readSignal)),
    async read(offset, length, readSignal, into) {
      readSignal?.throwIfAborted();
      bytesRead += length;
      if (direct === undefined) {
        bytesServed += length;
        return await readServed(offset, length, readSignal);
      }
      const content =
        into?.length === length ? Buffer.from(into.buffer, into.byteOffset, length) : Buffer.alloc(length);
      for (const part of await direct.read(offset, content)) {
        bytesServed += part.into.length;
        part.into.set(await readServed(part.offset, part.into.length, readSignal));
      }
      return content;
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** What there is to do about a stretch: nothing, take zeros, or read. */
interface State {
  length: number;
  listed: boolean;
  zero: boolean;
}

/** The whole disk from its start, in stretches as the server tells them. */
async function* statesOf(image: OpenedImage, isDelta: boolean, signal?: AbortSignal): AsyncGenerator<State> {
  for (let at = 0; at < image.sizeBytes; ) {
    const window = Math.min(windowBytes, image.sizeBytes - at);
    const status = await image.client.blockStatus(at, window, signal).catch((error: unknown) => {
      throw image.failure('read the allocation of', error);
    });
    for (const [length, zero, layer] of zipped(status.get(allocation) ?? [], status.get(depth))) {
      const isZero = (zero & allocationZero) !== 0;
      yield { length, listed: isDelta ? layer > 0 : !isZero, zero: isZero };
      at += length;
    }
  }
}

/** Both lists cut at the places where either changes, as far as both reach. At least one piece: neither is empty. */
function* zipped(
  first: readonly StatusExtent[],
  second: readonly StatusExtent[] | undefined,
): Generator<[length: number, first: number, second: number]> {
  if (second === undefined) {
    for (const { length, flags } of first) yield [length, flags, 0];
    return;
  }
  let [i, j, usedOfFirst, usedOfSecond] = [0, 0, 0, 0];
  for (;;) {
    const [a, b] = [first[i], second[j]];
    if (a === undefined || b === undefined) return;
    const length = Math.min(a.length - usedOfFirst, b.length - usedOfSecond);
    yield [length, a.flags, b.flags];
    usedOfFirst += length;
    usedOfSecond += length;
    if (usedOfFirst === a.length) [i, usedOfFirst] = [i + 1, 0];
    if (usedOfSecond === b.length) [j, usedOfSecond] = [j + 1, 0];
  }
}

/** Listed stretches only, neighbours of one kind made one. */
async function* joined(states: AsyncIterable<State>): AsyncGenerator<DiskExtent> {
  let open: DiskExtent | undefined;
  let at = 0;
  for await (const { length, listed, zero } of states) {
    if (open !== undefined && listed && open.zero === zero) {
      open.length += length;
    } else {
      if (open !== undefined) yield open;
      open = listed ? { offset: at, length, zero } : undefined;
    }
    at += length;
  }
  if (open !== undefined) yield open;
}
