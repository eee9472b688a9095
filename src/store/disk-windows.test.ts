import { expect, it } from 'vitest';
import { cutIntoWindows, type DiskWork, gatherWindows } from './disk-windows.ts';
import type { DiskExtent } from './types.ts';

const kib = 1024;
const mib = 1024 * kib;
const windowBytes = mib;
const chunkSizeBytes = 64 * kib;

async function workFor(extents: readonly DiskExtent[], tail?: number): Promise<DiskWork[]> {
  const source = (async function* () {
    yield* extents;
  })();
  const cut = cutIntoWindows(source, { sizeBytes: 1024 * mib, windowBytes, tail });
  return await Array.fromAsync(gatherWindows(cut, { windowBytes, chunkSizeBytes }));
}

function small(offset: number): DiskExtent {
  return { offset, length: 4 * kib, zero: false };
}

it('puts as many scattered chunks into a window as side by side', async () => {
  const extents = Array.from({ length: 40 }, (_, number) => small(number * 3 * mib));
  const work = await workFor(extents);
  expect(work.map((item) => (item.kind === 'window' ? item.pieces.length : 0))).toEqual([16, 16, 8]);
  expect(work.flatMap((item) => (item.kind === 'window' ? item.pieces : []))).toEqual(extents);
});

it('counts chunks and not pieces', async () => {
  const inOneChunk = Array.from({ length: 8 }, (_, number) => small(number * 8 * kib));
  const astride = { offset: 2 * mib + 62 * kib, length: 4 * kib, zero: false };
  const full = { offset: 4 * mib, length: 14 * 64 * kib, zero: false };
  const work = await workFor([...inOneChunk, astride, full]);
  expect(work.map((item) => item.kind === 'window' && item.pieces.length)).toEqual([9, 1]);
});

it('keeps the order around runs of zeros', async () => {
  const zeros = { offset: 4 * mib, length: 8 * mib, zero: true };
  const work = await workFor([small(0), small(2 * mib), zeros, small(20 * mib)]);
  expect(work.map((item) => (item.kind === 'window' ? item.pieces.length : item.kind))).toEqual([
    2,
    'zeros',
    1,
  ]);
});

it('looks at the chunk of the tail in the last window', async () => {
  const tail = 1024 * mib - 1;
  expect(await workFor([small(0)], tail)).toEqual([
    { kind: 'window', start: 0, pieces: [small(0)], also: tail },
  ]);
});
