import { expect, it } from 'vitest';
import { createProgressSum } from './progress.ts';

const read = (bytes: number) => ({
  processedBytes: bytes,
  readBytes: bytes,
  newBytes: bytes / 2,
  storedBytes: bytes / 4,
});

it('adds up what disks report, with rate and time left of all and of each', () => {
  let now = 0;
  const progress = createProgressSum(() => now);
  expect(progress.snapshot()).toEqual(read(0));
  progress.setTotal(
    3000,
    new Map([
      ['vda', 2000],
      ['vdb', 1000],
    ]),
  );
  progress.update('vda', read(0));
  now = 4000;
  progress.update('vda', read(800));
  expect(progress.snapshot()).toEqual({
    ...read(800),
    totalBytes: 3000,
    bytesPerSecond: 200,
    remainingSeconds: 11,
    disks: [
      { name: 'vda', processedBytes: 800, totalBytes: 2000, bytesPerSecond: 200, remainingSeconds: 6 },
      { name: 'vdb', processedBytes: 0, totalBytes: 1000 },
    ],
  });
  now = 10_000;
  progress.update('vda', read(2000));
  progress.update('vdb', read(0));
  now = 14_000;
  progress.update('vdb', read(400));
  expect(progress.snapshot()).toMatchObject({
    processedBytes: 2400,
    disks: [
      { name: 'vda', processedBytes: 2000, remainingSeconds: 0 },
      { name: 'vdb', processedBytes: 400, bytesPerSecond: 100, remainingSeconds: 6 },
    ],
  });
});

it('shows no disks where nobody knows what each comes to', () => {
  const progress = createProgressSum(() => 0);
  progress.setTotal(100);
  progress.update('packs', read(40));
  expect(progress.snapshot()).toEqual({ ...read(40), totalBytes: 100 });
});
