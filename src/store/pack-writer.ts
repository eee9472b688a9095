import { alignedMemory } from '../platform/index.ts';
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
  buffers: PackBuffers;
  condemned: CondemnedPacks;
  /** Told of every pack once it is durable and in the index. */
  onPack(section: IndexSection): void;
}

interface OpenPack {
  buffer: Buffer;
  used: number;
  entries: PackEntry[];
}

/** Buffers of packs that have been written, kept for the next: mapping fresh ones costs more than filling them. */
export class PackBuffers {
  readonly #free: Buffer[] = [];

  take(): Buffer {
    return this.#free.pop() ?? Buffer.from(alignedMemory(packTargetBytes), 0, packTargetBytes);
  }

  giveBack(buffer: Buffer): void {
    if (this.#free.length < 2) this.#free.push(buffer);
  }
}

/**
 * Collects frames into packs and writes them, one while the next one fills: two pack buffers of memory. What is in a
 * pack counts for others (enters the index) only when the pack is durable. After a failure the writer is dead.
 */
export class PackWriter {
  readonly #sink: PackSink;
  readonly #targetBytes: number;
  readonly #claimed = new Set<string>();
  readonly #onPut: (packId: string) => void;
  #open: OpenPack | undefined;
  #writing: Promise<void> = Promise.resolve();
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
    let pack = this.#fitting(frame.bytes.length);
    while (pack === undefined) {
      await this.#seal();
      pack = this.#fitting(frame.bytes.length);
    }
    const offset = pack.used;
    frame.bytes.copy(pack.buffer, offset);
    pack.used += frame.bytes.length;
    pack.entries.push({
      id,
      kind,
      codec: frame.codec,
      offset,
      storedLength: frame.bytes.length,
      plainLength,
      crc: frame.crc,
    });
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
    if (this.#open !== undefined) this.#sink.buffers.giveBack(this.#open.buffer);
    this.#open = undefined;
    await this.#sealing?.catch(() => {}); // its failure is kept, and whoever waits for the point has it
    await this.#writing;
  }

  #throwIfDead(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #fitting(bytes: number): OpenPack | undefined {
    this.#throwIfDead();
    if (this.#open === undefined) {
      const buffer = this.#sink.buffers.take();
      this.#open = { buffer, used: packHeader().copy(buffer), entries: [] };
    }
    const { used, entries } = this.#open;
    const full = used + bytes > Math.max(this.#targetBytes, packHeaderBytes + bytes);
    return full || entries.length >= packEntryLimit ? undefined : this.#open;
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
  async #write({ buffer, used, entries }: OpenPack): Promise<void> {
    const { backend, packs, index, buffers, condemned, onPack } = this.#sink;
    try {
      const trailer = encodeTrailer(entries);
      const packId = packIdOfTrailer(trailer);
      const packBytes = used + trailer.length + packFooterBytes;
      this.#onPut(packId);
      // The same chunks in the same order make the same pack: it may be one that a collection is about to delete.
      await condemned.makeWay(packId);
      await backend.put(packName(packId), [buffer.subarray(0, used), trailer, encodeFooter(used, trailer)]);
      packs.setPresent(packId, packBytes);
      condemned.arrived(packId);
      index.addPack({ packId, packBytes, trailer });
      for (const { id } of entries) this.release(id);
      onPack({ packId, packBytes, trailer });
    } catch (error) {
      this.#failure ??= { error };
    } finally {
      buffers.giveBack(buffer);
    }
  }
}

function keyOf(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1');
}
