import {
  deleteGonePoints,
  listPlaces,
  noteInReplica,
  type ReplicaRow,
  updatePoint,
  updateReplica,
  type VaultRow,
} from '../catalog/index.ts';
import { HoldfastError, isHoldfastError, messageOf } from '../errors/index.ts';
import { pointsToCopy, pointsToRemove } from '../protection/index.ts';
import { baseForCopy, copyPoint, type PointRecord, type Store } from '../store/index.ts';
import type { RunningTask } from './job-context.ts';
import { createPace } from './pace.ts';
import { createProgressSum, type ProgressSum } from './progress.ts';
import { missingInReplica, retentionOf, ruleViewOf } from './replica-state.ts';
import type { Workshop } from './workshop.ts';

/** A replication that goes on finding new points ends after so many looks; the next one goes on. */
const mostRounds = 100;

/** What one collection condemns, a later one removes. */
const collectEveryHours = 24;

/** What the two stores have, as of the last look; of the replica also what has been copied since. */
interface Seen {
  source: PointRecord[];
  /** Records of the source that cannot be read. */
  damaged: number;
  target: PointRecord[];
}

/** One replication at work: copies what the replica lacks, then removes from it what is over. */
export class Replication {
  readonly failed: { pointId: string; error: HoldfastError }[] = [];
  copied = 0;
  readonly #workshop: Workshop;
  readonly #replica: ReplicaRow;
  readonly #signal: AbortSignal;
  #stores: { source: Store; target: Store } | undefined;
  /** Points that the replica should have had, by the catalog, and had not. */
  #lost = 0;
  #seen: Seen = { source: [], damaged: 0, target: [] };

  constructor(workshop: Workshop, replica: ReplicaRow, signal: AbortSignal) {
    this.#workshop = workshop;
    this.#replica = replica;
    this.#signal = signal;
  }

  /** @throws what opening either store throws */
  async open(vault: VaultRow): Promise<void> {
    const { estate } = this.#workshop;
    const [source, target] = await Promise.all([estate.store(vault), estate.replica(this.#replica)]);
    this.#stores = { source, target };
    await this.#look();
  }

  /** Copies what the replica lacks, and what comes to the vault meanwhile. Trouble with one point leaves the others. */
  async copyMissing(task: RunningTask): Promise<void> {
    const { clock, db } = this.#workshop;
    const progress = createProgressSum(() => clock.monotonicMs());
    task.reportProgress(() => progress.snapshot());
    const bytesPerSecond = this.#replica.bytes_per_second;
    const pace = bytesPerSecond === null ? undefined : createPace(bytesPerSecond, clock);
    let totalBytes = 0;
    for (let round = 0; round < mostRounds; round++) {
      const { source, target } = this.#seen;
      const failed = new Set(this.failed.map(({ pointId }) => pointId));
      const wanted = pointsToCopy(
        source.map(ruleViewOf),
        target.map(ruleViewOf),
        retentionOf(this.#replica),
        clock.now(),
      ).flatMap(({ record }) => (failed.has(record.pointId) ? [] : [record]));
      totalBytes += await this.#bytesToRead(wanted);
      progress.setTotal(totalBytes);
      for (const [number, point] of wanted.entries()) {
        await task.say(
          `recovery point ${number + 1} of ${wanted.length}: ${machineOf(point)}, ${point.createdAt}`,
        );
        await this.#copy(point, progress, pace);
      }
      const skip = new Set([...failed, ...wanted.map(({ pointId }) => pointId)]);
      const more = await missingInReplica(db, this.#replica, clock.now());
      if (more.every((row) => skip.has(row.point_id))) break;
      await this.#look();
    }
    const copied = `${this.copied} copied`;
    await task.say(this.failed.length === 0 ? copied : `${copied}, ${this.failed.length} could not be`);
  }

  /**
   * Removes from the replica what is over, by what was seen: what has left the vault's store since then is for the next
   * time. A refusal is returned, with nothing removed.
   */
  async removeExpired(
    task: RunningTask,
    force: boolean,
  ): Promise<{ removed: number; refusal: HoldfastError | undefined }> {
    const { source, target } = this.#opened;
    const { db, log, clock } = this.#workshop;
    const vaultId = this.#replica.vault_id;
    const seen = this.#seen;
    const { remove, heldBack, refusal } = pointsToRemove(
      seen.source.map(ruleViewOf),
      // What somebody else has put there is not ours to remove.
      seen.target.filter(({ copyOf }) => copyOf?.storeId === source.storeId).map(ruleViewOf),
      retentionOf(this.#replica),
      clock.now(),
    );
    for (const { pointId, reason } of heldBack)
      log.info({ vaultId, pointId }, `kept in the replica alone: ${reason}`);
    const why =
      seen.damaged > 0
        ? `${seen.damaged} records of the vault's store cannot be read, so it is not known what it has`
        : force
          ? undefined
          : refusal;
    if (why !== undefined && remove.length > 0) {
      const sentence = `Nothing was removed from the replica: ${why}.`;
      await task.say(sentence);
      const { store_path: target } = this.#replica;
      return { removed: 0, refusal: new HoldfastError('ReplicaRemovalRefused', sentence, { target }) };
    }
    for (const { itemId, pointId, reason } of remove) {
      this.#signal.throwIfAborted();
      log.info({ vaultId, pointId }, `goes from the replica: ${reason}`);
      // Not offered any more before it goes; should this process die in between, the next look puts it right.
      await updatePoint(db, pointId, { in_replica: 0 });
      await unlessGone(() => target.deletePoint(itemId, pointId));
      await deleteGonePoints(db, itemId);
    }
    const gone = new Set(remove.map(({ pointId }) => pointId));
    const left = seen.target.flatMap(({ pointId }) => (gone.has(pointId) ? [] : [pointId]));
    await noteInReplica(db, vaultId, new Set(left));
    await task.say(`${remove.length} removed, ${left.length} kept`);
    return { removed: remove.length, refusal: undefined };
  }

  async isCollectionDue(): Promise<boolean> {
    const now = this.#workshop.clock.now();
    const { collected_at: collected } = this.#replica;
    // A new replica has a day before anything can have expired; a moment in the future is that of a clock gone wrong.
    if (collected === null || Temporal.Instant.compare(collected, now) > 0) {
      await this.#noteCollected();
      return false;
    }
    return (
      Temporal.Instant.compare(now, Temporal.Instant.from(collected).add({ hours: collectEveryHours })) >= 0
    );
  }

  /** Gives back what no point of the replica needs. A refusal, or damage that is in the way, is returned. */
  async collect(task: RunningTask, force: boolean): Promise<HoldfastError | undefined> {
    const { target } = this.#opened;
    try {
      // The store asks for a second witness when most points are gone: the catalog missed none in the listing.
      const report = await target.collect({ force: force || this.#lost === 0, signal: this.#signal });
      await this.#noteCollected();
      await task.say(`${report.removedBytes} bytes given back, ${report.condemnedBytes} to come later`);
      return undefined;
    } catch (error) {
      if (!isHoldfastError(error, 'CollectionRefused', 'StoreDamaged', 'StoreVersionNotSupported'))
        throw error;
      await task.say(`no space was given back: ${error.message}`);
      return error;
    }
  }

  async #noteCollected(): Promise<void> {
    const now = this.#workshop.clock.now().toString({ fractionalSecondDigits: 3 });
    await updateReplica(this.#workshop.db, this.#replica.vault_id, { collected_at: now });
  }

  get #opened(): { source: Store; target: Store } {
    if (this.#stores === undefined) throw new Error('the stores have not been opened');
    return this.#stores;
  }

  async #look(): Promise<void> {
    const { source, target } = this.#opened;
    // The replica first: a point that is deleted at the source between the two is then not missed here.
    const there = await target.listPoints();
    const here = await source.listPoints();
    this.#seen = { source: here.points, damaged: here.damaged.length, target: there.points };
    const ids = new Set(there.points.map(({ pointId }) => pointId));
    const places = await listPlaces(this.#workshop.db, this.#replica.vault_id);
    this.#lost += places.filter((place) => place.in_replica === 1 && !ids.has(place.point_id)).length;
    await noteInReplica(this.#workshop.db, this.#replica.vault_id, ids);
  }

  async #copy(
    point: PointRecord,
    progress: ProgressSum,
    pace: ReturnType<typeof createPace> | undefined,
  ): Promise<void> {
    const { source, target } = this.#opened;
    const { pointId, itemId } = point;
    try {
      const { record } = await copyPoint(source, target, {
        itemId,
        pointId,
        base: baseForCopy(source, point, this.#seen.source, this.#seen.target),
        onProgress: (counters) => progress.update(pointId, counters),
        ...(pace === undefined ? {} : { pace }),
        signal: this.#signal,
      });
      this.#seen.target.push(record);
      await updatePoint(this.#workshop.db, pointId, { in_replica: 1 });
      this.copied++;
    } catch (error) {
      this.#signal.throwIfAborted();
      if (isHoldfastError(error, 'RecoveryPointNotInStore')) return; // it has expired meanwhile
      const isItsOwn = isHoldfastError(
        error,
        'StoreDamaged',
        'RecoveryPointExists',
        'StoreVersionNotSupported',
      );
      if (!isItsOwn) throw error;
      this.#workshop.log.error({ pointId, code: error.code }, `not replicated: ${messageOf(error)}`);
      this.failed.push({ pointId, error });
    }
  }

  /** What copying these points will read, from the maps alone. What cannot be told is left out. */
  async #bytesToRead(wanted: readonly PointRecord[]): Promise<number> {
    const { source } = this.#opened;
    let bytes = 0;
    const there = [...this.#seen.target];
    for (const point of wanted) {
      const baseId = baseForCopy(source, point, this.#seen.source, there);
      const base = this.#seen.source.find(({ pointId }) => pointId === baseId);
      there.push({ ...point, copyOf: { storeId: source.storeId, disks: point.disks } });
      try {
        for (const { name, disk } of point.disks) {
          const before = base?.disks.find((each) => each.name === name)?.disk;
          const fits = before?.chunkSizeBytes === disk.chunkSizeBytes ? before : undefined;
          const options = { signal: this.#signal };
          for await (const { length, zero } of source.changedExtents(fits, disk, options))
            if (!zero) bytes += length;
        }
      } catch (error) {
        if (!isHoldfastError(error, 'StoreDamaged')) throw error;
      }
    }
    return bytes;
  }
}

/** The VM of a point, for people. */
function machineOf({ itemId, metadata }: PointRecord): string {
  const { machineName } = (metadata.frozen ?? {}) as { machineName?: unknown };
  return typeof machineName === 'string' ? machineName : itemId;
}

async function unlessGone(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isHoldfastError(error, 'RecoveryPointNotInStore')) throw error;
  }
}
