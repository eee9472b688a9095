import { expect, test } from 'vitest';
import { HoldfastError } from '../../errors/index.ts';
import { NbdError } from '../../nbd/index.ts';
import { imageFailure, toImageFailure } from './failures.ts';

test.each([
  ['qemu-img: /d/a.qcow2: Could not resize file: No space left on device', 'UserErrorHostStorageFull'],
  ['ENOSPC: no space left on device, write', 'UserErrorHostStorageFull'],
  ['the NBD server reported ENOSPC', 'UserErrorHostStorageFull'],
  ['write failed: Disk quota exceeded', 'UserErrorHostStorageFull'],
  ['Failed to get "write" lock\nIs another process using the image [/d/a]?', 'DiskImageInUse'],
  ['Failed to get shared "write" lock', 'DiskImageInUse'],
  ["ENOENT: no such file or directory, stat '/d/a'", 'DiskImageNotFound'],
  ["EEXIST: file already exists, open '/d/a'", 'DiskImageExists'],
  ['Image is not in qcow2 format', 'DiskImageDamaged'],
  ['qcow2: Image is corrupt; cannot be opened read/write', 'DiskImageDamaged'],
  ['This image format does not support checks', 'DiskImageNotSupported'],
  ['Input/output error', 'DiskImageUnavailable'],
  ['', 'DiskImageUnavailable'],
])('%j is %s', (said, code) => {
  expect(imageFailure('open', '/d/a.qcow2', said)).toMatchObject({ code, target: '/d/a.qcow2' });
});

test('the name of an image does not decide what went wrong with it', () => {
  const path = '/No space left on device/corrupt.qcow2';
  expect(imageFailure('open', path, `${path}: Permission denied`).code).toBe('DiskImageUnavailable');
});

test('a descriptor of ours is told by the name of its file', () => {
  expect(imageFailure('create', '/d/a', '/proc/12/fd/34: Input/output error').message).toBe(
    "Can't create /d/a: /d/a: Input/output error",
  );
});

test('expected failures become codes with their cause; aborts, bugs and codes pass', () => {
  const system = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', syscall: 'read' });
  const nbd = new NbdError('server', 'the NBD server reported ENOSPC', { errorName: 'ENOSPC' });
  expect(toImageFailure('read', '/d/a', system)).toMatchObject({
    code: 'DiskImageUnavailable',
    cause: system,
  });
  expect(toImageFailure('write', '/d/a', nbd)).toMatchObject({
    code: 'UserErrorHostStorageFull',
    cause: nbd,
  });
  const passing = [
    new TypeError('a bug'),
    new HoldfastError('InvalidInput', 'no'),
    AbortSignal.abort().reason,
  ];
  for (const error of passing) expect(toImageFailure('read', '/d/a', error)).toBe(error);
});
