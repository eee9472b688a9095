import { alignedMemory } from '../platform/index.ts';
import type { Codec } from './pack-format.ts';

/** Chunks a slab has room to describe: 1 MiB in the smallest chunks. */
export const slabEntries = 64;

const idBytes = 32;
const numbersPerEntry = 5; // codec, offset, length, crc, zero
const tableBytes = slabEntries * numbersPerEntry * 4;
/** `input` and `output` begin at pages, as direct access to files asks for. */
const headBytes = wholePages(tableBytes + slabEntries * idBytes);

/** One frame in a slab: where its stored bytes are, and how they hold the chunk. */
export interface SlabFrame {
  codec: Codec;
  /** In `output` for compressed or sealed frames that were made here; in `input` otherwise. */
  offset: number;
  length: number;
  crc: number;
}

/**
 * Memory that the main thread and a worker hand to and fro, so that neither content nor results are copied into
 * messages, and nothing is mapped anew for every window. Whoever has the job owns the slab; there are no locks.
 *
 * A table of what is known about each chunk, the ids, then `input` (content, or stored bytes to be read) and `output`
 * (compressed frames).
 */
export class Slab {
  readonly memory: SharedArrayBuffer;
  readonly inputBytes: number;
  readonly input: Buffer;
  readonly output: Buffer;
  readonly #table: Uint32Array;
  readonly #ids: Buffer;

  constructor(memory: SharedArrayBuffer, inputBytes: number) {
    this.memory = memory;
    this.inputBytes = inputBytes;
    this.#table = new Uint32Array(memory, 0, tableBytes / 4);
    this.#ids = Buffer.from(memory, tableBytes, slabEntries * idBytes);
    this.input = Buffer.from(memory, headBytes, inputBytes);
    this.output = Buffer.from(memory, headBytes + inputBytes);
  }

  static allocate(inputBytes: number, outputBytes: number): Slab {
    const roundInput = wholePages(inputBytes);
    return new Slab(alignedMemory(headBytes + roundInput + outputBytes), roundInput);
  }

  /** A view; copy what is to outlive the slab's turn. */
  id(number: number): Buffer {
    return this.#ids.subarray(number * idBytes, (number + 1) * idBytes);
  }

  setId(number: number, id: Uint8Array): void {
    this.#ids.set(id, number * idBytes);
  }

  isZero(number: number): boolean {
    return this.#table[number * numbersPerEntry + 4] === 1;
  }

  setZero(number: number, zero: boolean): void {
    this.#table[number * numbersPerEntry + 4] = zero ? 1 : 0;
  }

  frame(number: number): SlabFrame {
    const at = number * numbersPerEntry;
    const [codec = 0, offset = 0, length = 0, crc = 0] = this.#table.subarray(at, at + 4);
    return { codec: codec as Codec, offset, length, crc };
  }

  setFrame(number: number, { codec, offset, length, crc }: SlabFrame): void {
    this.#table.set([codec, offset, length, crc], number * numbersPerEntry);
  }
}

/** A fixed number of slabs, made when first needed and then kept; whoever finds none free waits in line. */
export class SlabPool {
  readonly count: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
  readonly #free: Slab[] = [];
  readonly #waiting: ((slab: Slab) => void)[] = [];
  #made = 0;

  constructor(count: number, inputBytes: number, outputBytes: number) {
    this.count = count;
    this.inputBytes = inputBytes;
    this.outputBytes = outputBytes;
  }

  async use<T>(work: (slab: Slab) => Promise<T>): Promise<T> {
    const slab = await this.#take();
    try {
      return await work(slab);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free.push(slab);
      else next(slab);
    }
  }

  async #take(): Promise<Slab> {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#made === this.count) return await new Promise((resolve) => this.#waiting.push(resolve));
    this.#made++;
    return Slab.allocate(this.inputBytes, this.outputBytes);
  }
}

function wholePages(bytes: number): number {
  return Math.ceil(bytes / 4096) * 4096;
}
