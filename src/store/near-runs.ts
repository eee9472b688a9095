import type { ChunkCopy } from './chunk-index.ts';

/** Reading so much for nothing is cheaper than another call, on any medium. */
const widestGapBytes = 64 * 1024;

/** A chunk by its number in what was asked for, and where it is. */
export interface NearChunk {
  number: number;
  copy: ChunkCopy;
}

/**
 * Groups copies so that each group is one ascending stretch of a pack without wide gaps, of at most `bytes` with the gaps
 * and at most `count` copies. `rest`: numbers of those without a copy, of those too large for a group, and of those that
 * overlap others, as the same chunk does that is asked for twice.
 */
export function nearRuns(
  copies: readonly (ChunkCopy | undefined)[],
  most: { bytes: number; count: number },
): { runs: NearChunk[][]; rest: number[] } {
  const rest: number[] = [];
  const found: NearChunk[] = [];
  for (const [number, copy] of copies.entries()) {
    if (copy === undefined || copy.storedLength > most.bytes) rest.push(number);
    else found.push({ number, copy });
  }
  found.sort((a, b) => a.copy.pack - b.copy.pack || a.copy.offset - b.copy.offset);
  const runs: NearChunk[][] = [];
  for (const chunk of found) {
    const { pack, offset, storedLength } = chunk.copy;
    const run = runs.at(-1);
    const first = run?.[0]?.copy;
    const last = run?.at(-1)?.copy;
    if (run === undefined || first === undefined || last?.pack !== pack) {
      runs.push([chunk]);
      continue;
    }
    const gap = offset - (last.offset + last.storedLength);
    const isNear = gap <= widestGapBytes && offset + storedLength - first.offset <= most.bytes;
    if (gap < 0) rest.push(chunk.number);
    else if (isNear && run.length < most.count) run.push(chunk);
    else runs.push([chunk]);
  }
  return { runs, rest };
}
