import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CompiledQuery, type KyselyPlugin, sql } from 'kysely';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { onPostgres, type ScratchPlace, scratchPlace } from '../../tests/support/scratch-place.ts';
import { defaultPolicy } from '../protection/index.ts';
import {
  type Catalog,
  countContainers,
  countItems,
  countJobs,
  countPoints,
  insertItem,
  insertJob,
  insertPoint,
  insertRegistration,
  insertVault,
  type JobCursor,
  lastPointOf,
  listItemsOfName,
  listItemsOfVault,
  listItemsOfVms,
  listItemsWithSnapshots,
  listJobs,
  listOfferedPoints,
  openCatalog,
  updatePoint,
} from './index.ts';
import type { ItemRow, JobRow, PointRow, VaultRow } from './schema.ts';

let directory: string;
let scratch: ScratchPlace;
let catalog: Catalog;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-catalog-'));
  scratch = await scratchPlace(directory);
  catalog = await openCatalog(scratch.place);
  await insertVault(catalog.db, vault, [defaultPolicy]);
});
afterEach(async () => {
  await catalog[Symbol.asyncDispose]();
  await scratch[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const time = '2026-01-01T00:00:00.000Z';
const vault: VaultRow = {
  vault_id: 'v1',
  resource_group: 'default',
  name: 'Main',
  location: 'local',
  tags_json: '{}',
  settings_json: '{}',
  store_path: '/s',
  store_id: 's1',
  encrypted: 0,
  immutability: 'Disabled',
  soft_delete: 'Enabled',
  soft_delete_days: 14,
  created_at: time,
};

const addItem = (name: string, change: Partial<ItemRow> = {}) =>
  insertItem(catalog.db, {
    item_id: `i-${name}`,
    vault_id: 'v1',
    vm_uuid: `u-${name}`,
    vm_name: name,
    host_resource_group: 'default',
    host_name: 'h',
    policy_name: 'DefaultPolicy',
    policy_json: JSON.stringify(defaultPolicy),
    duties_since: time,
    state: 'Protected',
    excluded_disks_json: '[]',
    agent_json: null,
    created_at: time,
    last_backup_status: 'Completed',
    last_backup_at: null,
    last_error_json: null,
    schedule_handled_until: time,
    deleted_at: null,
    purge_at: null,
    purging: 0,
    revision: 0,
    ...change,
  });

const addJob = (jobId: string, startedAt: string, change: Partial<JobRow> = {}) =>
  insertJob(
    catalog.db,
    {
      job_id: jobId,
      vault_id: 'v1',
      item_id: null,
      operation: 'Backup',
      status: 'Completed',
      started_at: startedAt,
      ended_at: startedAt,
      user_triggered: 1,
      entity_name: 'web',
      payload_json: '{}',
      property_bag_json: '{}',
      error_json: null,
      owner: null,
      failures: 0,
      retry_at: null,
      ...change,
    },
    [],
  );

const addPoint = (itemId: string, pointId: string, takenAt: string, change: Partial<PointRow> = {}) =>
  insertPoint(
    catalog.db,
    {
      point_id: pointId,
      item_id: itemId,
      job_id: 'j',
      taken_at: takenAt,
      expires_at: time,
      rule_name: null,
      basis_json: '{}',
      run_at: null,
      promised_until: null,
      soft_deleted_until: null,
      deleted_by_person: 0,
      damaged: 0,
      in_snapshot: 0,
      in_vault: 1,
      in_replica: 0,
      frozen_json: '{}',
      transfer_json: null,
      ...change,
    },
    '{}',
  );

it('pages jobs so that none is told twice or left out, whatever is added meanwhile', async () => {
  const moment = (n: number) => `2026-01-0${n}T00:00:00.000Z`;
  // Three at one moment, across the border of two pages.
  for (const [id, day] of Object.entries({ a: 1, b: 2, c: 2, d: 2, e: 3 })) await addJob(id, moment(day));
  const found: string[] = [];
  for (let after: JobCursor | undefined, page = 0; page < 4; page += 1) {
    const jobs = await listJobs(catalog.db, 'v1', {}, { limit: 2, after });
    found.push(...jobs.map((job) => job.job_id));
    const last = jobs.at(-1);
    if (last === undefined) break;
    after = [last.started_at, last.job_id];
    await addJob(`new-${page}`, moment(9));
  }
  expect(found).toEqual(['e', 'd', 'c', 'b', 'a']);
});

it('pages items by their names without case, and filters them', async () => {
  for (const name of ['delta', 'Bravo', 'alpha', 'charlie']) await addItem(name);
  await addItem('Echo', { policy_name: null, state: 'ProtectionStopped' });
  const names = async (...[filter, page]: [object, { limit: number; after?: readonly [string, string] }]) =>
    (await listItemsOfVault(catalog.db, 'v1', filter, page)).map((item) => item.vm_name);
  expect(await names({}, { limit: 2 })).toEqual(['alpha', 'Bravo']);
  expect(await names({}, { limit: 9, after: ['Bravo', 'i-Bravo'] })).toEqual(['charlie', 'delta', 'Echo']);
  expect(await names({ policyName: 'DefaultPolicy' }, { limit: 9, after: ['charlie', 'i-charlie'] })).toEqual(
    ['delta'],
  );
  expect(await names({ vmName: 'bravo' }, { limit: 9 })).toEqual(['Bravo']);
  expect((await listItemsOfName(catalog.db, 'DEFAULT', 'BRAVO')).map(({ vm_name: name }) => name)).toEqual([
    'Bravo',
  ]);
  const vms = [
    { host_name: 'h', vm_uuid: 'u-alpha' },
    { host_name: 'elsewhere', vm_uuid: 'u-delta' },
  ];
  expect((await listItemsOfVms(catalog.db, vms)).map(({ vm_name: name }) => name)).toEqual(['alpha']);
});

it('pages the points that can be restored, newest first, and counts those of some items', async () => {
  for (const name of ['web', 'db']) await addItem(name);
  const day = (n: number) => `2026-01-0${n}T00:00:00.000Z`;
  await addPoint('i-web', '1', day(1));
  await addPoint('i-web', '2', day(2), { in_vault: 0, in_snapshot: 1 });
  await addPoint('i-web', '3', day(3), { soft_deleted_until: day(9) });
  await addPoint('i-web', '4', day(4), { in_vault: 0 });
  const ids = async (filter: object, page: { limit: number; after?: readonly [string, string] }) =>
    (await listOfferedPoints(catalog.db, 'i-web', filter, page)).map((point) => point.point_id);
  expect(await ids({}, { limit: 9 })).toEqual(['2', '1']);
  expect(await ids({}, { limit: 9, after: [day(2), '2'] })).toEqual(['1']);
  expect(await ids({ withDeleted: true, takenFrom: day(2) }, { limit: 9 })).toEqual(['3', '2']);
  expect(await ids({ takenUntil: day(1) }, { limit: 9 })).toEqual(['1']);
  expect(await countPoints(catalog.db, ['i-web', 'i-db'])).toEqual(new Map([['i-web', 4]]));
  expect(await lastPointOf(catalog.db, 'i-web')).toEqual({ count: 4, takenAt: day(4) });
  expect(await lastPointOf(catalog.db, 'i-db')).toEqual({ count: 0, takenAt: null });
  const withSnapshots = () => listItemsWithSnapshots(catalog.db, { limit: 9 });
  expect((await withSnapshots()).map((item) => item.vm_name)).toEqual(['web']);
  await updatePoint(catalog.db, '2', { in_snapshot: 0 });
  expect(await withSnapshots()).toEqual([]);
});

it('counts items by what they are, and containers with what is only registered', async () => {
  await addItem('web');
  await addItem('db', { last_backup_status: 'Failed' });
  await addItem('old', { state: 'SoftDeleted', policy_name: null });
  expect((await countItems(catalog.db, 'v1')).map(({ state, count }) => [state, count]).toSorted()).toEqual([
    ['Protected', 1],
    ['Protected', 1],
    ['SoftDeleted', 1],
  ]);
  expect(await countItems(catalog.db, 'v2')).toEqual([]);
  const registration = {
    host_name: 'h',
    vault_id: 'v1',
    host_resource_group: 'Default',
    registered_at: time,
  };
  await insertRegistration(catalog.db, { ...registration, vm_uuid: 'u-web', vm_name: 'WEB' });
  expect(await countContainers(catalog.db, 'v1')).toBe(3);
  await insertRegistration(catalog.db, { ...registration, vm_uuid: 'u-new', vm_name: 'new' });
  expect(await countContainers(catalog.db, 'v1')).toBe(4);
});

it.skipIf(onPostgres())('asks indexes for every list and count, and sorts nothing', async () => {
  const asked: CompiledQuery[] = [];
  const { db } = catalog;
  const untouched: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => result,
  };
  // With an executor of its own, whose statements are noted.
  const listening = db.withPlugin(untouched);
  const executor = listening.getExecutor();
  const compile = executor.compileQuery.bind(executor);
  executor.compileQuery = (...args: Parameters<typeof compile>) => {
    const query = compile(...args);
    asked.push(query);
    return query;
  };
  const after = [time, 'x'] as const;
  await listJobs(listening, 'v1', {}, { limit: 9, after });
  await listJobs(listening, 'v1', { status: 'Failed', startedFrom: time }, { limit: 9, after });
  await listJobs(listening, 'v1', { operation: 'Restore' }, { limit: 9, after });
  await countJobs(listening, 'v1', { status: 'Failed', startedFrom: time });
  await listItemsOfVault(listening, 'v1', {}, { limit: 9, after });
  await listItemsOfVault(listening, 'v1', { vmName: 'web' }, { limit: 9 });
  await listItemsOfName(listening, 'default', 'web');
  await listOfferedPoints(listening, 'i', {}, { limit: 9, after });
  await countPoints(listening, ['i', 'k']);
  await lastPointOf(listening, 'i');
  await countItems(listening, 'v3');
  expect(asked.length).toBe(11);
  for (const { sql: text, parameters } of asked) {
    const [first = '', ...rest] = text.split('?');
    let statement = sql.raw(`explain query plan ${first}`);
    for (const [n, part] of rest.entries()) statement = sql`${statement}${parameters[n]}${sql.raw(part)}`;
    const { rows } = await sql<{ detail: string }>`${statement}`.execute(db);
    const plan = rows.map(({ detail }) => detail).join('; ');
    expect(plan, text).toMatch(/USING (COVERING )?INDEX/);
    expect(plan, text).not.toMatch(/^SCAN|; SCAN/);
    // What may be put in order is the few of one name.
    if (!text.includes('lower(vm_name) = lower(?)')) expect(plan, text).not.toContain('TEMP B-TREE');
  }
});
