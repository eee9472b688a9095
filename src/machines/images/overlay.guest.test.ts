import { lstat, open, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { run } from '../../platform/index.ts';
import type { ImageLayer } from './image-types.ts';
import {
  checkImage,
  commitImage,
  createOverlay,
  imageChain,
  imageInfo,
  openImage,
  rebaseUnsafe,
} from './index.ts';
import { type Scratch, scratch } from './scratch.ts';

const MiB = 1024 * 1024;
let lab: Scratch;

beforeEach(async () => {
  lab = await scratch();
});
afterEach(() => lab[Symbol.asyncDispose]());

async function overlayOver(below: ImageLayer, name: string, sizeBytes = MiB): Promise<ImageLayer> {
  const path = lab.path(name);
  await createOverlay({
    path,
    backingPath: below.path,
    backingFormat: below.format,
    sizeBytes,
    extendedL2: true,
  });
  return { path, format: 'qcow2' };
}

test('an overlay is private, knows its backing, and has 4 KiB grain', async () => {
  const base = await lab.raw('base.raw', 3 * MiB);
  const before = process.umask(0);
  const path = lab.path('o.qcow2');
  const request = {
    path,
    backingPath: base.path,
    backingFormat: 'raw',
    sizeBytes: 5 * MiB,
    extendedL2: true,
    owner: { uid: 12345, gid: 54321 },
  } as const;
  await createOverlay(request).finally(() => process.umask(before));
  expect(await lstat(path)).toMatchObject({ mode: 0o100600, uid: 12345, gid: 54321 });
  expect(await imageInfo(path, { format: 'qcow2' })).toMatchObject({
    format: 'qcow2',
    virtualSizeBytes: 5 * MiB,
    clusterSizeBytes: 128 * 1024,
    extendedL2: true,
    lazyRefcounts: false,
    backing: { path: base.path, format: 'raw' },
    encrypted: false,
    dirty: false,
    corrupt: false,
  });
  expect(await imageChain(path, { format: 'qcow2' })).toEqual([{ path, format: 'qcow2' }, base]);
});

test('nothing that exists is overwritten, not even through a link', async () => {
  const base = await lab.raw('base.raw', MiB);
  await writeFile(lab.path('there'), 'mine');
  await symlink(lab.path('elsewhere'), lab.path('link'));
  for (const name of ['there', 'link']) {
    await expect(overlayOver(base, name)).rejects.toMatchObject({ code: 'DiskImageExists' });
  }
  expect(await readFile(lab.path('there'), 'utf8')).toBe('mine');
  expect((await readdir(lab.directory)).sort()).toEqual(['base.raw', 'link', 'there']);
});

test('a failed creation leaves no file', async () => {
  const base = await lab.raw('base.raw', MiB);
  await expect(overlayOver(base, 'o.qcow2', -5)).rejects.toMatchObject({ name: 'HoldfastError' });
  await expect(overlayOver({ ...base, path: lab.path('missing') }, 'o.qcow2')).rejects.toMatchObject({
    code: 'DiskImageNotFound',
  });
  expect(await readdir(lab.directory)).toEqual(['base.raw']);
});

test('a full file system is told as such, with no file left', async () => {
  const base = await lab.raw('base.raw', MiB);
  const full = lab.path('full');
  await lab.qemu('mkdir', full);
  await lab.qemu('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', full);
  try {
    await expect(overlayOver(base, 'full/o.qcow2')).rejects.toMatchObject({
      code: 'UserErrorHostStorageFull',
      message: expect.not.stringContaining('/proc/'),
    });
    expect(await readdir(full)).toEqual([]);
  } finally {
    await lab.qemu('umount', full);
  }
});

test.each([
  'a,b=c',
  'with space "and" \'quotes\'',
  'nbd:x:1',
  'json:{}',
  'ünïcødé 漢字',
  '-o',
  'a\\b%s$HOME\n',
])('a path may hold %j', async (name) => {
  const base = await lab.raw(`${name}.raw`, MiB);
  await lab.io(base, 'write -P 7 0 4k');
  const top = await overlayOver(base, `${name}.qcow2`);
  const chain = await imageChain(top.path, { format: 'qcow2' });
  expect(chain).toEqual([top, base]);
  await using image = await openImage({ layers: chain });
  expect(Buffer.alloc(4096, 7).equals(await image.client.read(0, 4096))).toBe(true);
  await image.close();
  await lab.io(top, 'write -P 8 4k 4k');
  await commitImage({ layers: chain });
  await rebaseUnsafe({ path: top.path, backing: undefined });
  expect((await imageInfo(top.path, { format: 'qcow2' })).backing).toBeUndefined();
  expect(await checkImage(top)).toEqual({ corruptions: 0, leaks: 0 });
  expect((await lab.content([base])).subarray(4096, 8192).equals(Buffer.alloc(4096, 8))).toBe(true);
});

test('a merge moves the layer down and leaves the content of the chain as it was', async () => {
  const base = await lab.raw('base.raw', 4 * MiB);
  await lab.io(base, 'write -P 1 0 4M');
  const first = await overlayOver(base, 'first.qcow2', 6 * MiB);
  await lab.io(first, 'write -P 2 1M 64k', 'discard 2M 128k', 'write -P 3 5M 4k');
  const second = await overlayOver(first, 'second.qcow2', 6 * MiB);
  await lab.io(second, 'write -P 4 1M 4k');
  const before = await lab.content([second, first, base]);
  await commitImage({ layers: [first, base] });
  await commitImage({ layers: [first, base] }); // as after a crash
  await rebaseUnsafe({ path: second.path, backing: base });
  expect((await stat(base.path)).size).toBe(6 * MiB);
  expect(await imageChain(second.path, { format: 'qcow2' })).toEqual([second, base]);
  expect((await lab.content([second, base])).equals(before)).toBe(true);
});

test('a merge is refused while someone writes to the chain', async () => {
  const base = await lab.raw('base.raw', MiB);
  const top = await overlayOver(base, 'top.qcow2');
  await using writer = await openImage({ layers: [top, base], writable: true });
  await expect(commitImage({ layers: [top, base] })).rejects.toMatchObject({ code: 'DiskImageInUse' });
  await writer.close();
  await commitImage({ layers: [top, base] });
});

test('a header is read while the image is in use', async () => {
  const base = await lab.raw('base.raw', MiB);
  const top = await overlayOver(base, 'top.qcow2');
  await using _writer = await openImage({ layers: [top, base], writable: true });
  expect((await imageInfo(top.path, { format: 'qcow2' })).virtualSizeBytes).toBe(MiB);
});

test('chains that leave local files of known formats are refused', async () => {
  const base = await lab.raw('base.raw', MiB);
  const path = lab.path('odd.qcow2');
  const backings = [
    ['-b', 'nbd://localhost/x', '-F', 'raw'],
    ['-b', 'json:{"driver":"null-co"}', '-F', 'raw'],
    ['-b', base.path, '-F', 'vmdk'],
  ];
  for (const backing of backings) {
    await lab.qemu('qemu-img', 'create', '-q', '-u', '-f', 'qcow2', ...backing, path, '1M');
    await expect(imageChain(path, { format: 'qcow2' })).rejects.toMatchObject({
      code: 'DiskImageNotSupported',
    });
  }
  const circle = await overlayOver({ path, format: 'qcow2' }, 'circle.qcow2');
  await lab.qemu('qemu-img', 'rebase', '-u', '-f', 'qcow2', '-b', circle.path, '-F', 'qcow2', path);
  await expect(imageChain(path, { format: 'qcow2' })).rejects.toThrow('circle');
  await expect(imageChain('nbd:localhost:1', { format: 'qcow2' })).rejects.toMatchObject({
    code: 'InvalidInput',
  });
});

test('a relative backing name counts from the directory of the image', async () => {
  const base = await lab.raw('base.raw', MiB);
  const path = lab.path('o.qcow2');
  await lab.qemu('qemu-img', 'create', '-q', '-u', '-f', 'qcow2', '-b', 'base.raw', '-F', 'raw', path, '1M');
  expect(await imageChain(path, { format: 'qcow2' })).toEqual([{ path, format: 'qcow2' }, base]);
});

test('a backing without a format is refused, not probed', async () => {
  const base = await lab.raw('base.raw', MiB);
  const top = await overlayOver(base, 'top.qcow2');
  // The format name is the text of header extension 0xE2792ACA; without it the header is as older QEMU wrote it.
  await using file = await open(top.path, 'r+');
  const header = Buffer.alloc(4096);
  await file.read(header, 0, header.length, 0);
  const at = header.indexOf(Buffer.from('e2792aca', 'hex'));
  expect(at).toBeGreaterThan(0);
  await file.write(Buffer.from('11111111', 'hex'), 0, 4, at);
  await expect(imageChain(top.path, { format: 'qcow2' })).rejects.toMatchObject({
    code: 'DiskImageNotSupported',
    action: expect.stringContaining('rebase'),
  });
});

test('damage is found by a check, and a stranger is not taken for qcow2', async () => {
  const base = await lab.raw('base.raw', MiB);
  const top = await overlayOver(base, 'top.qcow2');
  await lab.io(top, 'write -P 1 0 512k');
  await run(['truncate', '-s', '600k', top.path], { timeoutMs: 10_000 });
  expect((await checkImage(top)).corruptions).toBeGreaterThan(0);
  await expect(imageInfo(base.path, { format: 'qcow2' })).rejects.toMatchObject({ code: 'DiskImageDamaged' });
  await expect(checkImage(base)).rejects.toMatchObject({ code: 'DiskImageNotSupported' });
});
