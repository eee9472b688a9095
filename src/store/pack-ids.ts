import { uint32Column } from './number-column.ts';

const idBytes = 32;
/** Of the places to find a pack in. */
const fullest = 0.7;
const leastSlots = 64;

/** For one look-up at a time. */
const wanted = Buffer.alloc(idBytes);

/**
 * Pack ids, numbered from 0 in the order they came: 32 bytes and a few more each, where a string and a place in a map
 * would take two hundred. Ids are hashes: any bits of them say where to look (linear probing).
 */
export class PackIds {
  #count = 0;
  #bytes = Buffer.alloc(0);
  /** A pack's number plus one; 0: empty. As many as a power of two. */
  #slots = new Uint32Array(leastSlots);
  /** The first four bytes of each id. */
  readonly #beginnings = uint32Column();

  get count(): number {
    return this.#count;
  }

  /** Undefined for one that is not known. */
  find(packId: string): number | undefined {
    if (!read(packId)) return undefined;
    const slot = this.#slotOf();
    const value = this.#slots[slot] ?? 0;
    return value === 0 ? undefined : value - 1;
  }

  /** The number of an id, new or known. */
  number(packId: string): number {
    if (!read(packId)) throw new Error(`not a pack id: ${packId}`);
    const slot = this.#slotOf();
    const value = this.#slots[slot] ?? 0;
    if (value !== 0) return value - 1;
    const number = this.#count++;
    this.#store(number);
    this.#slots[slot] = number + 1;
    if (this.#count > this.#slots.length * fullest) this.#grow();
    return number;
  }

  id(number: number): string {
    if (!(number >= 0 && number < this.#count)) throw new Error(`no pack has number ${number}`);
    return this.#bytes.toString('hex', number * idBytes, (number + 1) * idBytes);
  }

  /** Where the wanted id stands or belongs. */
  #slotOf(): number {
    const beginning = wanted.readUInt32LE(0);
    const mask = this.#slots.length - 1;
    for (let slot = beginning & mask; ; slot = (slot + 1) & mask) {
      const value = this.#slots[slot] ?? 0;
      if (value === 0) return slot;
      if (this.#beginnings.get(value - 1) !== beginning) continue;
      const at = (value - 1) * idBytes;
      if (this.#bytes.compare(wanted, 0, idBytes, at, at + idBytes) === 0) return slot;
    }
  }

  #store(number: number): void {
    const end = (number + 1) * idBytes;
    if (end > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(end, this.#bytes.length * 2, leastSlots * idBytes));
      this.#bytes.copy(larger);
      this.#bytes = larger;
    }
    wanted.copy(this.#bytes, number * idBytes);
    this.#beginnings.set(number, wanted.readUInt32LE(0));
  }

  #grow(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    const mask = this.#slots.length - 1;
    for (let number = 0; number < this.#count; number++) {
      let slot = this.#beginnings.get(number) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = number + 1;
    }
  }
}

/** Into `wanted`. */
function read(packId: string): boolean {
  return packId.length === idBytes * 2 && wanted.write(packId, 'hex') === idBytes;
}
