import { expect, it } from 'vitest';
import type { ChunkCopy } from './chunk-index.ts';
import { nearRuns } from './near-runs.ts';
import { chunkKinds, codecs } from './pack-format.ts';

const kib = 1024;
const most = { bytes: 200 * kib, count: 4 };

function at(pack: number, offset: number, storedLength = kib): ChunkCopy {
  return {
    kind: chunkKinds.data,
    pack,
    entry: 0,
    offset,
    storedLength,
    plainLength: 64 * kib,
    codec: codecs.zstd,
    crc: 0,
    bad: false,
  };
}

function numbersOf(copies: readonly (ChunkCopy | undefined)[]) {
  const { runs, rest } = nearRuns(copies, most);
  return { runs: runs.map((run) => run.map(({ number }) => number)), rest };
}

it('puts together what lies near each other in one pack, whatever the order', () => {
  expect(numbersOf([at(1, 40 * kib), at(0, 8), at(1, 8), at(1, 8 + kib)])).toEqual({
    runs: [[1], [2, 3, 0]],
    rest: [],
  });
});

it('begins anew after a gap wider than 64 KiB', () => {
  expect(numbersOf([at(0, 0), at(0, 65 * kib), at(0, 65 * kib + 65 * kib + 1)]).runs).toEqual([[0, 1], [2]]);
});

it('keeps a run, with its gaps, within the bytes and the count', () => {
  const apart = [0, 1, 2, 3].map((step) => at(0, step * 64 * kib, 20 * kib));
  expect(numbersOf(apart).runs).toEqual([[0, 1, 2], [3]]);
  const close = [0, 1, 2, 3, 4].map((step) => at(0, step * kib));
  expect(numbersOf(close).runs).toEqual([[0, 1, 2, 3], [4]]);
});

it('leaves out what has no copy, is too large or overlaps', () => {
  const copies = [undefined, at(0, 0), at(0, 0), at(0, 500), at(1, 0, 201 * kib)];
  expect(numbersOf(copies)).toEqual({ runs: [[1]], rest: [0, 4, 2, 3] });
});
