import type { Store, VerifyCursor, VerifyProgress, VerifyReport } from '../store/index.ts';
import type { RunningTask } from './job-context.ts';
import { createPace } from './pace.ts';
import { createProgressSum } from './progress.ts';
import type { Workshop } from './workshop.ts';

/** How often the cursor is written down: what a crash can make a verification do again. */
const cursorIntervalMs = 5_000;

export interface ReadOptions {
  /** As {@link readStore} has saved it before; null or unreadable: from the first pack. */
  cursorJson: string | null;
  saveCursor(json: string): Promise<void>;
  bytesPerSecond: number | undefined;
  signal: AbortSignal;
}

/** Verifies a whole store for a job: at a rate, with progress, and with its cursor in the catalog while it does. */
export async function readStore(
  { clock }: Workshop,
  store: Store,
  task: RunningTask,
  { cursorJson, saveCursor, bytesPerSecond, signal }: ReadOptions,
): Promise<VerifyReport> {
  const cursor = cursorFrom(cursorJson);
  const rate = bytesPerSecond === undefined ? undefined : createPace(bytesPerSecond, clock);
  const progress = createProgressSum(() => clock.monotonicMs());
  task.reportProgress(() => progress.snapshot());
  let latest: VerifyProgress | undefined;
  let savedAt = clock.monotonicMs();
  const save = async () => {
    savedAt = clock.monotonicMs();
    if (latest !== undefined) await saveCursor(JSON.stringify(latest.cursor));
  };
  try {
    return await store.verify({
      signal,
      ...(cursor === undefined ? {} : { cursor }),
      onProgress(now) {
        latest = now;
        if (now.phase !== 'packs') return;
        progress.setTotal(now.total);
        const { done } = now;
        progress.update('packs', { processedBytes: done, readBytes: done, newBytes: 0, storedBytes: 0 });
      },
      async pace(bytes, stop) {
        if (clock.monotonicMs() - savedAt >= cursorIntervalMs) await save();
        await rate?.(bytes, stop);
      },
    });
  } catch (error) {
    await save();
    throw error;
  }
}

/** A cursor that cannot be read must not keep a store from ever being verified again: it begins anew. */
export function cursorFrom(json: string | null): VerifyCursor | undefined {
  if (json === null) return undefined;
  try {
    const { startedAt, afterPack } = JSON.parse(json) as Partial<Record<keyof VerifyCursor, unknown>>;
    if (typeof startedAt !== 'string') return undefined;
    Temporal.Instant.from(startedAt);
    if (afterPack === undefined) return { startedAt };
    return typeof afterPack === 'string' && /^[0-9a-f]{64}$/.test(afterPack)
      ? { startedAt, afterPack }
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError || error instanceof TypeError)
      return undefined;
    throw error;
  }
}
