import type { StoreState } from '../store-state.ts';
import type { CollectOptions, CollectReport } from '../types.ts';
import type { Watch } from '../uses.ts';
import { type MarkWork, markDisk } from './mark-disks.ts';
import { Marks } from './marks.ts';

/** What the steps of one collection share. */
export interface CollectRun {
  state: StoreState;
  options: CollectOptions;
  now: Temporal.Instant;
  generation: number;
  watch: Watch;
  marks: Marks;
  work: MarkWork;
  report: Omit<CollectReport, 'plan' | 'dryRun' | 'neededChunks'>;
}

export function beginRun(
  state: StoreState,
  options: CollectOptions,
  now: Temporal.Instant,
  watch: Watch,
): CollectRun {
  const { signal } = options;
  const report: CollectRun['report'] = {
    missingChunks: 0,
    removedPacks: 0,
    removedBytes: 0,
    condemnedPacks: 0,
    condemnedBytes: 0,
    repackedPacks: 0,
    damagedPacks: [],
    ranOutOfSpace: false,
  };
  const marks = new Marks(state.index);
  const work: MarkWork = {
    marks,
    reader: state.reader,
    signal,
    pace: async (bytes) => await options.pace?.(bytes, signal),
    onMissing: (chunks) => {
      report.missingChunks += chunks;
    },
  };
  return { state, options, now, generation: state.generations.next, watch, marks, work, report };
}

export function countsIn({ marks, state }: CollectRun, packId: string): ReturnType<Marks['countsIn']> {
  return marks.countsIn(state.sink.packs.number(packId));
}

/**
 * Marks what others have come to hold since the last time, and then does `action` in the same turn: nobody can have
 * come to hold anything in between.
 */
export async function whenSettled<T>(run: CollectRun, action: () => T): Promise<T> {
  for (;;) {
    const held = run.watch.takeRoots();
    if (held.length === 0) return action();
    for (const disk of held) await markDisk(disk, false, run.work);
  }
}
