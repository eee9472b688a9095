import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { onPostgres, type ScratchPlace, scratchPlace } from '../../tests/support/scratch-place.ts';
import { defaultPolicy } from '../protection/index.ts';
import {
  countItems,
  countOldJobs,
  deleteGonePoints,
  findItemOfName,
  findJob,
  findOperation,
  findPolicy,
  findVault,
  getDefinition,
  insertItem,
  insertJob,
  insertOperation,
  insertPoint,
  insertVault,
  type JobCursor,
  listItemsOfVm,
  listJobs,
  listOpenJobs,
  listPoints,
  markCancelling,
  openCatalog,
  purgeJobs,
  purgeOperations,
  settingOrNew,
  updateJob,
  updateTask,
} from './index.ts';
import type { ItemRow, JobRow, PointRow, VaultRow } from './schema.ts';

let directory: string;
let scratch: ScratchPlace;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-catalog-'));
  scratch = await scratchPlace(directory);
  path = scratch.place;
});
afterEach(async () => {
  await scratch[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const vault: VaultRow = {
  vault_id: 'v1',
  resource_group: 'Default',
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
  created_at: '2026-01-01T00:00:00.000Z',
};
const item: ItemRow = {
  item_id: 'i1',
  vault_id: 'v1',
  vm_uuid: 'u1',
  vm_name: 'web',
  host_resource_group: 'default',
  host_name: 'h',
  policy_name: 'DefaultPolicy',
  policy_json: JSON.stringify(defaultPolicy),
  duties_since: '2026-01-01T00:00:00.000Z',
  state: 'IRPending',
  excluded_disks_json: '[]',
  agent_json: null,
  created_at: '2026-01-01T00:00:00.000Z',
  last_backup_status: '',
  last_backup_at: null,
  last_error_json: null,
  schedule_handled_until: '2026-01-01T00:00:00.000Z',
  next_due_at: null,
  deleted_at: null,
  purge_at: null,
  purging: 0,
  revision: 0,
};
const point = (pointId: string, tiers: Partial<PointRow>): PointRow => ({
  point_id: pointId,
  item_id: 'i1',
  job_id: 'j1',
  taken_at: '2026-01-01T00:00:00.000Z',
  expires_at: '2026-02-01T00:00:00.000Z',
  rule_name: null,
  basis_json: '{}',
  run_at: null,
  promised_until: null,
  soft_deleted_until: null,
  deleted_by_person: 0,
  damaged: 0,
  in_snapshot: 0,
  in_vault: 0,
  in_replica: 0,
  frozen_json: '{}',
  transfer_json: null,
  ...tiers,
});
const job = (jobId: string, startedAt: string): JobRow => ({
  job_id: jobId,
  vault_id: 'v1',
  item_id: 'i1',
  operation: 'Backup',
  status: 'InProgress',
  started_at: startedAt,
  ended_at: null,
  user_triggered: 1,
  entity_name: 'web',
  payload_json: '{}',
  property_bag_json: '{}',
  error_json: null,
  owner: 'run-1',
  failures: 0,
  retry_at: null,
});

it('keeps what was written across closing and opening', async () => {
  {
    await using catalog = await openCatalog(path);
    await insertVault(catalog.db, vault, [defaultPolicy]);
    await settingOrNew(catalog.db, 'subscription', () => 'first');
  }
  await using catalog = await openCatalog(path);
  expect(await findVault(catalog.db, 'default', 'MAIN')).toEqual(vault);
  expect(await findPolicy(catalog.db, 'v1', 'defaultpolicy')).toEqual(defaultPolicy);
  expect(await settingOrNew(catalog.db, 'subscription', () => 'second')).toBe('first');
});

it.skipIf(onPostgres())('writes through to the disk on every commit', async () => {
  await using catalog = await openCatalog(path);
  const { rows } = await sql<{ synchronous: number }>`pragma synchronous`.execute(catalog.db);
  const mode = await sql<{ journal_mode: string }>`pragma journal_mode`.execute(catalog.db);
  expect(rows[0]?.synchronous).toBe(2);
  expect(mode.rows[0]?.journal_mode).toBe('wal');
});

it('refuses tables changed by a newer version', async () => {
  {
    await using catalog = await openCatalog(path);
    await sql`insert into kysely_migration (name, timestamp) values ('999-future', '2030-01-01T00:00:00.000Z')`.execute(
      catalog.db,
    );
  }
  await expect(openCatalog(path)).rejects.toMatchObject({ code: 'CatalogVersionNotSupported' });
});

it('allows a VM in one vault only, and names of vaults and of their VMs once whatever their case', async () => {
  await using catalog = await openCatalog(path);
  await insertVault(catalog.db, vault, []);
  await insertItem(catalog.db, item);
  await expect(insertItem(catalog.db, { ...item, item_id: 'i2' })).rejects.toThrow(/unique/i);
  const namesake = { ...item, item_id: 'i2', vm_uuid: 'u2', vm_name: 'WEB', host_resource_group: 'DEFAULT' };
  await expect(insertItem(catalog.db, namesake)).rejects.toThrow(/items_name/);
  expect(await findItemOfName(catalog.db, 'v1', 'DEFAULT', 'Web')).toEqual(item);
  await expect(insertVault(catalog.db, { ...vault, vault_id: 'v2', name: 'MAIN' }, [])).rejects.toThrow(
    /unique/i,
  );
  expect((await listItemsOfVm(catalog.db, 'h', 'u1')).map(({ item_id }) => item_id)).toEqual(['i1']);
  expect(await countItems(catalog.db, 'v1')).toMatchObject([{ vault_id: 'v1', count: 1 }]);
});

it('forgets only points that are in no tier, and their definitions with them', async () => {
  await using catalog = await openCatalog(path);
  await insertVault(catalog.db, vault, []);
  await insertItem(catalog.db, item);
  await insertPoint(catalog.db, point('gone', {}), '"a"');
  await insertPoint(catalog.db, point('snapshot', { in_snapshot: 1 }), '"b"');
  await insertPoint(catalog.db, point('vault', { in_vault: 1, taken_at: '2026-01-02T00:00:00.000Z' }), '"c"');
  await deleteGonePoints(catalog.db, 'i1');
  expect((await listPoints(catalog.db, 'i1')).map((row) => row.point_id)).toEqual(['snapshot', 'vault']);
  expect(await getDefinition(catalog.db, 'snapshot')).toBe('"b"');
  await expect(getDefinition(catalog.db, 'gone')).rejects.toThrow(/no result/);
});

it('lists jobs newest first by filter and page, and those still open', async () => {
  await using catalog = await openCatalog(path);
  for (const [jobId, day] of [
    ['a', '01'],
    ['b', '02'],
    ['c', '03'],
  ] as const) {
    await insertJob(catalog.db, job(jobId, `2026-01-${day}T00:00:00.000Z`), ['Take Snapshot']);
  }
  await updateJob(catalog.db, 'b', { status: 'Completed', ended_at: '2026-01-02T01:00:00.000Z' });
  await updateTask(catalog.db, 'b', 0, { status: 'Completed' });
  const names = async (filter: object, page: { limit: number; after?: JobCursor } = { limit: 10 }) =>
    (await listJobs(catalog.db, 'v1', filter, page)).map((row) => row.job_id);
  expect(await names({})).toEqual(['c', 'b', 'a']);
  expect(await names({}, { limit: 1, after: ['2026-01-03T00:00:00.000Z', 'c'] })).toEqual(['b']);
  expect(await names({ status: 'Completed' })).toEqual(['b']);
  expect(await names({ startedFrom: '2026-01-02T00:00:00.000Z' })).toEqual(['c', 'b']);
  expect((await listOpenJobs(catalog.db)).map((row) => row.job_id)).toEqual(['a', 'c']);
  expect((await findJob(catalog.db, 'b'))?.tasks).toMatchObject([
    { task_id: 'Take Snapshot', status: 'Completed' },
  ]);
});

it('marks only a running job as being cancelled', async () => {
  await using catalog = await openCatalog(path);
  await insertJob(catalog.db, job('a', '2026-01-01T00:00:00.000Z'), []);
  expect(await markCancelling(catalog.db, 'a')).toBe(true);
  await updateJob(catalog.db, 'a', { status: 'Completed', ended_at: '2026-01-02T01:00:00.000Z' });
  expect(await markCancelling(catalog.db, 'a')).toBe(false);
  expect((await findJob(catalog.db, 'a'))?.job.status).toBe('Completed');
});

it('forgets old jobs with their tasks and operations, and no job that is open', async () => {
  await using catalog = await openCatalog(path);
  const operation = (id: string, jobId: string | null) => ({
    operation_id: id,
    job_id: jobId,
    follows_job: 0,
    started_at: '2026-01-01T00:00:00.000Z',
  });
  for (const jobId of ['old', 'recent', 'open']) {
    await insertJob(catalog.db, job(jobId, '2026-01-01T00:00:00.000Z'), ['Take Snapshot']);
    await insertOperation(catalog.db, operation(`of-${jobId}`, jobId));
  }
  await insertOperation(catalog.db, operation('without', null));
  await updateJob(catalog.db, 'old', { status: 'Completed', ended_at: '2026-01-02T00:00:00.000Z' });
  await updateJob(catalog.db, 'recent', { status: 'Completed', ended_at: '2026-01-04T00:00:00.000Z' });
  const before = '2026-01-03T00:00:00.000Z';
  expect(await countOldJobs(catalog.db, before, 'RemoveOldJobs')).toEqual(new Map([['v1', 1]]));
  expect(await countOldJobs(catalog.db, before, 'Backup')).toEqual(new Map());
  expect(await purgeJobs(catalog.db, 'v2', before)).toBe(0);
  expect(await purgeJobs(catalog.db, 'v1', before)).toBe(1);
  await purgeOperations(catalog.db, before);
  const left = await listJobs(catalog.db, 'v1', {}, { limit: 10 });
  expect(left.map((row) => row.job_id).toSorted()).toEqual(['open', 'recent']);
  const tasks = await catalog.db.selectFrom('job_tasks').select('job_id').orderBy('job_id').execute();
  expect(tasks.map((row) => row.job_id)).toEqual(['open', 'recent']);
  const found = ['of-old', 'of-recent', 'of-open', 'without'].map((id) => findOperation(catalog.db, id));
  expect((await Promise.all(found)).map((row) => row?.operation_id)).toEqual([
    undefined,
    'of-recent',
    'of-open',
    undefined,
  ]);
});

it.skipIf(!onPostgres())('refuses a database that sorts and compares names otherwise', async () => {
  const { createDatabase, dropDatabase } = await import('../../tests/support/postgres.ts');
  const server = inject('postgres') ?? '';
  const place = await createDatabase(server, "locale 'C' encoding 'LATIN1'");
  await expect(openCatalog(place)).rejects.toMatchObject({ code: 'CatalogLocaleNotSupported' });
  await dropDatabase(server, place);
});

it('says which database does not answer, and keeps the password to itself', async () => {
  const place = `postgres://holdfast:secret@localhost/none?host=${encodeURIComponent(directory)}`;
  const failure = await openCatalog(place).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'CatalogNotReachable' });
  expect(String(failure)).toContain('postgres://holdfast:***@localhost/none');
  expect(String(failure)).not.toContain('secret');
});
