import { lstat, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createDiskTarget } from './disk-target.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-target-'));
});
afterEach(() => rm(directory, { recursive: true }));

test('a raw target is private, sparse, and holds what was written', async () => {
  const path = join(directory, 'disk.raw');
  const before = process.umask(0);
  await using target = await createDiskTarget({ path, format: 'raw', sizeBytes: 8_000_001 }).finally(() =>
    process.umask(before),
  );
  await Promise.all([target.write(8_000_000, Buffer.from('z')), target.write(4096, Buffer.from('four'))]);
  await target.finish();
  const expected = Buffer.alloc(8_000_001);
  expected.write('four', 4096);
  expected.write('z', 8_000_000);
  expect((await readFile(path)).equals(expected)).toBe(true);
  const { mode, blocks } = await lstat(path);
  expect(mode).toBe(0o100600);
  expect(blocks * 512).toBeLessThan(100_000);
});

test('nothing that exists is overwritten, not even through a link', async () => {
  const path = join(directory, 'disk.raw');
  {
    await using target = await createDiskTarget({ path, format: 'raw', sizeBytes: 1 });
    await target.finish();
  }
  await symlink(join(directory, 'elsewhere'), join(directory, 'link'));
  for (const taken of [path, join(directory, 'link')]) {
    await expect(createDiskTarget({ path: taken, format: 'raw', sizeBytes: 5 })).rejects.toMatchObject({
      code: 'DiskImageExists',
    });
  }
  expect((await lstat(path)).size).toBe(1);
});

test('writes outside the disk, or after its end, are refused', async () => {
  const path = join(directory, 'disk.raw');
  await using target = await createDiskTarget({ path, format: 'raw', sizeBytes: 10 });
  await expect(target.write(8, Buffer.alloc(3))).rejects.toThrow(RangeError);
  await expect(target.write(-1, Buffer.alloc(1))).rejects.toThrow(RangeError);
  await target.finish();
  await expect(target.write(0, Buffer.alloc(1))).rejects.toThrow(TypeError);
});

test('a directory that is not there is told', async () => {
  const path = join(directory, 'no', 'disk.raw');
  await expect(createDiskTarget({ path, format: 'raw', sizeBytes: 10 })).rejects.toMatchObject({
    code: 'DiskImageNotFound',
  });
  await expect(createDiskTarget({ path: 'disk.raw', format: 'raw', sizeBytes: 1 })).rejects.toMatchObject({
    code: 'InvalidInput',
  });
});
