import { hash } from 'node:crypto';
import { endianness } from 'node:os';
import { crc32 } from 'node:zlib';
import type { Backend, ObjectInfo } from './backend.ts';
import type { ChunkIndex, PackRange } from './chunk-index.ts';
import { EntryMap, type EntryStretch } from './entry-map.ts';
import { lastEntry, shardCount } from './fingerprint-table.ts';
import { mapOrdered } from './map-ordered.ts';
import { fetchObject } from './object-access.ts';

/** Byte layout of stored index tables; `docs/store-format.md` has it in words. */
const tableVersion = 1;
const headerMagic = Buffer.from('HFTABLE\n', 'latin1');
const footerMagic = Buffer.from('HFTBEND\n', 'latin1');
const headerBytes = 16;
const packRecordBytes = 64;
const blockRecordBytes = 40;
const footerBytes = 64;
const slotBytes = 8;

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
  const ranges: PackRange[] = [];
  const stretches: EntryStretch[] = [];
  let total = 0;
  for (const range of index.ranges()) {
    if (!isIn(index.packs.id(range.pack))) continue;
    ranges.push(range);
    stretches.push({ first: range.first, entries: range.entries, to: total });
    total += range.entries;
  }
  const numbers = new EntryMap(stretches, index.nextEntry);
  const numberOf = (entry: number) => numbers.get(entry);
  yield tableHeader();
  const blocks = Buffer.alloc(shardCount * blockRecordBytes);
  let at = headerBytes;
  for (let shard = 0; shard < shardCount; shard++) {
    const slots = index.table.packed(shard, numberOf);
    const block = inOrder(Buffer.from(slots.buffer, slots.byteOffset, slots.byteLength));
    blocks.writeUInt32LE(slots.length / 2, shard * blockRecordBytes);
    sumOf(block).copy(blocks, shard * blockRecordBytes + 8);
    at += block.length;
    if (block.length > 0) yield block;
  }
  const packs = Buffer.alloc(ranges.length * packRecordBytes);
  for (const [number, range] of ranges.entries()) {
    if (index.rangeOf(range.pack) !== range) throw new StaleTable();
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
  footer.writeUInt32LE(ranges.length, 8);
  footer.writeUInt32LE(names.length, 12);
  hash('sha256', head, 'buffer').copy(footer, 16);
  footer.writeUInt16LE(tableVersion, 48);
  footer.writeUInt32LE(crc32(footer.subarray(0, 52)), 52);
  footerMagic.copy(footer, 56);
  yield footer;
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

/** What a stored table says beside the slots. */
interface TableHead {
  packs: Buffer;
  segments: string[];
  /** Slots of each shard, and where they are. */
  blocks: { offset: number; length: number; sum: Buffer }[];
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
    const blockBytes = head.readUInt32LE(at) * slotBytes;
    blocks.push({ offset: next, length: blockBytes, sum: head.subarray(at + 8, at + 40) });
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

/** Checked slots of all shards in order, in stretches of a bounded size; undefined for one that is damaged. */
async function* readBlocks(
  backend: Backend,
  name: string,
  blocks: TableHead['blocks'],
): AsyncGenerator<{ shard: number; slots: Uint32Array | undefined }> {
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
    // Whoever gets the slots is through with them when the next are asked for.
    using _ = { [Symbol.dispose]: () => void into.buffer.transfer(0) };
    for (let shard = from; shard < end; shard++) {
      const { length = 0, sum } = blocks[shard] ?? {};
      const block = bytes?.subarray(at, at + length);
      at += length;
      const isRight = block !== undefined && sum !== undefined && sumOf(block).equals(sum);
      if (isRight) inOrder(block);
      const slots = isRight ? new Uint32Array(block.buffer, block.byteOffset, length / 4) : undefined;
      yield { shard, slots };
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
 * Fills an empty index from a stored table: the packs it covers (those to which `isGone` applies are left out) and the
 * segments that need not be read any more. Undefined when anything is wrong with it: the index is of no use then.
 */
export async function loadTable(
  backend: Backend,
  object: ObjectInfo,
  index: ChunkIndex,
  isGone: (packId: string) => boolean,
): Promise<{ packIds: string[]; segments: string[] } | undefined> {
  const head = await readHead(backend, object);
  if (head === undefined) return undefined;
  const { packs, segments, blocks } = head;
  const packIds: string[] = [];
  for (const { packId, ...rest } of packRecords(packs)) {
    const pack = index.packs.number(packId);
    if (index.nextEntry + rest.entries > lastEntry || index.rangeOf(pack) !== undefined) return undefined;
    index.addRange({ pack, ...rest });
    packIds.push(index.packs.id(pack)); // the string that is kept already
    // Its numbers stay unused: so all others are what the table says.
    if (isGone(packId)) index.removePack(pack);
    else if (index.packs.sizeOf(packId) === undefined) index.packs.setLost(packId);
  }
  const numbers = index.liveEntries();
  const numberOf = (entry: number) => numbers.get(entry);
  for await (const { shard, slots } of readBlocks(backend, object.name, blocks))
    if (slots === undefined || !index.table.fill(shard, slots, numberOf)) return undefined;
  return { packIds, segments };
}

/** Whether all of a stored table is as it was written. */
export async function isTableWhole(backend: Backend, object: ObjectInfo): Promise<boolean> {
  const head = await readHead(backend, object);
  if (head === undefined) return false;
  for await (const { slots } of readBlocks(backend, object.name, head.blocks))
    if (slots === undefined) return false;
  return true;
}
