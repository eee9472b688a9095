import type { Backend } from './backend.ts';
import type { ChunkIndex } from './chunk-index.ts';
import type { CondemnedPacks } from './condemned-packs.ts';
import type { IndexSection } from './index-segment.ts';
import { packName } from './layout.ts';
import {
  type ChunkKind,
  type Codec,
  encodeFooter,
  encodeTrailer,
  type PackEntry,
  packFooterBytes,
  packHeader,
  packHeaderBytes,
  packIdOfTrailer,
} from './pack-format.ts';
import { type PackMemory, packPieceBytes } from './pack-memory.ts';
import type { PackTable } from './pack-table.ts';

/** A pack is closed before its frames pass this size, trailer not counted. */
export const packTargetBytes = 32 * 1024 * 1024;

/** Bounds the trailer (1 MiB) and what is pending where chunks compress to almost nothing. */
const packEntryLimit = 16_384;

/** A chunk as it is stored. */
export interface Frame {
  codec: Codec;
  bytes: Buffer;
  /** Of `bytes`. */
  crc: number;
}

/** What a pack writer shares with the rest of the store. */
export interface PackSink {
  backend: Backend;
  index: ChunkIndex;
  packs: PackTable;
  memory: PackMemory;
  condemned: CondemnedPacks;
  /** Told of every pack once it is durable and in the index. */
  onPack(section: IndexSection): void;
}

/** Its bytes are in pieces of {@link packPieceBytes}, all but the last one full. */
interface OpenPack {
  pieces: Buffer[];
  used: number;
  entries: PackEntry[];
}

/** Under pressure a pack is closed when it has as many pieces: a frame and the header always fit into two. */
const fewestPieces = 2;

/**
 * Collects frames into packs and writes them, one while the next one fills, in memory that it gives back piece by piece.
 * What is in a pack counts for others (enters the index) only when the pack is durable. After a failure the writer is dead.
 */
export class PackWriter {
  readonly #sink: PackSink;
  readonly #targetBytes: number;
  readonly #claimed = new Set<string>();
  readonly #onPut: (packId: string) => void;
  #open: OpenPack | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isWriting = false;
  #sealing: Promise<void> | undefined;
  #failure: { error: unknown } | undefined;

  /** `onPut` is told of every pack before it is put. */
  constructor(sink: PackSink, targetBytes: number, onPut: (packId: string) => void) {
    this.#sink = sink;
    this.#onPut = onPut;
    this.#targetBytes = Math.min(targetBytes, packTargetBytes);
  }

  /**
   * True for the first to ask for this chunk; they must append it, or the point they write must fail. False when it
   * is on its way into a pack of this writer already.
   */
  claim(id: Uint8Array): boolean {
    const key = keyOf(id);
    if (this.#claimed.has(key)) return false;
    this.#claimed.add(key);
    return true;
  }

  /** Takes a claim back: the chunk is in the store. */
  release(id: Uint8Array): void {
    this.#claimed.delete(keyOf(id));
  }

  /** Puts a frame into the open pack; waits while the pack before it is being written. */
  async append(id: Buffer, kind: ChunkKind, frame: Frame, plainLength: number): Promise<void> {
    const storedLength = frame.bytes.length;
    let pack = this.#withRoom(storedLength);
    while (typeof pack === 'string') {
      if (pack === 'full') await this.#seal();
      else await Promise.race([this.#sink.memory.givenBack(), this.#writing]);
      pack = this.#withRoom(storedLength);
    }
    const offset = pack.used;
    for (let done = 0; done < storedLength; ) {
      const { piece, at } = placeIn(pack);
      const copied = frame.bytes.copy(piece, at, done);
      done += copied;
      pack.used += copied;
    }
    pack.entries.push({ id, kind, codec: frame.codec, offset, storedLength, plainLength, crc: frame.crc });
  }

  /** Resolves when everything appended so far is durable and in the index. */
  async flush(): Promise<void> {
    if (this.#open !== undefined) await this.#seal();
    await this.#writing;
    this.#throwIfDead();
  }

  /** Drops what is not written yet; resolves when nothing touches the backend any more. */
  async discard(): Promise<void> {
    this.#failure ??= { error: new Error('the point has been given up') };
    for (const piece of this.#open?.pieces ?? []) this.#sink.memory.giveBack(piece);
    this.#open = undefined;
    await this.#sealing?.catch(() => {}); // its failure is kept, and whoever waits for the point has it
    await this.#writing;
  }

  #throwIfDead(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** The open pack with memory for so many bytes more. `tight`: there will be some when more of ours has been written. */
  #withRoom(bytes: number): OpenPack | 'full' | 'tight' {
    this.#throwIfDead();
    const { memory } = this.#sink;
    const { used, entries, pieces } = this.#open ?? { used: packHeaderBytes, entries: [], pieces: [] };
    const isFull = used + bytes > Math.max(this.#targetBytes, packHeaderBytes + bytes);
    if (isFull || entries.length >= packEntryLimit) return 'full';
    while (pieces.length * packPieceBytes < used + bytes) {
      if (memory.isTight && this.#isWriting) return 'tight';
      if (memory.isTight && pieces.length >= fewestPieces) return 'full';
      const piece = memory.take();
      if (pieces.push(piece) === 1) packHeader().copy(piece);
    }
    this.#open ??= { pieces, used, entries };
    return this.#open;
  }

  /** Hands the open pack over to be written, once the one before it is. Several callers share one change of packs. */
  #seal(): Promise<void> {
    this.#sealing ??= (async () => {
      try {
        await this.#writing;
        this.#throwIfDead();
        const pack = this.#open;
        this.#open = undefined;
        if (pack !== undefined) this.#writing = this.#write(pack);
      } finally {
        this.#sealing = undefined;
      }
    })();
    return this.#sealing;
  }

  /** Never rejects: a failure is kept for the next call to meet. */
  async #write({ pieces, used, entries }: OpenPack): Promise<void> {
    const { backend, packs, index, memory, condemned, onPack } = this.#sink;
    this.#isWriting = true;
    const left = pieces.toReversed();
    function* parts(trailer: Buffer) {
      let rest = used;
      for (let piece = left.at(-1); piece !== undefined; piece = left.at(-1)) {
        yield piece.subarray(0, Math.min(packPieceBytes, rest));
        rest -= packPieceBytes;
        left.pop(); // whoever asks for the next part is through with this one
        memory.giveBack(piece);
      }
      yield trailer;
      yield encodeFooter(used, trailer);
    }
    try {
      const trailer = encodeTrailer(entries);
      const packId = packIdOfTrailer(trailer);
      const packBytes = used + trailer.length + packFooterBytes;
      this.#onPut(packId);
      // The same chunks in the same order make the same pack: it may be one that a collection is about to delete.
      await condemned.makeWay(packId);
      await backend.put(packName(packId), parts(trailer));
      packs.setPresent(packId, packBytes);
      condemned.arrived(packId);
      index.addPack({ packId, packBytes, trailer });
      for (const { id } of entries) this.release(id);
      onPack({ packId, packBytes, trailer });
    } catch (error) {
      this.#failure ??= { error };
    } finally {
      for (const piece of left) memory.giveBack(piece);
      this.#isWriting = false;
    }
  }
}

/** Where the next byte goes. */
function placeIn({ pieces, used }: OpenPack): { piece: Buffer; at: number } {
  const piece = pieces[Math.floor(used / packPieceBytes)];
  if (piece === undefined) throw new Error('a pack has no memory for what is put into it');
  return { piece, at: used % packPieceBytes };
}

function keyOf(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1');
}
