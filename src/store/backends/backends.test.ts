import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { backendContract } from '../testing/backend-contract.ts';
import { ForgetfulFiles } from '../testing/forgetful-files.ts';
import { fileSystemBackend } from './file-system.ts';
import { memoryBackend } from './memory.ts';

const directories: string[] = [];
async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-backend-'));
  directories.push(directory);
  return directory;
}
afterAll(async () => {
  for (const directory of directories) await rm(directory, { recursive: true, force: true });
});

backendContract('a directory', async () => fileSystemBackend(join(await temporaryDirectory(), 'new/store')));
backendContract('memory', async () => memoryBackend());
backendContract('a directory of a simulated file system', async () =>
  fileSystemBackend('/srv/store', new ForgetfulFiles()),
);

const failing = (code: string) => Object.assign(new Error(`${code}: injected`), { code });

describe('the file-system backend', () => {
  test('survives a power cut after every resolved put and delete', async () => {
    const files = new ForgetfulFiles();
    const backend = fileSystemBackend('/srv/store', files);
    await backend.lock({ create: true });
    await backend.put('packs/aa/1', [Buffer.from('one')]);
    const afterPut = fileSystemBackend('/srv/store', files.clone('lost'));
    expect(String(await afterPut.get('packs/aa/1'))).toBe('one');
    await backend.delete('packs/aa/1');
    const afterDelete = fileSystemBackend('/srv/store', files.clone('lost'));
    expect(await afterDelete.get('packs/aa/1')).toBeUndefined();
  });

  test.each([
    ['ENOSPC', 'StoreFull'],
    ['EDQUOT', 'StoreFull'],
    ['EIO', 'StoreUnavailable'],
    ['EROFS', 'StoreUnavailable'],
  ])('turns %s into %s wherever it strikes, and leaves no temporary file', async (code, expected) => {
    for (const step of ['mkdir', 'create', 'write', 'sync /srv/store/tmp', 'rename']) {
      const files = new ForgetfulFiles();
      const backend = fileSystemBackend('/srv/store', files);
      await backend.lock({ create: true });
      files.onCall = (call) => {
        if (call.startsWith(step) && !call.endsWith('(done)')) throw failing(code);
      };
      await expect(backend.put('index/one', [Buffer.from('x')])).rejects.toMatchObject({ code: expected });
      expect(files.paths()).toEqual([]);
    }
  });

  test('removes what an interrupted put left behind once it has the lock, and not before', async () => {
    const files = new ForgetfulFiles();
    const backend = fileSystemBackend('/srv/store', files);
    const lock = await backend.lock({ create: true });
    let crashed: ForgetfulFiles | undefined;
    files.onCall = (call) => {
      if (call.startsWith('rename') && !call.endsWith('(done)')) crashed = files.clone('kept');
    };
    await backend.put('index/one', [Buffer.from('x')]);
    expect(crashed?.paths()).toHaveLength(1);
    const again = fileSystemBackend('/srv/store', crashed);
    await again.lock({ create: false });
    expect(crashed?.paths()).toEqual([]);
    await lock?.[Symbol.asyncDispose]();
  });

  test('takes its lock without a second file, for which a full disk would have no room', async () => {
    const directory = await temporaryDirectory();
    const lock = await fileSystemBackend(directory).lock({ create: true });
    expect(await readdir(directory)).toEqual(['lock']);
    await lock?.[Symbol.asyncDispose]();
  });

  test('a directory that has gone is an error, not an empty store', async () => {
    const directory = await temporaryDirectory();
    const backend = fileSystemBackend(join(directory, 'store'));
    const lock = await backend.lock({ create: true });
    await backend.put('points/a/1', [Buffer.from('x')]);
    await lock?.[Symbol.asyncDispose]();
    await rm(join(directory, 'store'), { recursive: true });
    const unavailable = { code: 'StoreUnavailable' };
    await expect(backend.get('points/a/1')).rejects.toMatchObject(unavailable);
    await expect(backend.stat('points/a/1')).rejects.toMatchObject(unavailable);
    await expect(Array.fromAsync(backend.list('points/'))).rejects.toMatchObject(unavailable);
    await expect(backend.put('points/b/1', [Buffer.from('x')])).rejects.toMatchObject(unavailable);
    await expect(backend.lock({ create: false })).rejects.toMatchObject(unavailable);
    expect(await readdir(directory)).toEqual([]);
  });
});
