import { HoldfastError, isHoldfastError } from '../errors/index.ts';
import type { JobStatus } from '../protection/index.ts';
import type { OnGap } from '../store/index.ts';
import type { JobContext } from './job-context.ts';
import type { Placing } from './placing.ts';
import type { RestorePayload } from './restore-payload.ts';
import type { RestorePlan } from './restore-plan.ts';
import { writeWhole } from './write-whole.ts';

/** A stretch of a disk that could not be read, in bytes. */
export interface Gap {
  offset: number;
  length: number;
}

/** What is missing from one restored disk: those stretches are zeros in its image. */
export interface DiskGaps {
  target: string;
  gapBytes: number;
  gapCount: number;
  /** Ascending; the first ones where there are very many. */
  gaps: Gap[];
  /** Why the first that was met could not be read. */
  reason: string;
}

/** Gaps listed for one disk; what lies beyond is only counted. */
const gapLimit = 100_000;

/** Collects what a restore could not read. Gaps come in no order, as several stretches are read at once. */
export class RestoreGaps {
  readonly #disks = new Map<string, { gaps: Gap[]; moreBytes: number; moreCount: number; reason: string }>();

  get isEmpty(): boolean {
    return this.#disks.size === 0;
  }

  /** Takes the gaps of one disk. */
  of(target: string): OnGap {
    return ({ offset, length, reason }) => {
      let disk = this.#disks.get(target);
      if (disk === undefined) {
        disk = { gaps: [], moreBytes: 0, moreCount: 0, reason };
        this.#disks.set(target, disk);
      }
      if (disk.gaps.length >= gapLimit) disk.gaps = merged(disk.gaps);
      const last = disk.gaps.at(-1);
      if (last !== undefined && last.offset + last.length === offset) last.length += length;
      else if (disk.gaps.length < gapLimit) disk.gaps.push({ offset, length });
      else {
        disk.moreBytes += length;
        disk.moreCount++;
      }
    };
  }

  disks(): DiskGaps[] {
    return [...this.#disks].map(([target, { gaps: found, moreBytes, moreCount, reason }]) => {
      const gaps = merged(found);
      const gapBytes = gaps.reduce((sum, { length }) => sum + length, moreBytes);
      return { target, gapBytes, gapCount: gaps.length + moreCount, gaps, reason };
    });
  }
}

function merged(gaps: readonly Gap[]): Gap[] {
  const result: Gap[] = [];
  for (const { offset, length } of gaps.toSorted((a, b) => a.offset - b.offset)) {
    const last = result.at(-1);
    if (last !== undefined && last.offset + last.length === offset) last.length += length;
    else result.push({ offset, length });
  }
  return result;
}

/** `vda: 2 stretches, 131072 bytes (65536+65536, 1048576+65536)`. */
function gapWords({ target, gapBytes, gapCount, gaps }: DiskGaps): string {
  const shown = gaps.slice(0, 5).map(({ offset, length }) => `${offset}+${length}`);
  const more = gapCount > shown.length ? ', …' : '';
  return `${target}: ${gapCount === 1 ? '1 stretch' : `${gapCount} stretches`}, ${gapBytes} bytes (${shown.join(', ')}${more})`;
}

/** A restore with gaps is never simply completed. */
export const statusWith = (context: JobContext<RestorePayload>, status: JobStatus): JobStatus =>
  context.payload.hasGaps === true && status === 'Completed' ? 'CompletedWithWarnings' : status;

/** A damaged point is not restored unless that was asked for; the refusal says how. */
export function sayingHow(error: unknown): unknown {
  if (!isHoldfastError(error, 'StoreDamaged')) return error;
  return new HoldfastError('StoreDamaged', error.message, {
    cause: error,
    ...(error.target === undefined ? {} : { target: error.target }),
    action:
      'Restore another recovery point; or restore what can be read of this one with --allow-damaged: the rest becomes zeros and is listed.',
  });
}

/** Says which stretches are zeros because they could not be read: in a file beside the disks, and with the job. */
export async function noteGaps(
  context: JobContext<RestorePayload>,
  placing: Placing,
  plan: RestorePlan,
  gaps: RestoreGaps,
): Promise<void> {
  const { point } = context.payload;
  const path = plan.gapsPath ?? '';
  const disks = gaps.disks().map(({ target, ...rest }) => ({
    target,
    file: plan.disks.find((disk) => disk.target === target)?.path,
    ...rest,
  }));
  const document = {
    machine: point.machineName,
    recoveryPoint: point.pointId,
    takenAt: point.takenAt,
    disks,
  };
  await writeWhole(placing.partialPath(path), `${JSON.stringify(document, null, 2)}\n`);
  await placing.publish(path);
  const words = disks.map(gapWords).join('; ');
  // Noted before the disks get their names: whoever finds them finds this.
  await context.savePayload({ hasGaps: true });
  await context.setProperties({ 'Unreadable stretches': words, 'List of unreadable stretches': path });
  const error = new HoldfastError(
    'RestoredWithGaps',
    `The recovery point is damaged. These stretches could not be read and are zeros in the restored disks: ${words}. ${path} lists them all.`,
  );
  await context.setError({ code: error.code, message: error.message, action: error.action });
}
