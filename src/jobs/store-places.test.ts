import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StorePlaces } from './store-places.ts';

const place = 's3://backups/v1?endpoint=http://127.0.0.1:9';
const credentials = { accessKeyId: 'AKIA', secretAccessKey: 'topsecret' };
let home: string;
let directory: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'holdfast-places-'));
  directory = join(home, 'store-credentials');
});
afterEach(() => rm(home, { recursive: true, force: true }));

test('keeps credentials where only the user of the service can read them, until they are to be forgotten', async () => {
  const places = new StorePlaces(directory);
  await places.add(place, credentials, false);
  const [name, ...others] = await readdir(directory);
  expect(others).toEqual([]);
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
  expect((await stat(join(directory, name ?? ''))).mode & 0o777).toBe(0o600);
  expect((await new StorePlaces(directory).backend(place)).description).toContain('s3://backups/v1');
  await places.forget(place);
  expect(await readdir(directory)).toEqual([]);
  await places.forget(place);
});

test('a second store at a place does not touch the credentials of the first', async () => {
  const places = new StorePlaces(directory);
  await places.add(place, credentials, false);
  const again = places.add(place, { ...credentials, secretAccessKey: 'other' }, false);
  await expect(again).rejects.toMatchObject({ code: 'StoreExists' });
  await expect(new StorePlaces(directory).add(place, credentials, true)).rejects.toMatchObject({
    code: 'StoreExists',
  });
});

test('what a process left behind that died while it made a vault is in nobody’s way', async () => {
  await new StorePlaces(directory).add(place, credentials, false);
  await new StorePlaces(directory).add(place, { ...credentials, secretAccessKey: 'new' }, false);
  expect(await readdir(directory)).toHaveLength(1);
});

test('refuses what is no place or no credentials, and keeps nothing of it', async () => {
  const places = new StorePlaces(directory);
  for (const [where, what] of [
    ['gs://x/y', credentials],
    [place, { accountKey: 'topsecret' }],
    [join(home, 'store'), credentials],
    ['azblob://acme/backups', undefined],
  ] as const)
    await expect(places.add(where, what, false)).rejects.toMatchObject({ code: 'InvalidInput' });
  await expect(readdir(directory)).rejects.toThrow('ENOENT');
});

test('takes no new credentials that do not open the store', async () => {
  const places = new StorePlaces(directory);
  await places.add(place, credentials, false);
  const refused = places.replace(place, { accessKeyId: 'AKIA' });
  await expect(refused).rejects.toMatchObject({ code: 'InvalidInput' });
});

test('says what to do when the file is gone or garbled, and shows nothing of it', async () => {
  const places = new StorePlaces(directory);
  await expect(places.backend(place)).rejects.toMatchObject({
    code: 'StoreAccessDenied',
    action: expect.stringContaining(directory) as string,
  });
  await places.add(place, credentials, false);
  const [name = ''] = await readdir(directory);
  await writeFile(join(directory, name), '{"credentials": topsecret');
  const failure = await places.backend(place).catch((error: unknown) => error as Error);
  expect(failure).toMatchObject({ code: 'StoreAccessDenied' });
  expect(String((failure as Error).stack)).not.toContain('topsecret');
});
