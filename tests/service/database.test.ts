import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findSetting, openCatalog } from '../../src/catalog/index.ts';
import { type RunningService, startService } from '../../src/service.ts';
import { onPostgres, type ScratchPlace, scratchPlace } from '../support/scratch-place.ts';

let directory: string;
let scratch: ScratchPlace;
const running: RunningService[] = [];
const log = { info() {}, warn() {}, error() {} };

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-database-'));
  scratch = await scratchPlace(directory);
});
afterEach(async () => {
  for (const service of running.splice(0)) await service.stop();
  await scratch[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

async function start(home: string, database?: string): Promise<RunningService> {
  const service = await startService({
    home: join(directory, home),
    listen: { host: '127.0.0.1', port: 0 },
    log,
    database,
  });
  running.push(service);
  return service;
}

const subscription = async () => {
  await using catalog = await openCatalog(scratch.place);
  return await findSetting(catalog.db, 'subscriptionId');
};

it.skipIf(!onPostgres())(
  'has its catalog in PostgreSQL, remembers so, and is the only one there',
  async () => {
    const service = await start('a', scratch.place);
    const before = await subscription();
    expect(before).toBeTypeOf('string');
    expect((await stat(join(directory, 'a', 'database'))).mode & 0o777).toBe(0o600);
    await expect(start('b', scratch.place)).rejects.toMatchObject({ code: 'CatalogInUse' });
    await service.stop();
    // Without being told again; and it left so that nobody has to wait for its lease to end.
    const again = await start('a');
    expect(await subscription()).toBe(before);
    await expect(stat(join(directory, 'a', 'catalog.db'))).rejects.toMatchObject({ code: 'ENOENT' });
    await again.stop();
    await start('b', scratch.place);
  },
);

it('refuses another database than the one the home has its catalog in', async () => {
  const other = 'postgres://holdfast:secret@localhost/other';
  await (await start('a')).stop();
  await expect(start('a', other)).rejects.toMatchObject({
    code: 'CatalogElsewhere',
    message: expect.stringContaining('catalog.db'),
  });
  await expect(start('b', '/some/file')).rejects.toMatchObject({ code: 'InvalidInput' });
  await rm(join(directory, 'a', 'catalog.db'));
  await writeFile(join(directory, 'a', 'database'), 'postgres://holdfast:hidden@localhost/one\n');
  const failure = await start('a', other).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'CatalogElsewhere' });
  expect(String(failure)).not.toMatch(/secret|hidden/);
  expect(await readFile(join(directory, 'a', 'database'), 'utf8')).toContain('/one');
});
