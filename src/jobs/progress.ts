import { createRateMeter, type RateMeter } from './rate-meter.ts';

/** Figures of one task as the API shows them; see `taskProgress` in the API's shapes. */
export interface TaskProgress {
  processedBytes: number;
  totalBytes?: number;
  readBytes: number;
  newBytes: number;
  storedBytes: number;
  bytesPerSecond?: number;
  remainingSeconds?: number;
  /** Where it is known how much each disk has to come to. */
  disks?: DiskProgress[];
}

export interface DiskProgress {
  name: string;
  processedBytes: number;
  totalBytes: number;
  bytesPerSecond?: number;
  remainingSeconds?: number;
}

export type Counters = Pick<TaskProgress, 'processedBytes' | 'readBytes' | 'newBytes' | 'storedBytes'>;

/** Adds up what several disks of one task report, each as its own running totals. */
export interface ProgressSum {
  /** @param disks what each of several disks comes to; it is shown of each how far it is then */
  setTotal(bytes: number, disks?: ReadonlyMap<string, number>): void;
  update(part: string, counters: Counters): void;
  snapshot(): TaskProgress;
}

export function createProgressSum(nowMs: () => number): ProgressSum {
  const parts = new Map<string, Counters>();
  const meter = createRateMeter();
  const meters = new Map<string, RateMeter>();
  let total: number | undefined;
  let totals: ReadonlyMap<string, number> = new Map();
  const sum = (key: keyof Counters) => [...parts.values()].reduce((all, part) => all + part[key], 0);
  return {
    setTotal(bytes, disks = new Map()) {
      total = bytes;
      totals = disks;
      for (const name of disks.keys()) meters.set(name, createRateMeter());
    },
    update(part, counters) {
      parts.set(part, counters);
      const now = nowMs();
      meter.add(sum('processedBytes'), now);
      meters.get(part)?.add(counters.processedBytes, now);
    },
    snapshot() {
      const disks = [...totals].map(([name, totalBytes]) => ({
        name,
        processedBytes: parts.get(name)?.processedBytes ?? 0,
        totalBytes,
        ...paceOf(meters.get(name), totalBytes),
      }));
      return {
        processedBytes: sum('processedBytes'),
        readBytes: sum('readBytes'),
        newBytes: sum('newBytes'),
        storedBytes: sum('storedBytes'),
        ...(total === undefined ? {} : { totalBytes: total }),
        ...paceOf(meter, total),
        ...(disks.length === 0 ? {} : { disks }),
      };
    },
  };
}

function paceOf(meter: RateMeter | undefined, total: number | undefined) {
  const rate = meter?.bytesPerSecond();
  const remaining = total === undefined ? undefined : meter?.remainingSeconds(total);
  return {
    ...(rate === undefined ? {} : { bytesPerSecond: Math.round(rate) }),
    ...(remaining === undefined ? {} : { remainingSeconds: remaining }),
  };
}
