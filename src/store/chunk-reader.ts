import { directRoom } from '../platform/index.ts';
import type { Backend } from './backend.ts';
import type { ChunkCopy, ChunkIndex } from './chunk-index.ts';
import type { JobResult, UnpackTarget } from './chunk-jobs.ts';
import type { ChunkWorkers } from './chunk-workers.ts';
import { decompressionRoom } from './codec.ts';
import { packName } from './layout.ts';
import { nearRuns } from './near-runs.ts';
import { fetchObject } from './object-access.ts';
import type { PackEntry } from './pack-format.ts';
import type { PackTable } from './pack-table.ts';
import { Slab, type SlabPool, slabEntries } from './slab.ts';
import { maximumChunkSizeBytes } from './store-config.ts';

/** What a codec may add to a content that does not get smaller. Entries that say more are lies, and costly ones. */
const mostFrameOverhead = 1024;

/** Why a chunk cannot be read. */
export interface ChunkDamage {
  kind: 'missing' | 'corrupt';
  chunkId: string;
  pack: string | undefined;
  message: string;
}

export type ChunkResult = { data: Buffer; damage?: never } | { data?: never; damage: ChunkDamage };

/**
 * Reads chunks and lets nothing pass unchecked: CRC of the frame, length, SHA-256 of the content. A copy that fails is
 * marked bad, so that the next writer who meets the content stores it anew; other copies are tried before giving up.
 */
export class ChunkReader {
  readonly #backend: Backend;
  readonly #index: ChunkIndex;
  readonly #packs: PackTable;
  readonly #workers: ChunkWorkers;
  readonly #slabs: SlabPool;

  /** `slabs` take what is fetched; their size is what is fetched in one call when frames lie side by side. */
  constructor(backend: Backend, index: ChunkIndex, packs: PackTable, workers: ChunkWorkers, slabs: SlabPool) {
    this.#backend = backend;
    this.#index = index;
    this.#packs = packs;
    this.#workers = workers;
    this.#slabs = slabs;
  }

  /** Bytes of frames that are fetched in one call. */
  get fetchBytes(): number {
    return this.#slabs.inputBytes;
  }

  /** For each chunk undefined when the index knows a good copy; no content is read. */
  async absences(ids: readonly Uint8Array[], plainLength: number): Promise<(ChunkDamage | undefined)[]> {
    const all = await this.#index.copies(ids);
    return ids.map((id, number) => {
      const copies = all[number] ?? [];
      if (copies.some((copy) => !copy.bad && copy.plainLength === plainLength)) return undefined;
      const [copy] = copies;
      if (copy === undefined) return this.#unknown(id);
      const kind = this.#isPresent(copy) ? 'corrupt' : 'missing';
      return this.#damage(id, copy, kind, 'it was found unreadable before');
    });
  }

  async read(id: Uint8Array, plainLength: number, signal?: AbortSignal): Promise<ChunkResult> {
    let damage = this.#unknown(id);
    // Bad copies come last but do come: they may have been repaired, and content is checked anyway.
    const [copies = []] = await this.#index.copies([id]);
    for (const copy of copies) {
      const result = await this.readCopy(id, copy, plainLength, signal);
      if (result.data !== undefined) {
        if (copy.bad) await this.#recover(copy);
        return result;
      }
      this.#index.markBad(copy);
      damage = result.damage;
    }
    return { damage };
  }

  /** Several chunks of the same length, in order; those that lie side by side in a pack are fetched together. */
  async readMany(
    ids: readonly Uint8Array[],
    plainLength: number,
    signal?: AbortSignal,
  ): Promise<ChunkResult[]> {
    const results = new Array<ChunkResult | undefined>(ids.length);
    const copies = await this.#index.find(ids, plainLength);
    for (let from = 0; from < ids.length; ) {
      const run = adjacentRun(copies, from, this.#slabs.inputBytes);
      if (run.length > 1) {
        const plains = await this.#readRun(ids, from, run, plainLength, signal);
        plains?.forEach((data, number) => {
          results[from + number] = { data };
        });
      }
      from += Math.max(1, run.length);
    }
    return await Promise.all(
      ids.map(async (id, number) => results[number] ?? this.read(id, plainLength, signal)),
    );
  }

  /**
   * As {@link readMany}, but contents are lent: `use` gets a stretch of memory that holds `count` chunks from
   * `ids[first]` on, and once its promise has settled that memory is used again. Stretches come in order, one after
   * the other. Returns the chunks that cannot be read.
   */
  async lendMany(
    ids: readonly Uint8Array[],
    plainLength: number,
    use: (first: number, count: number, data: Buffer) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<{ number: number; damage: ChunkDamage }[]> {
    const damaged: { number: number; damage: ChunkDamage }[] = [];
    const copies = await this.#index.find(ids, plainLength);
    for (let from = 0; from < ids.length; ) {
      const run = adjacentRun(copies, from, this.#slabs.inputBytes);
      const count = Math.max(1, run.length);
      if (run.length === 0 || !(await this.#lendRun(ids, from, run, plainLength, use, signal))) {
        for (let number = from; number < from + count; number++) {
          const { data, damage } = await this.read(ids[number] ?? Buffer.alloc(0), plainLength, signal);
          if (damage === undefined) await use(number, 1, data);
          else damaged.push({ number, damage });
        }
      }
      from += count;
    }
    return damaged;
  }

  /** As {@link lendMany}, for those who only want to know which chunks cannot be read. */
  async check(
    ids: readonly Uint8Array[],
    plainLength: number,
    signal?: AbortSignal,
  ): Promise<{ number: number; damage: ChunkDamage }[]> {
    return await this.lendMany(ids, plainLength, async () => {}, signal);
  }

  /**
   * As {@link lendMany} for chunks that lie here and there: those that lie near each other in a pack are fetched together,
   * with what is between them. `use` gets one chunk at a time, in any order, and is done with it when it returns. Nothing is
   * lent any more once this has settled. The chunks that cannot be read come in the order of `ids`.
   */
  async lendScattered(
    ids: readonly Uint8Array[],
    plainLength: number,
    use: (number: number, data: Buffer) => void,
    signal?: AbortSignal,
  ): Promise<{ number: number; damage: ChunkDamage }[]> {
    const damaged: { number: number; damage: ChunkDamage }[] = [];
    const copies = await this.#index.find(ids, plainLength);
    const limits = {
      bytes: this.#slabs.inputBytes - directRoom(0),
      count: Math.min(slabEntries, Math.max(1, Math.floor(this.#slabs.outputBytes / plainLength))),
    };
    const lendOne = async (number: number) => {
      const { data, damage } = await this.read(ids[number] ?? Buffer.alloc(0), plainLength, signal);
      if (damage === undefined) use(number, data);
      else damaged.push({ number, damage });
    };
    const lendNear = async (run: readonly { number: number; copy: ChunkCopy }[]) => {
      const runIds = run.map(({ number }) => ids[number] ?? Buffer.alloc(0));
      const frames = run.map(({ copy }) => copy);
      const room = decompressionRoom(run.length * plainLength);
      const lent = await this.#fetch(frames, room, signal, async (slab, at) => {
        const { wrong } = await this.#unpack(slab, runIds, frames, { plainLength, at, to: 'output' });
        if (wrong !== undefined) return false;
        for (const [place, { number }] of run.entries())
          use(number, slab.output.subarray(place * plainLength, (place + 1) * plainLength));
        return true;
      });
      if (lent !== true) for (const { number } of run) await lendOne(number);
    };
    const { runs, rest } = nearRuns(copies, limits);
    const work = [...runs.map(lendNear), ...rest.map(lendOne)];
    await Promise.allSettled(work);
    await Promise.all(work);
    return damaged.sort((a, b) => a.number - b.number);
  }

  /** False when anything is wrong, before anything has been lent. */
  async #lendRun(
    ids: readonly Uint8Array[],
    from: number,
    run: readonly ChunkCopy[],
    plainLength: number,
    use: (first: number, count: number, data: Buffer) => Promise<void>,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const runIds = ids.slice(from, from + run.length);
    const contentBytes = run.length * plainLength;
    const lent = await this.#fetch(run, decompressionRoom(contentBytes), signal, async (slab, at) => {
      const { wrong } = await this.#unpack(slab, runIds, run, { plainLength, at, to: 'output' });
      if (wrong !== undefined) return false;
      await use(from, run.length, slab.output.subarray(0, contentBytes));
      return true;
    });
    return lent === true;
  }

  /** The fast way for sound data: undefined as soon as anything is wrong, for the careful way to find out what. */
  async #readRun(
    ids: readonly Uint8Array[],
    from: number,
    run: readonly ChunkCopy[],
    plainLength: number,
    signal: AbortSignal | undefined,
  ): Promise<Buffer[] | undefined> {
    const runIds = ids.slice(from, from + run.length);
    const read = await this.#fetchPlain(runIds, run, plainLength, signal);
    if (read === undefined || typeof read === 'string' || read.plain === undefined) return undefined;
    const plain = bufferOn(read.plain);
    return run.map((_, number) => plain.subarray(number * plainLength, (number + 1) * plainLength));
  }

  /**
   * What is wrong with each of some frames that follow each other in a pack, all of one content length; undefined where
   * sound. Undefined altogether when there is no such pack. Marks are left as they are.
   */
  async checkFrames(
    packId: string,
    run: readonly PackEntry[],
    signal?: AbortSignal,
  ): Promise<(string | undefined)[] | undefined> {
    const pack = this.#packs.number(packId);
    const copies = run.map((entry) => ({ ...entry, entry: -1, pack, bad: false }));
    const [first] = run;
    if (first === undefined) return [];
    const ids = run.map(({ id }) => id);
    const { plainLength } = first;
    const read = await this.#fetch(copies, 0, signal, (slab, at) =>
      this.#unpack(slab, ids, copies, { plainLength, at, to: 'nowhere' }),
    );
    if (read === undefined) return undefined;
    const wrong = typeof read === 'string' ? read : read.wrong;
    if (wrong === undefined) return run.map(() => undefined);
    if (run.length === 1) return [wrong];
    const found: (string | undefined)[] = [];
    for (const entry of run) {
      const alone = await this.checkFrames(packId, [entry], signal);
      if (alone === undefined) return undefined;
      found.push(alone[0]);
    }
    return found;
  }

  /** One copy, whatever is known of it; its mark is left as it is. */
  async readCopy(
    id: Uint8Array,
    copy: ChunkCopy,
    plainLength: number,
    signal: AbortSignal | undefined,
  ): Promise<ChunkResult> {
    const corrupt = (why: string) => ({ damage: this.#damage(id, copy, 'corrupt', why) });
    if (copy.plainLength !== plainLength) return corrupt('its content is not what its id says');
    if (copy.storedLength > plainLength + mostFrameOverhead)
      return corrupt('it is stored in more bytes than any frame of such content takes');
    const read = await this.#fetchPlain([id], [copy], plainLength, signal);
    if (read === undefined) {
      this.#losePack(copy);
      return { damage: this.#damage(id, copy, 'missing', 'the pack is missing') };
    }
    if (typeof read === 'string') return corrupt(read);
    if (read.plain === undefined) return corrupt(read.wrong ?? 'it cannot be read');
    return { data: bufferOn(read.plain) };
  }

  /** What is wrong with a frame that has been fetched already; undefined when its content is what the entry says. */
  async checkFrame(entry: PackEntry, stored: Buffer): Promise<string | undefined> {
    if (stored.length !== entry.storedLength) return 'the pack is too short';
    if (entry.plainLength > maximumChunkSizeBytes) return 'no chunk has so much content';
    const check = async (slab: Slab) => {
      slab.input.set(stored);
      return await this.#unpack(slab, [entry.id], [{ ...entry, offset: 0 }], {
        plainLength: entry.plainLength,
        at: 0,
        to: 'nowhere',
      });
    };
    const { wrong } =
      stored.length > this.#slabs.inputBytes
        ? await check(Slab.allocate(stored.length, 0))
        : await this.#slabs.use(check);
    return wrong;
  }

  /** Neighbours in a pack, fetched and unpacked: contents in one stretch. Undefined without the pack; text: why not. */
  async #fetchPlain(
    ids: readonly Uint8Array[],
    run: readonly ChunkCopy[],
    plainLength: number,
    signal: AbortSignal | undefined,
  ): Promise<JobResult | undefined | string> {
    return await this.#fetch(run, 0, signal, (slab, at) =>
      this.#unpack(slab, ids, run, { plainLength, at, to: 'caller' }),
    );
  }

  /**
   * Brings the stored bytes of ascending frames of a pack, and what is between them, into a slab's input, from `at` on, for
   * `use`. The slab has room for `outputBytes`. Undefined without the pack; text: why not.
   */
  async #fetch<T>(
    run: readonly ChunkCopy[],
    outputBytes: number,
    signal: AbortSignal | undefined,
    use: (slab: Slab, at: number) => Promise<T>,
  ): Promise<T | undefined | string> {
    const [first] = run;
    if (first === undefined) throw new RangeError('nothing to fetch');
    const { offset } = first;
    const last = run.at(-1) ?? first;
    const length = last.offset + last.storedLength - offset;
    const name = packName(this.#packs.id(first.pack));
    const fetchInto = async (slab: Slab) => {
      const into = slab.input;
      const fetched = await fetchObject(this.#backend, name, { offset, length, into, signal });
      if (!Buffer.isBuffer(fetched)) return fetched;
      if (fetched.length !== length) return 'the pack is too short';
      const isInPlace = fetched.buffer === into.buffer;
      if (!isInPlace) into.set(fetched);
      return await use(slab, isInPlace ? fetched.byteOffset - into.byteOffset : 0);
    };
    // Only a store written with larger chunks than this one's has frames that no slab takes.
    return length > this.#slabs.inputBytes || outputBytes > this.#slabs.outputBytes
      ? await fetchInto(Slab.allocate(length, outputBytes))
      : await this.#slabs.use(fetchInto);
  }

  /** The frames' stored bytes lie in the slab's input from `at` on as they do in the pack. */
  #unpack(
    slab: Slab,
    ids: readonly Uint8Array[],
    run: readonly Pick<PackEntry, 'codec' | 'offset' | 'storedLength' | 'crc'>[],
    { plainLength, at, to }: { plainLength: number; at: number; to: UnpackTarget },
  ): Promise<JobResult> {
    const start = (run[0]?.offset ?? 0) - at;
    run.forEach(({ codec, offset, storedLength, crc }, number) => {
      slab.setFrame(number, { codec, offset: offset - start, length: storedLength, crc });
      slab.setId(number, ids[number] ?? Buffer.alloc(0));
    });
    return this.#workers.run(slab, { kind: 'unpack', count: run.length, plainBytes: plainLength, to });
  }

  /** What else was in a missing pack is gone too: no writer may take it for stored. */
  #losePack({ pack }: ChunkCopy): void {
    if (this.#isPresent({ pack })) this.#packs.setLost(this.#packs.id(pack));
  }

  /** A copy that was bad has just been read: somebody has brought its pack back, or the medium thinks better of it. */
  async #recover(copy: ChunkCopy): Promise<void> {
    this.#index.markGood(copy);
    const packId = this.#packs.id(copy.pack);
    if (copy.offset + copy.storedLength <= (this.#packs.sizeOf(packId) ?? 0)) return;
    const pack = await this.#backend.stat(packName(packId));
    if (pack !== undefined) this.#packs.setPresent(packId, pack.sizeBytes);
  }

  #isPresent({ pack }: Pick<ChunkCopy, 'pack'>): boolean {
    return this.#packs.sizeOf(this.#packs.id(pack)) !== undefined;
  }

  #unknown(id: Uint8Array): ChunkDamage {
    const chunkId = hexOf(id);
    const unreadable = [...this.#packs.unreadable].map(([pack, why]) => `${pack}: ${why}`);
    const hint =
      unreadable.length === 0 ? '' : `; it may be in an unreadable pack (${unreadable.join('; ')})`;
    return {
      kind: 'missing',
      chunkId,
      pack: this.#packs.unreadable.keys().next().value,
      message: `chunk ${chunkId} is in no pack${hint}`,
    };
  }

  #damage(id: Uint8Array, copy: ChunkCopy, kind: ChunkDamage['kind'], why: string): ChunkDamage {
    const pack = this.#packs.id(copy.pack);
    return { kind, chunkId: hexOf(id), pack, message: `chunk ${hexOf(id)} in pack ${pack}: ${why}` };
  }
}

/** The longest run from `from` of copies that follow each other in one pack. */
function adjacentRun(
  copies: readonly (ChunkCopy | undefined)[],
  from: number,
  mostBytes: number,
): ChunkCopy[] {
  const run: ChunkCopy[] = [];
  let bytes = 0;
  for (let number = from; number < copies.length; number++) {
    const copy = copies[number];
    const before = run.at(-1);
    if (copy === undefined || run.length === slabEntries || bytes + copy.storedLength > mostBytes) break;
    if (before !== undefined) {
      if (copy.pack !== before.pack || copy.offset !== before.offset + before.storedLength) break;
    }
    run.push(copy);
    bytes += copy.storedLength;
  }
  return run;
}

function bufferOn(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function hexOf(id: Uint8Array): string {
  return Buffer.from(id).toString('hex');
}
