import { HoldfastError } from '../errors/index.ts';
import { ChunkWriter } from './chunk-writer.ts';
import { damagedDiskError } from './disk-map.ts';
import { writeDisk } from './disk-writer.ts';
import { pointName } from './layout.ts';
import { PackWriter } from './pack-writer.ts';
import { encodePoint } from './point-records.ts';
import type { PointWriter } from './store.ts';
import type { StoreState } from './store-state.ts';
import type { CommitOptions, DiskRoot, PointRecord, WriteDiskRequest, WrittenDisk } from './types.ts';
import type { WriterUse } from './uses.ts';
import { mayLackContent } from './verify/unhealed.ts';
import { checkDisk, findMissing } from './verify-point.ts';

/**
 * One recovery point on its way into the store. A disk that could not be written fails the whole point: other disks of
 * it may count on chunks that the failed one was about to write.
 */
export class StorePointWriter implements PointWriter {
  readonly #state: StoreState;
  readonly #itemId: string;
  readonly #pointId: string;
  readonly #packs: PackWriter;
  readonly #chunks: ChunkWriter;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #disks = new Set<Promise<unknown>>();
  /** Disks written here, all of whose chunks this writer has met, and what each was written upon. */
  readonly #written: { disk: DiskRoot; base: DiskRoot | undefined }[] = [];
  #committing: Promise<PointRecord> | undefined;
  #giving: Promise<void> | undefined;
  #recordAttempted = false;
  #failure: { error: unknown } | undefined;
  #finished = false;
  readonly #onFinish: () => void;
  readonly #use: WriterUse;
  readonly #removalsAtBegin: number;

  /** The point's id must have been reserved; `onFinish` is called once the writer is through with the store. */
  constructor(
    state: StoreState,
    point: { itemId: string; pointId: string; signal?: AbortSignal | undefined },
    onFinish: () => void,
  ) {
    this.#state = state;
    this.#itemId = point.itemId;
    this.#pointId = point.pointId;
    const { sink, settings, index, workers, keys } = state;
    this.#use = state.uses.beginWriter();
    this.#removalsAtBegin = state.removals;
    this.#packs = new PackWriter(sink, settings.packTargetBytes, this.#use.wrote);
    this.#chunks = new ChunkWriter(index, workers, settings, this.#packs, keys?.content);
    const signals = [this.#stop.signal, settings.lost];
    this.#signal = AbortSignal.any(point.signal ? [point.signal, ...signals] : signals);
    this.#onFinish = onFinish;
  }

  async writeDisk(request: WriteDiskRequest): Promise<WrittenDisk> {
    this.#throwIfUnusable();
    if (this.#committing !== undefined)
      throw new Error('a disk cannot be added while the point is committed');
    const signal = request.signal ? AbortSignal.any([request.signal, this.#signal]) : this.#signal;
    signal.throwIfAborted();
    const { reader, config, windows } = this.#state;
    const write = async () => {
      if (request.base !== undefined) await this.#holdBase(request.base, signal);
      return await writeDisk(request, {
        chunkSizeBytes: config.chunkSizeBytes,
        windows,
        reader,
        writer: this.#chunks,
        signal,
      });
    };
    const written = write();
    this.#disks.add(written);
    try {
      const result = await written;
      this.#written.push({ disk: result.disk, base: request.base });
      return result;
    } catch (error) {
      this.#failure ??= { error };
      throw error;
    } finally {
      this.#disks.delete(written);
    }
  }

  async commit(
    point: Omit<PointRecord, 'pointId' | 'itemId'>,
    options: CommitOptions = {},
  ): Promise<PointRecord> {
    this.#throwIfUnusable();
    this.#signal.throwIfAborted();
    if (this.#committing !== undefined) throw new Error('commit was called before');
    if (this.#disks.size > 0) throw new Error('commit while a disk is still being written');
    const { createdAt, disks, metadata, copyOf } = point;
    const record = {
      pointId: this.#pointId,
      itemId: this.#itemId,
      createdAt,
      disks,
      metadata,
      ...(copyOf === undefined ? {} : { copyOf }),
    };
    const bytes = encodePoint(record, this.#state.documents);
    this.#committing = this.#complete(record, bytes, options);
    return await this.#committing;
  }

  async #complete(record: PointRecord, bytes: Buffer, options: CommitOptions): Promise<PointRecord> {
    try {
      await this.#packs.flush();
      await this.#state.saveIndex();
      await this.#checkComplete(record);
      await this.#readBack(record, options);
      this.#signal.throwIfAborted();
      await this.#putRecord(bytes);
    } catch (error) {
      this.#failure ??= { error };
      throw error;
    }
    this.#finished = true;
    this.#state.known.add(record.itemId, record.pointId);
    this.#state.known.note(record);
    this.#use.end();
    this.#onFinish();
    return record;
  }

  /** The writer's owner and a closing store may both call it; each gets the same end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#giving ??= this.#giveUp();
    await this.#giving;
  }

  async #giveUp(): Promise<void> {
    if (this.#finished) return;
    this.#stop.abort(new Error('the point has been given up'));
    // Whoever closes the store gives up its lock next: nothing may still be on its way to the backend then.
    await Promise.allSettled([...this.#disks, this.#committing]);
    if (this.#finished) return;
    this.#finished = true;
    await this.#packs.discard();
    // A put of the record that failed may have succeeded all the same: whoever wants the id next looks.
    if (this.#recordAttempted) this.#state.doubtful.add(this.#pointId);
    else this.#state.points.delete(this.#pointId);
    this.#use.end();
    this.#onFinish();
  }

  async #putRecord(bytes: Buffer): Promise<void> {
    const name = pointName(this.#itemId, this.#pointId);
    this.#recordAttempted = true;
    if ((await this.#state.backend.stat(name)) !== undefined)
      throw new HoldfastError('RecoveryPointExists', `${name} exists already; it is not overwritten.`, {
        target: this.#pointId,
      });
    await this.#state.backend.put(name, [bytes]);
  }

  /**
   * What a writer relies on stays while it is open (`Uses`), so what it met is there, unless a copy has turned out to
   * be bad and there is no other. Then every reference is looked up, those taken over from a base included; and also when a collection has
   * deleted anything meanwhile, for a mistake there must not be found by a restore. So is a disk that neither this
   * writer nor a known point vouches for.
   */
  async #checkComplete({ disks }: PointRecord): Promise<void> {
    const { index, quarantine, reader, removals, known } = this.#state;
    const isSuspect = (await mayLackContent(index, quarantine)) || removals !== this.#removalsAtBegin;
    for (const { disk } of disks) {
      if (disk.root === undefined) continue;
      this.#use.hold(disk);
      const [root] = await index.find([Buffer.from(disk.root, 'hex')]);
      const isVouchedFor =
        this.#written.some(({ disk: each }) => each.root === disk.root) || known.isRoot(disk.root);
      if (root !== undefined && isVouchedFor && !isSuspect) continue;
      const missing = await findMissing(disk, reader, this.#signal);
      if (missing !== undefined) throw damagedDiskError(missing);
    }
  }

  /** Before the record: a point that cannot be read back never exists. */
  async #readBack({ disks }: PointRecord, { readBack, onReadBack }: CommitOptions): Promise<void> {
    if (readBack === undefined) return;
    let bytes = 0;
    for (const { disk } of disks) {
      const written = this.#written.find(({ disk: each }) => each.root === disk.root);
      const base = readBack === 'all' ? undefined : written?.base;
      await checkDisk({ disk, base }, this.#state.reader, {
        onProgress: (more) => {
          bytes += more;
          onReadBack?.(bytes);
        },
        signal: this.#signal,
      });
    }
  }

  /**
   * From here on nothing under the base goes, even when its point does. The root of a point that went before may have
   * lost something already, which the root's being there does not tell: unless the point is known, all of it is looked up.
   */
  async #holdBase(base: DiskRoot, signal: AbortSignal): Promise<void> {
    if (base.root === undefined) return;
    this.#use.hold(base);
    if (this.#state.known.isRoot(base.root)) return;
    const missing = await findMissing(base, this.#state.reader, signal);
    if (missing !== undefined) throw damagedDiskError(missing);
  }

  #throwIfUnusable(): void {
    this.#state.throwIfClosed();
    if (this.#failure !== undefined)
      throw new Error('the point has failed before and cannot be completed', { cause: this.#failure.error });
    if (this.#finished) throw new Error('the point has been finished');
  }
}
