/**
 * Which entries may be of a chunk, told by 42 bits of its id: 8 bytes an entry, and a few more that are empty. What is
 * found here is a candidate, to be compared with the whole id by whoever has it; what is not found here is not there.
 *
 * The first ten bits choose one of 1024 shards, and each grows alone and by a sixteenth, so that there are never two of
 * the whole. The next 32 are the key. A slot is a key and an entry number plus one; 0 is an empty slot. Keys ascend along
 * a shard: a key's home is its share of the capacity, and it stands there or behind the smaller ones that have been pushed
 * out of their homes (linear probing in order). So a look-up ends at the first larger key, a full table is still quick,
 * and growing and sweeping are one pass in order. Ids are hashes already: their bits are as even as any.
 */
export const shardCount = 1024;

/** The highest entry number there can be. */
export const lastEntry = 0xffff_fffe;

interface Shard {
  slots: Uint32Array;
  /** Homes. Behind the last there is room for those that were pushed over the end. */
  capacity: number;
  count: number;
}

const none: readonly number[] = [];

export class FingerprintTable {
  #shards: (Shard | undefined)[] = new Array<Shard | undefined>(shardCount);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Memory taken. */
  get bytes(): number {
    return this.#shards.reduce((sum, shard) => sum + (shard?.slots.byteLength ?? 0), 0);
  }

  /** The entries that may be of the chunk with this id; those of one chunk in the order they came. */
  candidates(id: Uint8Array): readonly number[] {
    const shard = this.#shards[shardOf(id, 0)];
    if (shard === undefined) return none;
    const { slots, capacity } = shard;
    const key = keyOf(id, 0);
    let found: number[] | undefined;
    for (let at = homeOf(key, capacity) * 2; at < slots.length; at += 2) {
      const value = slots[at + 1] ?? 0;
      const other = slots[at] ?? 0;
      if (value === 0 || other > key) break;
      if (other === key) {
        found ??= [];
        found.push(value - 1);
      }
    }
    return found ?? none;
  }

  /** `ids` has the chunk's id from byte `at` on. */
  insert(ids: Uint8Array, at: number, entry: number): void {
    const number = shardOf(ids, at);
    const shard = this.#shards[number] ?? newShard(8);
    this.#shards[number] = shard;
    const key = keyOf(ids, at);
    // A run that has reached the end of the memory asks for more of it just as a full shard does.
    while (shard.count >= mostOf(shard.capacity) || !place(shard, key, entry)) grow(shard);
    shard.count++;
    this.#count++;
  }

  /** Drops all entries but those to `keep`. Yields after every shard, so that others get their turn. */
  *retain(keep: (entry: number) => boolean): Generator<void> {
    for (const shard of this.#shards) {
      if (shard === undefined) continue;
      const before = shard.count;
      compact(shard, keep);
      this.#count -= before - shard.count;
      yield;
    }
  }

  /** The slots in use of one shard, their keys ascending: key and entry number by turns. */
  packed(number: number, numberOf: (entry: number) => number | undefined): Uint32Array {
    const shard = this.#shards[number];
    const packed = new Uint32Array((shard?.count ?? 0) * 2);
    let used = 0;
    if (shard !== undefined) {
      for (let at = 0; at < shard.slots.length; at += 2) {
        const value = shard.slots[at + 1] ?? 0;
        const entry = value === 0 ? undefined : numberOf(value - 1);
        if (entry === undefined) continue;
        packed[used++] = shard.slots[at] ?? 0;
        packed[used++] = entry;
      }
    }
    return packed.subarray(0, used);
  }

  /**
   * Fills an empty shard with what `packed` made of one; false, and nothing done, if that cannot be. Entries that
   * `numberOf` knows no number for stay out.
   */
  fill(number: number, packed: Uint32Array, numberOf: (entry: number) => number | undefined): boolean {
    if (this.#shards[number] !== undefined || packed.length % 2 !== 0) return false;
    const count = packed.length / 2;
    if (count === 0) return true;
    const shard = newShard(Math.ceil(count / fullest) + 1);
    let next = 0;
    for (let from = 0; from < packed.length; from += 2) {
      const key = packed[from] ?? 0;
      if (from > 0 && key < (packed[from - 2] ?? 0)) return false;
      const entry = numberOf(packed[from + 1] ?? 0);
      if (entry === undefined) continue;
      while (Math.max(next, homeOf(key, shard.capacity)) * 2 >= shard.slots.length) next = grow(shard);
      next = Math.max(next, homeOf(key, shard.capacity));
      shard.slots[next * 2] = key;
      shard.slots[next * 2 + 1] = entry + 1;
      next++;
      shard.count++;
    }
    this.#shards[number] = shard;
    this.#count += shard.count;
    return true;
  }

  clear(): void {
    this.#shards = new Array<Shard | undefined>(shardCount);
    this.#count = 0;
  }
}

/** Of the homes; a look-up passes about seventeen slots then, which lie side by side. */
const fullest = 0.97;

function mostOf(capacity: number): number {
  return Math.floor(capacity * fullest);
}

function shardOf(ids: Uint8Array, at: number): number {
  return ((ids[at] ?? 0) << 2) | ((ids[at + 1] ?? 0) >> 6);
}

function keyOf(ids: Uint8Array, at: number): number {
  return (
    (((ids[at + 2] ?? 0) << 24) |
      ((ids[at + 3] ?? 0) << 16) |
      ((ids[at + 4] ?? 0) << 8) |
      (ids[at + 5] ?? 0)) >>>
    0
  );
}

/** Never falls as the key rises, which is all that is needed of it. */
function homeOf(key: number, capacity: number): number {
  return Math.floor((key * capacity) / 0x1_0000_0000);
}

function newShard(capacity: number): Shard {
  return { slots: newSlots(capacity), capacity, count: 0 };
}

/**
 * Larger shards have memory that can grow where it is: from the heap, pieces of ever new sizes among the tables of contents
 * that come and go would leave a third of it unusable. Smaller ones are quicker without.
 */
const fixedBytes = 64 * 1024;
const roomToGrow = 4;

function newSlots(capacity: number): Uint32Array {
  const bytes = wordsFor(capacity) * 4;
  if (bytes <= fixedBytes) return new Uint32Array(bytes / 4);
  return new Uint32Array(new ArrayBuffer(bytes, { maxByteLength: bytes * roomToGrow }), 0, bytes / 4);
}

function wordsFor(capacity: number): number {
  return (capacity + 8 + (capacity >> 7)) * 2;
}

/** False when there is no room behind. */
function place({ slots, capacity }: Shard, key: number, entry: number): boolean {
  let at = homeOf(key, capacity) * 2;
  while (at < slots.length && slots[at + 1] !== 0 && (slots[at] ?? 0) <= key) at += 2;
  let free = at;
  while (free < slots.length && slots[free + 1] !== 0) free += 2;
  if (free >= slots.length) return false;
  if (free > at) slots.copyWithin(at + 2, at, free);
  slots[at] = key;
  slots[at + 1] = entry + 1;
  return true;
}

/**
 * Returns the first slot behind all that are in use. There is room behind the last home for as many as before: with more
 * homes, none is pushed further out.
 */
function grow(shard: Shard): number {
  const old = shard.slots;
  shard.capacity += (shard.capacity >> 4) + 8;
  const bytes = wordsFor(shard.capacity) * 4;
  if (old.buffer instanceof ArrayBuffer && old.buffer.resizable && bytes <= old.buffer.maxByteLength) {
    old.buffer.resize(bytes);
    shard.slots = new Uint32Array(old.buffer, 0, bytes / 4);
    return spread(shard, old.length);
  }
  shard.slots = newSlots(shard.capacity);
  const end = move(old, shard, () => true);
  // Freed now and not when the garbage collector comes: with all shards growing, that would be another table.
  if (old.buffer instanceof ArrayBuffer) old.buffer.transfer(0);
  return end;
}

/** Makes use of more memory behind the first `used` numbers: everything to its end, and from there to where it belongs. */
function spread({ slots, capacity }: Shard, used: number): number {
  let first = slots.length;
  for (let at = used - 2; at >= 0; at -= 2) {
    const value = slots[at + 1] ?? 0;
    if (value === 0) continue;
    first -= 2;
    slots[first] = slots[at] ?? 0;
    slots[first + 1] = value;
  }
  let next = 0;
  for (let at = first; at < slots.length; at += 2) {
    const key = slots[at] ?? 0;
    const value = slots[at + 1] ?? 0;
    const place = Math.max(next, homeOf(key, capacity));
    for (let empty = next; empty < place; empty++) slots[empty * 2 + 1] = 0;
    slots[place * 2] = key;
    slots[place * 2 + 1] = value;
    next = place + 1;
  }
  for (let empty = next; empty * 2 < slots.length; empty++) slots[empty * 2 + 1] = 0;
  return next;
}

function compact(shard: Shard, keep: (entry: number) => boolean): void {
  shard.count = 0;
  move(shard.slots, shard, keep, () => shard.count++);
}

/**
 * Brings slots in order to where they belong in `to`, which may be where they are: with fewer of them before it, none moves
 * back.
 */
function move(
  from: Uint32Array,
  to: Shard,
  keep: (entry: number) => boolean,
  onKept: () => void = () => {},
): number {
  let next = 0;
  const { slots, capacity } = to;
  for (let at = 0; at < from.length; at += 2) {
    const key = from[at] ?? 0;
    const value = from[at + 1] ?? 0;
    if (value === 0) continue;
    if (from === slots) slots[at + 1] = 0;
    if (!keep(value - 1)) continue;
    next = Math.max(next, homeOf(key, capacity));
    slots[next * 2] = key;
    slots[next * 2 + 1] = value;
    next++;
    onKept();
  }
  return next;
}
