/**
 * The store's index by itself, with packs that are made up as they are asked for, in a process of its own. Prints what it
 * measured as JSON.
 *
 *   build DIRECTORY PACKS   enters packs of 500 chunks with random ids, and writes the index's table
 *   open DIRECTORY PACKS    opens the index from it and looks chunks up
 *   rebuild DIRECTORY PACKS opens a store of which packs alone are left, as if index and table were lost
 */
import { createCipheriv, randomFillSync } from 'node:crypto';
import { openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Backend } from '../src/store/backend.ts';
import { fileSystemBackend } from '../src/store/backends/file-system.ts';
import { ChunkIndex } from '../src/store/chunk-index.ts';
import { IndexTables } from '../src/store/index-tables.ts';
import { indexPrefix, packIdOf, packName, packPrefix, tablePrefix } from '../src/store/layout.ts';
import { loadIndex } from '../src/store/load-index.ts';
import {
  encodeFooter,
  packEntryBytes,
  packFooterBytes,
  packHeaderBytes,
  packIdOfTrailer,
} from '../src/store/pack-format.ts';
import { PackIds } from '../src/store/pack-ids.ts';
import { PackTable } from '../src/store/pack-table.ts';
import { PackTrailers } from '../src/store/pack-trailers.ts';
import { Quarantine } from '../src/store/verify/quarantine.ts';

const chunksInPack = 500;
const chunkBytes = 65_536;
const storedBytes = 30_000;
const trailerBytes = chunksInPack * packEntryBytes;
const packBytes = packHeaderBytes + chunksInPack * storedBytes + trailerBytes + packFooterBytes;
/** Asked of the index at once: a page of a map. */
const batch = 256;
const idBytes = 32;
const noIds = Buffer.alloc(chunksInPack * idBytes);

/** The ids of a pack follow from its number alone. */
function idsOf(pack: number): Buffer {
  const start = Buffer.alloc(16);
  start.writeUInt32LE(pack, 0);
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), start).update(noIds);
}

/** What the bench makes up must not look like the index's memory, so it does not wait for the garbage collector. */
function free({ buffer, length }: Buffer): void {
  // Small ones share a piece of Node's, which is not to be had.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0);
}

function trailerOf(pack: number, trailer: Buffer = Buffer.alloc(trailerBytes)): Buffer {
  const ids = idsOf(pack);
  for (let entry = 0; entry < chunksInPack; entry++) {
    const at = entry * packEntryBytes;
    ids.copy(trailer, at, entry * idBytes, (entry + 1) * idBytes);
    trailer[at + 32] = 1;
    trailer.writeUInt32LE(packHeaderBytes + entry * storedBytes, at + 40);
    trailer.writeUInt32LE(storedBytes, at + 48);
    trailer.writeUInt32LE(chunkBytes, at + 52);
  }
  free(ids);
  return trailer;
}

const footerOffset = packBytes - packFooterBytes;
const trailerOffset = footerOffset - trailerBytes;

/** Names of the packs that are made up, in the order of their numbers. */
function* packIdsIn(directory: string): Generator<string> {
  const packIds = readFileSync(join(directory, 'packs'));
  for (let at = 0; at < packIds.length; at += idBytes) yield packIds.toString('hex', at, at + idBytes);
  free(packIds);
}

/** A store of which only index and table are there; of the packs there are the tables of contents and the footers. */
function madeUpStore(directory: string, numberOf: (packId: string) => number): Backend {
  const files = fileSystemBackend(join(directory, 'store'));
  return {
    ...files,
    async *list(prefix) {
      if (prefix !== packPrefix) yield* files.list(prefix);
      else for (const packId of packIdsIn(directory)) yield { name: packName(packId), sizeBytes: packBytes };
    },
    async get(name, range) {
      const packId = packIdOf(name);
      if (packId === undefined) return await files.get(name, range);
      await setImmediate(); // as if it were read
      const number = numberOf(packId);
      if (range?.offset === trailerOffset && range.length === trailerBytes)
        return trailerOf(number, range.into);
      if (range?.offset !== footerOffset || range.length !== packFooterBytes)
        throw new Error(`only tables of contents and footers are there to be read, not ${name}`);
      const trailer = trailerOf(number);
      const footer = encodeFooter(trailerOffset, trailer);
      free(trailer);
      return footer;
    },
  };
}

/** The same when all but the packs is lost. Segments can be written, and are only counted. */
function strippedStore(directory: string): { backend: Backend; written: { bytes: number } } {
  const numbers = new PackIds();
  for (const packId of packIdsIn(directory)) numbers.number(packId);
  const backend = madeUpStore(directory, (packId) => numbers.number(packId));
  const written = { bytes: 0 };
  return {
    written,
    backend: {
      ...backend,
      list: (prefix) =>
        prefix === indexPrefix || prefix === tablePrefix ? (async function* () {})() : backend.list(prefix),
      async put(name, parts) {
        if (!name.startsWith(indexPrefix)) throw new Error(`${name} is not to be written`);
        for await (const part of parts) written.bytes += part.length;
      },
    },
  };
}

/** Processor time of this process: what others do on the machine hardly minds it. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

const mib = (bytes: number) => Math.round(bytes / 2 ** 20);

async function build(directory: string, packCount: number) {
  const files = fileSystemBackend(join(directory, 'store'));
  await using _ = await files.lock({ create: true });
  const packs = new PackTable();
  const index = new ChunkIndex(packs, new PackTrailers(files, packs), new Quarantine(files));
  const list = openSync(join(directory, 'packs'), 'w');
  let insertSeconds = 0;
  for (let pack = 0; pack < packCount; pack++) {
    const trailer = trailerOf(pack);
    const packId = packIdOfTrailer(trailer);
    writeSync(list, Buffer.from(packId, 'hex'));
    const begun = cpuSeconds();
    packs.setPresent(packId, packBytes);
    index.addPack({ packId, packBytes, trailer });
    insertSeconds += cpuSeconds() - begun;
    free(trailer);
    if (pack % 1000 === 0) await setImmediate();
  }
  const chunks = packCount * chunksInPack;
  const grownRssMib = mib(process.memoryUsage.rss());
  const begun = performance.now();
  await new IndexTables(files, index, { names: [], packs: new Uint32Array(), chunks: 0 }).save(
    new Set(),
    () => false,
  );
  return {
    insertsPerSecond: Math.round(chunks / insertSeconds),
    tableBytesPerChunk: index.table.bytes / chunks,
    grownRssMib,
    saveSeconds: (performance.now() - begun) / 1000,
  };
}

async function open(directory: string, packCount: number) {
  let table: PackTable | undefined;
  // The index numbers packs in the order in which they were made up.
  const backend = madeUpStore(directory, (packId) => table?.number(packId) ?? -1);
  const emptyRssMib = mib(process.memoryUsage.rss());
  const begun = performance.now();
  const begunCpu = cpuSeconds();
  const { index, tables } = await loadIndex(backend, new Quarantine(backend));
  const openSeconds = (performance.now() - begun) / 1000;
  table = index.packs;
  if (tables.packs.length !== packCount) throw new Error('the table was not used');
  const measured = {
    openSeconds,
    openCpuSeconds: cpuSeconds() - begunCpu,
    emptyRssMib,
    openRssMib: mib(process.memoryUsage.rss()),
    tableBytesPerChunk: index.table.bytes / index.chunks,
  };
  const inOrder = await lookUp(index, true, function* () {
    for (let pack = 0; ; pack = (pack + 1) % packCount) {
      const ids = idsOf(pack);
      yield* batchesOf(ids);
      free(ids);
    }
  });
  const scattered = await lookUp(index, true, function* () {
    for (;;)
      yield Array.from({ length: batch }, () => {
        const at = Math.floor(Math.random() * chunksInPack) * idBytes;
        const ids = idsOf(Math.floor(Math.random() * packCount));
        const id = Uint8Array.from(ids.subarray(at, at + idBytes));
        free(ids);
        return id;
      });
  });
  const misses = await lookUp(index, false, function* () {
    const ids = Buffer.alloc(batch * idBytes);
    for (;;) yield* batchesOf(randomFillSync(ids));
  });
  const rssMib = mib(process.memoryUsage.rss());
  const peakRssMib = Math.round(process.resourceUsage().maxRSS / 1024);
  return { ...measured, inOrder, scattered, misses, rssMib, peakRssMib };
}

async function rebuild(directory: string, packCount: number) {
  const { backend, written } = strippedStore(directory);
  const begun = performance.now();
  const begunCpu = cpuSeconds();
  const { index } = await loadIndex(backend, new Quarantine(backend));
  const measured = {
    seconds: (performance.now() - begun) / 1000,
    cpuSeconds: cpuSeconds() - begunCpu,
    rssMib: mib(process.memoryUsage.rss()),
    peakRssMib: Math.round(process.resourceUsage().maxRSS / 1024),
    segmentBytes: written.bytes,
  };
  if (index.chunks !== packCount * chunksInPack) throw new Error('not all packs were taken in');
  const found = await index.find([...batchesOf(idsOf(packCount - 1))].flat(), chunkBytes);
  if (found.length !== chunksInPack || found.includes(undefined)) throw new Error('a look-up was wrong');
  return { ...measured, makingSeconds: makingSecondsOf(packCount) };
}

/** Processor time that making up what a rebuild reads takes: a footer and a table of contents for each pack. */
function makingSecondsOf(packCount: number): number {
  const sample = Math.min(packCount, 2000);
  const begun = cpuSeconds();
  for (let pack = 0; pack < sample; pack++) {
    const trailer = trailerOf(pack);
    encodeFooter(trailerOffset, trailer);
    free(trailer);
    free(trailerOf(pack));
  }
  return ((cpuSeconds() - begun) * packCount) / sample;
}

function* batchesOf(ids: Buffer): Generator<Buffer[]> {
  for (let from = 0; from < ids.length; from += batch * idBytes) {
    const end = Math.min(ids.length, from + batch * idBytes);
    const found: Buffer[] = [];
    for (let at = from; at < end; at += idBytes) found.push(ids.subarray(at, at + idBytes));
    yield found;
  }
}

/** For three seconds of looking up; making the ids does not count. */
async function lookUp(index: ChunkIndex, isThere: boolean, makeBatches: () => Generator<Uint8Array[]>) {
  const loadsBefore = index.trailers.loads;
  let seconds = 0;
  let count = 0;
  for (const ids of makeBatches()) {
    const begun = cpuSeconds();
    const copies = await index.find(ids, chunkBytes);
    seconds += cpuSeconds() - begun;
    count += ids.length;
    if (copies.some((copy) => (copy !== undefined) !== isThere)) throw new Error('a look-up was wrong');
    if (seconds > 3) break;
  }
  const loads = index.trailers.loads - loadsBefore;
  return { perSecond: Math.round(count / seconds), count, trailersRead: loads };
}

const [, , operation, directory = '', packCount = ''] = process.argv;
if (operation === 'build') console.log(JSON.stringify(await build(directory, Number(packCount))));
else if (operation === 'open') console.log(JSON.stringify(await open(directory, Number(packCount))));
else if (operation === 'rebuild') console.log(JSON.stringify(await rebuild(directory, Number(packCount))));
else throw new Error(`not an operation: ${operation}`);
