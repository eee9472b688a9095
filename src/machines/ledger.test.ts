import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { emptyLedger, LedgerStore, parseLedger } from './ledger.ts';

const uuid = '1a2b3c4d-2222-3333-4444-555555555555';
let directory: string;
let store: LedgerStore;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-ledger-'));
  store = new LedgerStore(directory);
});

afterEach(() => rm(directory, { recursive: true }));

describe('the ledger', () => {
  it('is read back as written, by its owner only, and goes when nothing is noted', async () => {
    expect(await store.read(uuid)).toBeUndefined();
    await store.update(uuid, (ledger) => ({ ...ledger, machineName: 'vm', leftovers: ['/x'] }));
    expect(await store.read(uuid)).toEqual({ ...emptyLedger(uuid, 'vm'), leftovers: ['/x'] });
    expect((await stat(join(directory, uuid, 'ledger.json'))).mode & 0o777).toBe(0o600);
    expect(await store.machines()).toEqual([uuid]);
    await store.update(uuid, (ledger) => ({ ...ledger, leftovers: [] }));
    expect(await store.read(uuid)).toBeUndefined();
    await store.forget(uuid);
    expect(await readdir(directory)).toEqual([]);
  });

  it('loses no change of writers that come at once', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `/layer-${index}`);
    await Promise.all(
      names.map((name) =>
        store.update(uuid, (ledger) => ({ ...ledger, leftovers: [...ledger.leftovers, name] })),
      ),
    );
    expect((await store.read(uuid))?.leftovers.sort()).toEqual(names.sort());
  });

  it('that is damaged or of a newer version is refused, not guessed', async () => {
    await store.update(uuid, (ledger) => ({ ...ledger, leftovers: ['/x'] }));
    await writeFile(join(directory, uuid, 'ledger.json'), '{"version":1,');
    await expect(store.read(uuid)).rejects.toMatchObject({ code: 'LedgerDamaged' });
    const code = (text: string) => {
      try {
        parseLedger(text, 'x');
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(code('{"version":2}')).toBe('LedgerVersionNotSupported');
    expect(code(JSON.stringify({ ...emptyLedger(uuid, 'vm'), surprise: 1 }))).toBe('LedgerDamaged');
    expect(code('null')).toBe('LedgerDamaged');
  });
});
