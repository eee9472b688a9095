import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ScratchPlace, scratchPlace } from '../../tests/support/scratch-place.ts';
import { type Catalog, findSetting, openCatalog, remembered, saveSetting } from './index.ts';

let directory: string;
let scratch: ScratchPlace;
let catalog: Catalog;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-catalog-'));
  scratch = await scratchPlace(directory);
  catalog = await openCatalog(scratch.place);
});
afterEach(async () => {
  await catalog[Symbol.asyncDispose]();
  await scratch[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** Asks for a setting, and counts how often it is really read. */
function asker() {
  const asked = { reads: 0, get: async () => '' as string | undefined };
  asked.get = () =>
    remembered(catalog.db, ['settings'], 'color', () => {
      asked.reads += 1;
      return findSetting(catalog.db, 'color');
    });
  return asked;
}

it('reads once, and again after its table was written to', async () => {
  const color = asker();
  await saveSetting(catalog.db, 'color', 'red');
  expect([await color.get(), await color.get(), color.reads]).toEqual(['red', 'red', 1]);
  await catalog.db
    .insertInto('resource_groups')
    .values({ name: 'g', location: 'l', tags_json: '{}' })
    .execute();
  expect([await color.get(), color.reads]).toEqual(['red', 1]);
  await saveSetting(catalog.db, 'color', 'blue');
  expect([await color.get(), color.reads]).toEqual(['blue', 2]);
});

it('is never behind whoever has written, whatever was being read at that moment', async () => {
  const color = asker();
  for (let n = 0; n < 50; n += 1) {
    const before = color.get();
    const written = saveSetting(catalog.db, 'color', `${n}`);
    const between = color.get();
    await written;
    expect(await color.get()).toBe(`${n}`);
    await Promise.all([before, between]);
    expect(await color.get()).toBe(`${n}`);
  }
});

it('keeps nothing of a transaction that comes to nothing, and is not asked within one', async () => {
  const color = asker();
  await saveSetting(catalog.db, 'color', 'red');
  await color.get();
  const failing = catalog.db.transaction().execute(async (tx) => {
    await saveSetting(tx, 'color', 'blue');
    const inside = await remembered(tx, ['settings'], 'color', () => findSetting(tx, 'color'));
    expect(inside).toBe('blue');
    throw new Error('given up');
  });
  const meanwhile = color.get();
  await expect(failing).rejects.toThrow('given up');
  expect(await meanwhile).toBe('red');
  expect(await color.get()).toBe('red');
});

it('does not remember a failure', async () => {
  const fail = () => Promise.reject(new Error('no'));
  await expect(remembered(catalog.db, ['settings'], 'x', fail)).rejects.toThrow('no');
  expect(await remembered(catalog.db, ['settings'], 'x', async () => 'yes')).toBe('yes');
});
