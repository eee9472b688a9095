import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Catalog, type HostRow, openCatalog, saveHost, type VaultRow } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { createMemoryHost, type Host } from '../machines/index.ts';
import { createStore, memoryBackend, type Store } from '../store/index.ts';
import { Estate } from './estate.ts';

const row: HostRow = {
  resource_group: 'default',
  name: 'h1',
  location: 'local',
  zone: null,
  uri: 'memory:a',
  overlay_directory: null,
  created_at: '2026-01-01T00:00:00.000Z',
};
const log = { info() {}, warn() {}, error() {} };

let directory: string;
let catalog: Catalog;
let openHost: (row: HostRow) => Promise<Host>;
let openStore: () => Promise<Store>;
let estate: Estate;

beforeEach(async () => {
  openStore = () => Promise.reject(new Error('no store here'));
  directory = await mkdtemp(join(tmpdir(), 'holdfast-estate-'));
  catalog = await openCatalog(join(directory, 'catalog.db'));
  await saveHost(catalog.db, row);
  const openers = {
    openHost: (wanted: HostRow) => openHost(wanted),
    openReplica: () => Promise.reject(new Error('no replica here')),
    openStore: () => openStore(),
  };
  estate = new Estate(catalog.db, openers, log, { surveyTimeoutMs: 20 });
});
afterEach(async () => {
  await estate[Symbol.asyncDispose]();
  await catalog[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** A host that notes when it is let go of. */
function hostNoting(events: string[], name: string): Host {
  const host = createMemoryHost({ now: () => Temporal.Now.instant() });
  host[Symbol.asyncDispose] = async () => void events.push(`closed ${name}`);
  return host;
}

it('opens a host anew when its row says another connection, after the old one is let go of', async () => {
  const events: string[] = [];
  openHost = async ({ uri, overlay_directory }) => {
    events.push(`opened ${uri} ${overlay_directory}`);
    return hostNoting(events, uri);
  };
  const first = await estate.host('h1');
  expect(await estate.host('H1')).toBe(first);
  await saveHost(catalog.db, { ...row, overlay_directory: '/o' });
  expect(await estate.host('h1')).not.toBe(first);
  expect(events).toEqual(['opened memory:a null', 'closed memory:a', 'opened memory:a /o']);
});

it('keeps the new connection when the opening of the old one fails late', async () => {
  const late = Promise.withResolvers<Host>();
  openHost = () => late.promise;
  const old = estate.host('h1');
  await Promise.allSettled([estate.hostStatus(row)]); // the opening is under way
  const closing = estate.closeHost('h1');
  const host = createMemoryHost({ now: () => Temporal.Now.instant() });
  openHost = async () => host;
  const anew = estate.host('h1');
  late.reject(new Error('too late'));
  await expect(old).rejects.toThrow('too late');
  await closing;
  expect(await anew).toBe(host);
  expect(await estate.host('h1')).toBe(host);
});

it('gives up on a host that is long in opening, and uses it once it is open', async () => {
  const opening = Promise.withResolvers<Host>();
  openHost = () => opening.promise;
  expect(await estate.hostStatus(row)).toMatchObject({
    connected: false,
    message: expect.stringContaining("'h1'"),
  });
  expect(await estate.listMachines()).toEqual([]);
  const host = createMemoryHost({ now: () => Temporal.Now.instant() });
  host.addMachine('web', { vda: 4096 });
  opening.resolve(host);
  await estate.host('h1');
  expect(await estate.hostStatus(row)).toMatchObject({ connected: true, machines: 1 });
});

it('lets go of a store whose lock is lost, and opens it anew for the next who needs it', async () => {
  const clock = { now: () => Temporal.Now.instant() };
  const made = await createStore(memoryBackend(), { clock });
  const lost = new AbortController();
  let closed = 0;
  const losable: Store = {
    ...made,
    lost: lost.signal,
    async [Symbol.asyncDispose]() {
      closed++;
      await made[Symbol.asyncDispose]();
    },
  };
  const vault = { vault_id: 'v', name: 'V', store_path: '/none', store_id: made.storeId } as VaultRow;
  openStore = async () => losable;
  expect(await estate.store(vault)).toBe(losable);
  expect(await estate.store(vault)).toBe(losable);
  lost.abort(new HoldfastError('StoreLockLost', 'The lock is lost.'));
  expect(closed).toBe(1);
  const again: Store = { ...made, async [Symbol.asyncDispose]() {} };
  openStore = async () => again;
  expect(await estate.store(vault)).toBe(again);
});
