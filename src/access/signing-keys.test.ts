import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { SigningKeys } from './signing-keys.ts';

const dayMs = 86_400_000;

let path: string;
let now: number;

beforeEach(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-keys-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  path = join(directory, 'access', 'signing-keys.json');
  now = Date.parse('2026-11-21T12:00:00Z');
});

const open = () => new SigningKeys(path, () => now);

it('makes one key however many ask at once, keeps it to itself, and finds it again', async () => {
  const keys = open();
  const kids = (await Promise.all([keys.current(), keys.current(), keys.current()])).map(({ kid }) => kid);
  expect(new Set(kids).size).toBe(1);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await open().current()).kid).toBe(kids[0]);
  const { keys: published } = await keys.publicSet();
  expect(published.map((key) => Object.keys(key).sort())).toEqual([['alg', 'e', 'kid', 'kty', 'n', 'use']]);
});

it('replaces a key after 90 days, and knows it for a day more', async () => {
  const keys = open();
  const first = (await keys.current()).kid;
  now += 90 * dayMs - 1;
  expect((await keys.current()).kid).toBe(first);
  now += 1;
  const second = (await keys.current()).kid;
  expect(second).not.toBe(first);
  expect(await keys.find(first)).toBeDefined();
  expect((await open().publicSet()).keys).toHaveLength(2);
  now += 90 * dayMs;
  const third = (await keys.current()).kid;
  expect(await keys.find(first)).toBeUndefined();
  expect(await keys.find(second)).toBeDefined();
  expect(new Set([first, second, third]).size).toBe(3);
});

it('says so when its file is damaged, and makes no other over it', async () => {
  await open().current();
  for (const text of ['{', '[{"kid":"a","createdAt":"2026-01-01","privateJwk":{"kty":"oct","k":"AA"}}]']) {
    await writeFile(path, text);
    await expect(open().current()).rejects.toMatchObject({ code: 'HomeNotUsable' });
    expect(await readFile(path, 'utf8')).toBe(text);
  }
});
