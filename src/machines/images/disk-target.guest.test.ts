import { lstat, readdir, rm } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkImage, createDiskTarget, imageInfo } from './index.ts';
import { type Scratch, scratch } from './scratch.ts';

const MiB = 1024 * 1024;
let lab: Scratch;

beforeEach(async () => {
  lab = await scratch();
});
afterEach(() => lab[Symbol.asyncDispose]());

test('a qcow2 target holds what was written, sparse and clean', async () => {
  const path = lab.path('disk, "new".qcow2');
  const sizeBytes = 100 * MiB + 512;
  await using target = await createDiskTarget({
    path,
    format: 'qcow2',
    sizeBytes,
    owner: { uid: 1, gid: 2 },
  });
  expect(await lstat(path)).toMatchObject({ mode: 0o100600, uid: 1, gid: 2 });
  const data = Buffer.alloc(MiB, 'restored');
  await Promise.all([0, 50, 99].map((mib) => target.write(mib * MiB, data)));
  await target.write(sizeBytes - 512, data.subarray(0, 512));
  await target.finish();
  const content = await lab.content([{ path, format: 'qcow2' }]);
  const expected = Buffer.alloc(sizeBytes);
  for (const mib of [0, 50, 99]) data.copy(expected, mib * MiB);
  data.copy(expected, sizeBytes - 512, 0, 512);
  expect(content.equals(expected)).toBe(true);
  expect(await checkImage({ path, format: 'qcow2' })).toEqual({ corruptions: 0, leaks: 0 });
  const info = await imageInfo(path, { format: 'qcow2' });
  expect(info).toMatchObject({ virtualSizeBytes: sizeBytes, dirty: false, backing: undefined });
  expect(info.allocatedBytes).toBeLessThan(5 * MiB);
});

test.each(['raw', 'qcow2'] as const)('a %s target that is not finished is gone', async (format) => {
  const path = lab.path('disk');
  {
    await using target = await createDiskTarget({ path, format, sizeBytes: MiB });
    await target.write(0, Buffer.alloc(4096, 1));
    void target.write(4096, Buffer.alloc(4096, 1)).catch(() => {}); // under way when the target goes
  }
  expect(await readdir(lab.directory)).toEqual([]);
});

test.each(['raw', 'qcow2'] as const)(
  'a full file system fails a %s target, and it cleans up',
  async (format) => {
    const full = lab.path('full');
    await lab.qemu('mkdir', full);
    await lab.qemu('mount', '-t', 'tmpfs', '-o', 'size=2M', 'tmpfs', full);
    try {
      {
        await using target = await createDiskTarget({ path: `${full}/disk`, format, sizeBytes: 64 * MiB });
        await expect(target.write(0, Buffer.alloc(4 * MiB, 1))).rejects.toMatchObject({
          code: 'UserErrorHostStorageFull',
          target: `${full}/disk`,
        });
      }
      expect(await readdir(full)).toEqual([]);
    } finally {
      await lab.qemu('umount', full);
    }
  },
);

test('a file that someone else put in the place of ours is left alone', async () => {
  const path = lab.path('disk');
  {
    await using _target = await createDiskTarget({ path, format: 'raw', sizeBytes: MiB });
    await rm(path);
    await lab.raw('disk', 7);
  }
  expect((await lstat(path)).size).toBe(7);
});
