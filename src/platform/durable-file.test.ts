import { chmod, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeDirectoryDurable } from './durable-file.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-durable-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const code = (name: string) => expect.objectContaining({ code: name });

test('a directory is made with its parents, also by several at once, and one that is there stays', async () => {
  const path = join(root, 'a/b/c');
  await Promise.all(Array.from({ length: 8 }, () => makeDirectoryDurable(path, 0o750)));
  expect((await stat(path)).mode & 0o777).toBe(0o750);
  await chmod(path, 0o700);
  await makeDirectoryDurable(`${path}/`, 0o750);
  expect((await stat(path)).mode & 0o777).toBe(0o700);
});

test('a link to a directory is one', async () => {
  await makeDirectoryDurable(join(root, 'real'));
  await symlink('real', join(root, 'link'));
  await makeDirectoryDurable(join(root, 'link'));
  await makeDirectoryDurable(join(root, 'link/inside'));
  expect((await stat(join(root, 'real/inside'))).isDirectory()).toBe(true);
});

test('what cannot be made is an error, at once', async () => {
  await writeFile(join(root, 'file'), '');
  await symlink('nowhere', join(root, 'dangling'));
  await expect(makeDirectoryDurable(join(root, 'file'))).rejects.toEqual(code('EEXIST'));
  await expect(makeDirectoryDurable(join(root, 'file/below'))).rejects.toEqual(code('ENOTDIR'));
  await expect(makeDirectoryDurable(join(root, 'dangling'))).rejects.toEqual(code('EEXIST'));
  // The parent is there, and no directory can be made in it.
  await expect(makeDirectoryDurable('/proc/holdfast')).rejects.toEqual(code('ENOENT'));
  await expect(makeDirectoryDurable('/proc/holdfast/below')).rejects.toEqual(code('ENOENT'));
});
