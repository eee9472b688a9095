import { hash } from 'node:crypto';
import { endianness } from 'node:os';
import { crc32 } from 'node:zlib';
import type { Backend, ObjectInfo } from './backend.ts';
import type { ChunkIndex } from './chunk-index.ts';
import { EntryMap, type EntryStretch } from './entry-map.ts';
import { keyBytes, lastEntry, type PackedShard, shardCount } from './fingerprint-table.ts';
import { mapOrdered } from './map-ordered.ts';
import { uint32Column } from './number-column.ts';
import { fetchObject } from './object-access.ts';

/** Byte layout of stored index tables; `docs/store-format.md` has it in words. */
const tableVersion = 2;
const headerMagic = Buffer.from('HFTABLE\n', 'latin1');
const footerMagic = Buffer.from('HFTBEND\n', 'latin1');
const headerBytes = 16;
const packRecordBytes = 64;
const blockRecordBytes = 40;
const footerBytes = 64;
const numberBytes = 4;

/** Blocks fetched in one call, and calls open at once. */
const fetchBytes = 2 * 1024 * 1024;
const fetchesInFlight = 6;

/** Thrown inside a table that is being written when a pack in it has gone: it would claim more than it has. */
export class StaleTable extends Error {}

/**
 * The index's table as an object: every pack that `isIn` says, numbered anew from 0, then which segments need not be read
 * by whoever has it. @throws StaleTable
 */
export async function* tableParts(
  index: ChunkIndex,
  segments: readonly string[],
  isIn: (packId: string) => boolean,
): AsyncGenerator<Buffer> {
  const packsIn = uint32Column();
  const firsts = uint32Column();
  function* stretches(): Generator<EntryStretch> {
    let total = 0;
    for (const { pack, first, entries } of index.ranges()) {
      if (!isIn(index.packs.id(pack))) continue;
      packsIn.push(pack);
      firsts.push(first);
      yield { first, entries, to: total };
      total += entries;
    }
  }
  const numbers = new EntryMap(stretches(), index.nextEntry);
  const numberOf = (entry: number) => numbers.get(entry);
  yield tableHeader();
  const blocks = Buffer.alloc(shardCount * blockRecordBytes);
  let at = headerBytes;
  for (let shard = 0; shard < shardCount; shard++) {
    const packed = index.table.packed(shard, numberOf);
    const block = blockOf(packed);
    blocks.writeUInt32LE(packed.entries.length, shard * blockRecordBytes);
    sumOf(block).copy(blocks, shard * blockRecordBytes + 8);
    at += block.length;
    if (block.length > 0) yield block;
  }
  const packs = Buffer.alloc(packsIn.length * packRecordBytes);
  for (let number = 0; number < packsIn.length; number++) {
    const range = index.rangeOf(packsIn.get(number));
    if (range === undefined || range.first !== firsts.get(number)) throw new StaleTable();
    const record = number * packRecordBytes;
    packs.write(index.packs.id(range.pack), record, 'hex');
    packs.writeBigUInt64LE(BigInt(range.packBytes), record + 32);
    packs.writeUInt32LE(range.entries, record + 40);
    packs.writeBigUInt64LE(BigInt(range.plainBytes), record + 48);
  }
  const names = Buffer.from(segments.join('\n'));
  const head = Buffer.concat([packs, blocks, names]);
  yield head;
  const footer = Buffer.alloc(footerBytes);
  footer.writeBigUInt64LE(BigInt(at), 0);
  footer.writeUInt32LE(packsIn.length, 8);
  footer.writeUInt32LE(names.length, 12);
  hash('sha256', head, 'buffer').copy(footer, 16);
  footer.writeUInt16LE(tableVersion, 48);
  footer.writeUInt32LE(crc32(footer.subarray(0, 52)), 52);
  footerMagic.copy(footer, 56);
  yield footer;
}

/** Of so many entries: their numbers, their keys, and zeros up to the next number. */
function blockBytesOf(entries: number): number {
  return Math.ceil((entries * (numberBytes + keyBytes)) / numberBytes) * numberBytes;
}

function blockOf({ entries, keys }: PackedShard): Buffer {
  const block = Buffer.alloc(blockBytesOf(entries.length));
  const numbers = Buffer.from(entries.buffer, entries.byteOffset, entries.byteLength);
  inOrder(numbers).copy(block);
  block.set(keys, numbers.length);
  return block;
}

/** Uses the memory of the block, which begins at a multiple of four. */
function packedIn(block: Buffer, entries: number): PackedShard {
  const keysAt = entries * numberBytes;
  inOrder(block.subarray(0, keysAt));
  return {
    entries: new Uint32Array(block.buffer, block.byteOffset, entries),
    keys: block.subarray(keysAt, keysAt + entries * keyBytes),
  };
}

function tableHeader(): Buffer {
  const header = Buffer.alloc(headerBytes);
  headerMagic.copy(header);
  header.writeUInt16LE(tableVersion, 8);
  return header;
}

interface TablePack {
  packId: string;
  packBytes: number;
  entries: number;
  plainBytes: number;
}

/** What a stored table says beside the blocks. */
interface TableHead {
  packs: Buffer;
  segments: string[];
  /** One for each shard. */
  blocks: { entries: number; offset: number; length: number; sum: Buffer }[];
}

/** Undefined when it is damaged, of another version, or not there: it is a cache. */
async function readHead(backend: Backend, { name, sizeBytes }: ObjectInfo): Promise<TableHead | undefined> {
  const place = { offset: sizeBytes - footerBytes, length: footerBytes };
  if (place.offset < headerBytes) return undefined;
  const header = await fetchObject(backend, name, { offset: 0, length: headerBytes });
  if (!Buffer.isBuffer(header) || !header.equals(tableHeader())) return undefined;
  const footer = await fetchObject(backend, name, place);
  if (!Buffer.isBuffer(footer) || footer.length !== footerBytes) return undefined;
  if (!footer.subarray(56).equals(footerMagic) || footer.readUInt16LE(48) !== tableVersion) return undefined;
  if (crc32(footer.subarray(0, 52)) !== footer.readUInt32LE(52)) return undefined;
  const offset = Number(footer.readBigUInt64LE(0));
  const packCount = footer.readUInt32LE(8);
  const blocksAt = packCount * packRecordBytes;
  const namesAt = blocksAt + shardCount * blockRecordBytes;
  const length = namesAt + footer.readUInt32LE(12);
  if (offset + length !== place.offset) return undefined;
  const head = await fetchObject(backend, name, { offset, length });
  if (!Buffer.isBuffer(head) || !hash('sha256', head, 'buffer').equals(footer.subarray(16, 48)))
    return undefined;
  const packs = head.subarray(0, blocksAt);
  const blocks: TableHead['blocks'] = [];
  let next = headerBytes;
  for (let at = blocksAt; at < namesAt; at += blockRecordBytes) {
    const entries = head.readUInt32LE(at);
    const blockBytes = blockBytesOf(entries);
    blocks.push({ entries, offset: next, length: blockBytes, sum: head.subarray(at + 8, at + 40) });
    next += blockBytes;
  }
  if (next !== offset) return undefined;
  const names = head.toString('utf8', namesAt);
  return { packs, segments: names === '' ? [] : names.split('\n'), blocks };
}

/** One at a time: as objects, those of a large store would take more memory than what is made of them. */
function* packRecords(packs: Buffer): Generator<TablePack> {
  for (let at = 0; at < packs.length; at += packRecordBytes)
    yield {
      packId: packs.toString('hex', at, at + 32),
      packBytes: Number(packs.readBigUInt64LE(at + 32)),
      entries: packs.readUInt32LE(at + 40),
      plainBytes: Number(packs.readBigUInt64LE(at + 48)),
    };
}

/** What is in all shards, checked and in order, in stretches of a bounded size; undefined for one that is damaged. */
async function* readBlocks(
  backend: Backend,
  name: string,
  blocks: TableHead['blocks'],
): AsyncGenerator<{ shard: number; packed: PackedShard | undefined }> {
  async function* stretches() {
    for (let from = 0; from < blocks.length; ) {
      let end = from;
      let bytes = 0;
      for (; end < blocks.length; end++) {
        const { length = 0 } = blocks[end] ?? {};
        if (end > from && bytes + length > fetchBytes) break;
        bytes += length;
      }
      yield { from, end, offset: blocks[from]?.offset ?? 0, length: bytes };
      from = end;
    }
  }
  const fetched = mapOrdered(stretches(), fetchesInFlight, async ({ from, end, offset, length }) => {
    // Numbers are read where they lie, so they must lie at a multiple of four.
    const into = Buffer.from(new ArrayBuffer(length));
    const bytes = length === 0 ? into : await fetchObject(backend, name, { offset, length, into });
    if (!Buffer.isBuffer(bytes) || bytes.length !== length) return { from, end, into, bytes: undefined };
    if (bytes.buffer !== into.buffer || bytes.byteOffset % 4 !== 0) bytes.copy(into);
    return {
      from,
      end,
      into,
      bytes: bytes.buffer === into.buffer && bytes.byteOffset % 4 === 0 ? bytes : into,
    };
  });
  for await (const { from, end, into, bytes } of fetched) {
    let at = 0;
    // Whoever gets a shard is through with it when the next is asked for.
    using _ = { [Symbol.dispose]: () => void into.buffer.transfer(0) };
    for (let shard = from; shard < end; shard++) {
      const { entries = 0, length = 0, sum } = blocks[shard] ?? {};
      const block = bytes?.subarray(at, at + length);
      at += length;
      const isRight = block !== undefined && sum !== undefined && sumOf(block).equals(sum);
      yield { shard, packed: isRight ? packedIn(block, entries) : undefined };
    }
  }
}

const sumOfNothing = hash('sha256', '', 'buffer');

function sumOf(block: Buffer): Buffer {
  return block.length === 0 ? sumOfNothing : hash('sha256', block, 'buffer');
}

/** From the machine's order of bytes to the stored one, or back. */
function inOrder(numbers: Buffer): Buffer {
  return endianness() === 'BE' ? numbers.swap32() : numbers;
}

/**
 * Fills an empty index from a stored table: the numbers of the packs it covers (those to which `isGone` applies are left out) and the
 * segments that need not be read any more. Undefined when anything is wrong with it: the index is of no use then.
 */
export async function loadTable(
  backend: Backend,
  object: ObjectInfo,
  index: ChunkIndex,
  isGone: (packId: string) => boolean,
): Promise<{ packs: Uint32Array; segments: string[] } | undefined> {
  const head = await readHead(backend, object);
  if (head === undefined) return undefined;
  const { segments, blocks } = head;
  const packs = uint32Column();
  for (const { packId, ...rest } of packRecords(head.packs)) {
    const pack = index.packs.number(packId);
    if (index.nextEntry + rest.entries > lastEntry || index.rangeOf(pack) !== undefined) return undefined;
    index.addRange({ pack, ...rest });
    packs.push(pack);
    // Its numbers stay unused: so all others are what the table says.
    if (isGone(packId)) index.removePack(pack);
    else if (index.packs.sizeOf(packId) === undefined) index.packs.setLost(packId);
  }
  const numbers = index.liveEntries();
  const numberOf = (entry: number) => numbers.get(entry);
  for await (const { shard, packed } of readBlocks(backend, object.name, blocks))
    if (packed === undefined || !index.table.fill(shard, packed, numberOf)) return undefined;
  return { packs: packs.numbers, segments };
}

/** Whether all of a stored table is as it was written. */
export async function isTableWhole(backend: Backend, object: ObjectInfo): Promise<boolean> {
  const head = await readHead(backend, object);
  if (head === undefined) return false;
  for await (const { packed } of readBlocks(backend, object.name, head.blocks))
    if (packed === undefined) return false;
  return true;
}
