import { HoldfastError, isHoldfastError } from '../../errors/index.ts';
import { mapOrdered } from '../map-ordered.ts';
import type { StoreState } from '../store-state.ts';
import type { CollectOptions, CollectPlan, CollectReport } from '../types.ts';
import { beginRun, type CollectRun, countsIn, whenSettled } from './collect-run.ts';
import { execute } from './execute.ts';
import { markDisk } from './mark-disks.ts';
import { planPack } from './plan.ts';
import { type FoundRoot, RootList } from './roots.ts';

const defaultWasteThreshold = 0.25;
const defaultMinimumAgeMs = 24 * 60 * 60 * 1000;

/** Listings at most until one shows nothing new. Whatever is committed later has been held by its writer, and seen. */
const listingLimit = 10;

const packsInFlight = 8;

/** One collection; only one may run at a time. The store's README says what makes it safe beside everything else. */
export async function collect(
  state: StoreState,
  options: CollectOptions,
  now: Temporal.Instant,
): Promise<CollectReport> {
  using watch = state.uses.watch();
  const run = beginRun(state, options, now, watch);
  // Both before the roots are listed: the record of a writer that has finished by now is in the listing.
  const packs = new Map(state.sink.packs.present);
  const { oldestWriter } = state.uses;
  const roots = new RootList(state);
  await markPoints(run, roots);
  const plan = await makePlan(run, { packs, oldestWriter, points: roots.points });
  const dryRun = options.dryRun ?? false;
  if (!dryRun) {
    await execute(run, plan);
    await state.saveTableIfDue();
  }
  return { ...run.report, plan, dryRun, neededChunks: run.marks.chunks };
}

/**
 * Marks what the points need, and lists them again until there are no new ones: a point that came while others were
 * marked may share what a point had that went meanwhile.
 */
async function markPoints(run: CollectRun, roots: RootList): Promise<void> {
  const { options } = run;
  for (let listing = 1; listing <= listingLimit; listing++) {
    const found = await roots.listNew(options.signal);
    if (listing === 1) refuseSuspiciousLoss(run, roots.points);
    else if (found.length === 0) return;
    for (const [done, root] of found.entries()) {
      options.onProgress?.({ phase: 'marking', done, total: found.length });
      await markPoint(run, root);
    }
  }
}

async function markPoint(run: CollectRun, { point, disk }: FoundRoot): Promise<void> {
  try {
    await markDisk(disk, true, run.work);
  } catch (error) {
    if (!isHoldfastError(error, 'StoreDamaged')) throw error;
    throw new HoldfastError(
      'StoreDamaged',
      `Nothing is collected, for what ${point} needs cannot be found out: ${error.message}`,
      { cause: error, target: point },
    );
  }
}

/** A listing that lies, or a hand that deleted records, would make everything garbage. */
function refuseSuspiciousLoss({ state, options }: CollectRun, points: number): void {
  if (options.force === true) return;
  const before = state.generations.points;
  const isEmptied = points === 0 && (before ?? state.sink.packs.present.size) > 0;
  if (!isEmptied && points * 2 >= (before ?? 0)) return;
  const was = before === undefined ? 'but the store has packs' : `${before} at the last collection`;
  throw new HoldfastError(
    'CollectionRefused',
    `The store at ${state.backend.description} has ${points} recovery points, ${was}: nothing is collected unless it is forced.`,
    { target: state.backend.description },
  );
}

async function makePlan(
  run: CollectRun,
  found: { packs: ReadonlyMap<string, number>; oldestWriter: number; points: number },
): Promise<CollectPlan> {
  const { state, options, watch, generation } = run;
  const table = state.sink.packs;
  const rules = {
    generation,
    now: run.now,
    minimumAgeMs: options.minimumAgeMs ?? defaultMinimumAgeMs,
    wasteThreshold: options.wasteThreshold ?? defaultWasteThreshold,
  };
  const neededByPoints = new Set<string>();
  for (const pack of state.condemned.sentences.keys())
    if (countsIn(run, pack).needed > 0) neededByPoints.add(pack);
  await weigh(run, found.packs);
  return await whenSettled(run, () => {
    const packs = [...found.packs]
      .filter(([pack]) => table.sizeOf(pack) !== undefined)
      .map(([pack, sizeBytes]) => {
        const sentence = state.condemned.sentences.get(pack);
        return planPack(
          {
            pack,
            sizeBytes,
            neededBytes: run.marks.neededBytesIn(table.number(pack)),
            isSpare: countsIn(run, pack).spare > 0,
            neededByPoints: neededByPoints.has(pack),
            unreadable:
              state.quarantine.get(pack)?.salvaged === true ? undefined : table.unreadable.get(pack),
            isDamaged: state.quarantine.get(pack) !== undefined,
            isBeingWritten: watch.wrote(pack),
            condemned: sentence && { ...sentence, olderWriter: found.oldestWriter < sentence.epoch },
          },
          rules,
        );
      });
    return { generation, points: found.points, packs };
  });
}

/** What is needed of each pack, in bytes. What others come to hold after this is added by the average. */
async function weigh({ state, marks, work }: CollectRun, packs: ReadonlyMap<string, number>): Promise<void> {
  async function* all() {
    yield* packs.keys();
  }
  const weighing = mapOrdered(all(), packsInFlight, async (pack) => {
    work.signal?.throwIfAborted();
    await marks.weigh(state.sink.packs.number(pack));
  });
  for await (const _ of weighing);
}
