import type { Store } from '../api/client/index.ts';
import { count, formatBytes } from './format.ts';
import type { Cell } from './table.ts';

type Figures = Pick<
  Store['properties'],
  | 'recoveryPoints'
  | 'chunks'
  | 'packs'
  | 'uniqueBytes'
  | 'storedBytes'
  | 'condemnedPacks'
  | 'condemnedBytes'
  | 'quarantinedPacks'
  | 'compressionRatio'
  | 'deduplicationRatio'
>;

/** Lines of what a store holds and costs, a vault's own or its replica; none of a store that is unavailable. */
export function figureLines(figures: Figures): [string, Cell | undefined][] {
  const { recoveryPoints, chunks, packs, uniqueBytes, storedBytes } = figures;
  const { condemnedPacks = 0, condemnedBytes, quarantinedPacks } = figures;
  const bytes = (value: number | undefined) => (value === undefined ? undefined : formatBytes(value));
  const ratio = (value: number | undefined) => (value === undefined ? undefined : `${value.toFixed(2)} : 1`);
  return [
    ['Recovery points', recoveryPoints?.toString()],
    ['Chunks', chunks?.toString()],
    ['Content', bytes(uniqueBytes)],
    ['Stored', bytes(storedBytes)],
    ['Deduplication', ratio(figures.deduplicationRatio)],
    ['Compression', ratio(figures.compressionRatio)],
    ['Packs', packs?.toString()],
    [
      'To be given back',
      condemnedBytes === undefined
        ? undefined
        : `${formatBytes(condemnedBytes)} in ${count(condemnedPacks, 'pack')}`,
    ],
    [
      'Damaged',
      quarantinedPacks === undefined
        ? undefined
        : quarantinedPacks === 0
          ? 'nothing that is known'
          : { text: count(quarantinedPacks, 'pack'), tone: 'bad' },
    ],
  ];
}

/** When everything was last read to the end, and whether a later pass has begun and not ended. */
export function verifiedWords(
  time: (at: string | undefined) => string,
  last: string | undefined,
  unfinishedSince: string | undefined,
): string {
  const words = last === undefined ? 'never' : time(last);
  return unfinishedSince === undefined ? words : `${words}; one begun ${time(unfinishedSince)} has not ended`;
}
