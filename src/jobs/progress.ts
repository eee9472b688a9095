import { createRateMeter } from './rate-meter.ts';

/** Figures of one task as the API shows them; see `taskProgress` in the API's shapes. */
export interface TaskProgress {
  processedBytes: number;
  totalBytes?: number;
  readBytes: number;
  newBytes: number;
  storedBytes: number;
  bytesPerSecond?: number;
  remainingSeconds?: number;
}

export type Counters = Pick<TaskProgress, 'processedBytes' | 'readBytes' | 'newBytes' | 'storedBytes'>;

/** Adds up what several disks of one task report, each as its own running totals. */
export interface ProgressSum {
  setTotal(bytes: number): void;
  update(part: string, counters: Counters): void;
  snapshot(): TaskProgress;
}

export function createProgressSum(nowMs: () => number): ProgressSum {
  const parts = new Map<string, Counters>();
  const meter = createRateMeter();
  let total: number | undefined;
  const sum = (key: keyof Counters) => [...parts.values()].reduce((all, part) => all + part[key], 0);
  return {
    setTotal(bytes) {
      total = bytes;
    },
    update(part, counters) {
      parts.set(part, counters);
      meter.add(sum('processedBytes'), nowMs());
    },
    snapshot() {
      const rate = meter.bytesPerSecond();
      const remaining = total === undefined ? undefined : meter.remainingSeconds(total);
      return {
        processedBytes: sum('processedBytes'),
        readBytes: sum('readBytes'),
        newBytes: sum('newBytes'),
        storedBytes: sum('storedBytes'),
        ...(total === undefined ? {} : { totalBytes: total }),
        ...(rate === undefined ? {} : { bytesPerSecond: Math.round(rate) }),
        ...(remaining === undefined ? {} : { remainingSeconds: remaining }),
      };
    },
  };
}
