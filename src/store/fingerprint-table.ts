/**
 * Which entries may be of a chunk, told by 35 bits of its id: 7 bytes an entry, and a few more that are empty. What is
 * found here is a candidate, to be compared with the whole id by whoever has it; what is not found here is not there.
 *
 * The first eleven bits choose one of 2048 shards, and each grows alone and by a sixteenth, so that there are never two of
 * the whole. The next 24 are the key. A slot is a key and an entry number plus one; 0 is an empty slot. Keys ascend along
 * a shard: a key's home is its share of the capacity, and it stands there or behind the smaller ones that have been pushed
 * out of their homes (linear probing in order). So a look-up ends at the first larger key, a full table is still quick,
 * and growing and sweeping are one pass in order. Ids are hashes already: their bits are as even as any.
 */
export const shardCount = 2048;

/** Of a key. The highest one is an empty slot's; a chunk with that one has the one before. */
export const keyBytes = 3;
const emptyKey = 0xff_ffff;
const numberBytes = 4;
const slotBytes = numberBytes + keyBytes;

/** The highest entry number there can be. */
export const lastEntry = 0xffff_fffe;

/**
 * Keys lie behind all numbers, in the same memory: a search goes over keys alone, and a dozen of them share a line of the
 * processor's cache.
 */
interface Slots {
  /** Entry numbers plus one. */
  numbers: Uint32Array;
  /** Bytes, the highest first. */
  keys: Uint8Array;
}

interface Shard extends Slots {
  /** Homes. Behind the last there is room for those that were pushed over the end. */
  capacity: number;
  count: number;
}

/** What is in a shard, keys ascending: the number and the key of each entry. */
export interface PackedShard {
  entries: Uint32Array;
  /** {@link keyBytes} for each, the highest first. */
  keys: Uint8Array;
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
    const bytesOf = (shard: Shard | undefined) =>
      shard === undefined ? 0 : shard.numbers.byteLength + shard.keys.byteLength;
    return this.#shards.reduce((sum, shard) => sum + bytesOf(shard), 0);
  }

  /** The entries that may be of the chunk with this id; those of one chunk in the order they came. */
  candidates(id: Uint8Array): readonly number[] {
    const shard = this.#shards[shardOf(id, 0)];
    if (shard === undefined) return none;
    const { numbers, keys, capacity } = shard;
    const key = keyOf(id, 0);
    let found: number[] | undefined;
    for (let slot = homeOf(key, capacity); slot < numbers.length; slot++) {
      const other = keyAt(keys, slot);
      if (other > key) break; // as an empty slot's is
      if (other === key) {
        found ??= [];
        found.push((numbers[slot] ?? 0) - 1);
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

  /** What is in one shard; entries that `numberOf` knows no number for stay out. */
  packed(number: number, numberOf: (entry: number) => number | undefined): PackedShard {
    const shard = this.#shards[number];
    const count = shard?.count ?? 0;
    const entries = new Uint32Array(count);
    const keys = new Uint8Array(count * keyBytes);
    let used = 0;
    if (shard !== undefined) {
      for (let slot = 0; slot < shard.numbers.length; slot++) {
        const value = shard.numbers[slot] ?? 0;
        const entry = value === 0 ? undefined : numberOf(value - 1);
        if (entry === undefined) continue;
        entries[used] = entry;
        setKey(keys, used, keyAt(shard.keys, slot));
        used++;
      }
    }
    return { entries: entries.subarray(0, used), keys: keys.subarray(0, used * keyBytes) };
  }

  /**
   * Fills an empty shard with what `packed` made of one; false, and nothing done, if that cannot be. Entries that
   * `numberOf` knows no number for stay out.
   */
  fill(
    number: number,
    { entries, keys }: PackedShard,
    numberOf: (entry: number) => number | undefined,
  ): boolean {
    if (this.#shards[number] !== undefined || keys.length !== entries.length * keyBytes) return false;
    if (entries.length === 0) return true;
    const shard = newShard(Math.ceil(entries.length / fullest) + 1);
    let next = 0;
    let before = 0;
    for (let from = 0; from < entries.length; from++) {
      const key = keyAt(keys, from);
      if (key < before || key === emptyKey) return false;
      before = key;
      const entry = numberOf(entries[from] ?? 0);
      if (entry === undefined) continue;
      while (Math.max(next, homeOf(key, shard.capacity)) >= shard.numbers.length) next = grow(shard);
      next = Math.max(next, homeOf(key, shard.capacity));
      setSlot(shard, next, key, entry + 1);
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
  return ((ids[at] ?? 0) << 3) | ((ids[at + 1] ?? 0) >> 5);
}

function keyOf(ids: Uint8Array, at: number): number {
  const key =
    (((ids[at + 1] ?? 0) & 0x1f) << 19) |
    ((ids[at + 2] ?? 0) << 11) |
    ((ids[at + 3] ?? 0) << 3) |
    ((ids[at + 4] ?? 0) >> 5);
  return Math.min(key, emptyKey - 1);
}

/** Never falls as the key rises, which is all that is needed of it. */
function homeOf(key: number, capacity: number): number {
  return Math.floor((key * capacity) / 0x100_0000);
}

function keyAt(keys: Uint8Array, slot: number): number {
  const at = slot * keyBytes;
  return ((keys[at] ?? 0) << 16) | ((keys[at + 1] ?? 0) << 8) | (keys[at + 2] ?? 0);
}

function setKey(keys: Uint8Array, slot: number, key: number): void {
  const at = slot * keyBytes;
  keys[at] = key >> 16;
  keys[at + 1] = key >> 8;
  keys[at + 2] = key;
}

/** `value`: an entry's number plus one. */
function setSlot({ numbers, keys }: Slots, slot: number, key: number, value: number): void {
  numbers[slot] = value;
  setKey(keys, slot, key);
}

function empty(slots: Slots, slot: number): void {
  setSlot(slots, slot, emptyKey, 0);
}

function newShard(capacity: number): Shard {
  return { ...newSlots(capacity), capacity, count: 0 };
}

/**
 * Larger shards have memory that can grow where it is: from the heap, pieces of ever new sizes among the tables of contents
 * that come and go would leave a third of it unusable. Smaller ones are quicker without, and the kernel has only so many
 * mappings for a process, of which such a shard takes two.
 */
const fixedBytes = 64 * 1024;
const roomToGrow = 4;

function newSlots(capacity: number): Slots {
  const count = slotsFor(capacity);
  const bytes = count * slotBytes;
  const isFixed = bytes <= fixedBytes;
  const memory = new ArrayBuffer(bytes, isFixed ? {} : { maxByteLength: bytes * roomToGrow });
  const slots = slotsIn(memory, count);
  slots.keys.fill(0xff);
  return slots;
}

function slotsIn(memory: ArrayBuffer, count: number): Slots {
  return {
    numbers: new Uint32Array(memory, 0, count),
    keys: new Uint8Array(memory, count * numberBytes, count * keyBytes),
  };
}

function slotsFor(capacity: number): number {
  return capacity + 8 + (capacity >> 7);
}

/** False when there is no room behind. */
function place(shard: Shard, key: number, entry: number): boolean {
  const { numbers, keys, capacity } = shard;
  let slot = homeOf(key, capacity);
  while (slot < numbers.length && keyAt(keys, slot) <= key) slot++;
  let free = slot;
  while (free < numbers.length && numbers[free] !== 0) free++;
  if (free >= numbers.length) return false;
  if (free > slot) {
    numbers.copyWithin(slot + 1, slot, free);
    keys.copyWithin((slot + 1) * keyBytes, slot * keyBytes, free * keyBytes);
  }
  setSlot(shard, slot, key, entry + 1);
  return true;
}

/**
 * Returns the first slot behind all that are in use. There is room behind the last home for as many as before: with more
 * homes, none is pushed further out.
 */
function grow(shard: Shard): number {
  const { numbers, keys } = shard;
  const memory = numbers.buffer;
  if (!(memory instanceof ArrayBuffer)) throw new Error('the memory of a shard is its own');
  shard.capacity += (shard.capacity >> 4) + 8;
  const count = slotsFor(shard.capacity);
  if (memory.resizable && count * slotBytes <= memory.maxByteLength) {
    memory.resize(count * slotBytes);
    const bytes = new Uint8Array(memory);
    bytes.copyWithin(count * numberBytes, keys.byteOffset, keys.byteOffset + keys.length);
    Object.assign(shard, slotsIn(memory, count));
    return spread(shard, numbers.length);
  }
  Object.assign(shard, newSlots(shard.capacity));
  const end = move({ numbers, keys }, shard, () => true);
  // Freed now and not when the garbage collector comes: with all shards growing, that would be another table.
  memory.transfer(0);
  return end;
}

/**
 * Makes use of more memory behind the first `used` slots, whatever it holds: everything to its end, and from there to where
 * it belongs.
 */
function spread(shard: Shard, used: number): number {
  const { numbers, keys, capacity } = shard;
  let first = numbers.length;
  for (let slot = used - 1; slot >= 0; slot--) {
    const value = numbers[slot] ?? 0;
    if (value === 0) continue;
    first--;
    setSlot(shard, first, keyAt(keys, slot), value);
  }
  let next = 0;
  for (let slot = first; slot < numbers.length; slot++) {
    const key = keyAt(keys, slot);
    const value = numbers[slot] ?? 0;
    const place = Math.max(next, homeOf(key, capacity));
    for (; next < place; next++) empty(shard, next);
    setSlot(shard, place, key, value);
    next = place + 1;
  }
  for (let slot = next; slot < numbers.length; slot++) empty(shard, slot);
  return next;
}

function compact(shard: Shard, keep: (entry: number) => boolean): void {
  shard.count = 0;
  move(shard, shard, keep, () => shard.count++);
}

/**
 * Brings slots in order to where they belong in `to`, which may be where they are: with fewer of them before it, none moves
 * back.
 */
function move(
  from: Slots,
  to: Shard,
  keep: (entry: number) => boolean,
  onKept: () => void = () => {},
): number {
  let next = 0;
  for (let slot = 0; slot < from.numbers.length; slot++) {
    const value = from.numbers[slot] ?? 0;
    if (value === 0) continue;
    const key = keyAt(from.keys, slot);
    if (from === to) empty(to, slot);
    if (!keep(value - 1)) continue;
    next = Math.max(next, homeOf(key, to.capacity));
    setSlot(to, next, key, value);
    next++;
    onKept();
  }
  return next;
}
