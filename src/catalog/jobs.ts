import { sql, type Updateable } from 'kysely';
import type { Database } from './catalog.ts';
import { lockKept } from './row-locks.ts';
import type { JobRow, JobTaskRow, OperationRow } from './schema.ts';

/** A job with its tasks in order. */
export interface JobWithTasks {
  job: JobRow;
  tasks: JobTaskRow[];
}

export interface JobFilter {
  status?: string;
  operation?: string;
  /** Window on the job's start. */
  startedFrom?: string;
  startedUntil?: string;
  itemId?: string;
  jobId?: string;
  /** Part of the name of what the job is about, whatever its case. */
  entity?: string;
}

/** Where a list of jobs goes on: after this one. */
export type JobCursor = readonly [startedAt: string, jobId: string];

/** Newest first. Costs what it returns, however far in the past that is. @param vaultId undefined: of all vaults */
export async function listJobs(
  db: Database,
  vaultId: string | undefined,
  filter: JobFilter,
  page: { limit: number; after?: JobCursor | undefined },
): Promise<JobRow[]> {
  let query = db.selectFrom('jobs').selectAll();
  if (vaultId !== undefined) query = query.where('vault_id', '=', vaultId);
  if (filter.status !== undefined) query = query.where('status', '=', filter.status as JobRow['status']);
  if (filter.operation !== undefined)
    query = query.where('operation', '=', filter.operation as JobRow['operation']);
  if (filter.startedFrom !== undefined) query = query.where('started_at', '>=', filter.startedFrom);
  if (filter.startedUntil !== undefined) query = query.where('started_at', '<=', filter.startedUntil);
  if (filter.itemId !== undefined) query = query.where('item_id', '=', filter.itemId);
  if (filter.jobId !== undefined) query = query.where('job_id', '=', filter.jobId);
  if (filter.entity !== undefined) {
    const pattern = `%${filter.entity.toLowerCase().replaceAll(/[\\%_]/g, '\\$&')}%`;
    query = query.where(sql<boolean>`lower(entity_name) like ${pattern} escape '\\'`);
  }
  if (page.after !== undefined)
    query = query.where(sql<boolean>`(started_at, job_id) < (${page.after[0]}, ${page.after[1]})`);
  return query.orderBy('started_at', 'desc').orderBy('job_id', 'desc').limit(page.limit).execute();
}

export async function countJobs(
  db: Database,
  vaultId: string,
  { status, startedFrom }: { status: JobRow['status']; startedFrom?: string },
): Promise<number> {
  let query = db
    .selectFrom('jobs')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('vault_id', '=', vaultId)
    .where('status', '=', status);
  if (startedFrom !== undefined) query = query.where('started_at', '>=', startedFrom);
  return Number((await query.executeTakeFirstOrThrow()).count);
}

/** How many jobs of each status began at or after a moment, by vault. */
export async function countJobsByStatus(
  db: Database,
  startedFrom: string,
): Promise<{ vault_id: string; status: JobRow['status']; count: number }[]> {
  const rows = await db
    .selectFrom('jobs')
    .select(({ fn }) => ['vault_id', 'status', fn.countAll<number>().as('count')])
    .where('started_at', '>=', startedFrom)
    .groupBy(['vault_id', 'status'])
    .execute();
  return rows.map((row) => ({ ...row, count: Number(row.count) }));
}

export async function findJob(db: Database, jobId: string): Promise<JobWithTasks | undefined> {
  const job = await db.selectFrom('jobs').selectAll().where('job_id', '=', jobId).executeTakeFirst();
  if (job === undefined) return undefined;
  const tasks = await db
    .selectFrom('job_tasks')
    .selectAll()
    .where('job_id', '=', jobId)
    .orderBy('position')
    .execute();
  return { job, tasks };
}

/** The tasks of many jobs, each job's in order; jobs without any are absent. */
export async function listTasks(
  db: Database,
  jobIds: readonly string[],
): Promise<ReadonlyMap<string, JobTaskRow[]>> {
  const tasks = await db
    .selectFrom('job_tasks')
    .selectAll()
    .where('job_id', 'in', jobIds)
    .orderBy('job_id')
    .orderBy('position')
    .execute();
  return Map.groupBy(tasks, (task) => task.job_id);
}

/** Adds a job with its tasks. What `alongside` writes through the database it is given is kept or lost with them. */
export async function insertJob(
  db: Database,
  job: JobRow,
  taskIds: readonly string[],
  alongside?: (tx: Database) => Promise<void>,
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await alongside?.(tx);
    await insertJobs(tx, [{ job, taskIds }]);
  });
}

/** A job to be added, and the tasks it will have. */
export interface NewJobRow {
  job: JobRow;
  taskIds: readonly string[];
}

/** How many rows one statement adds: databases limit the number of its parameters. */
const rowsAtOnce = 500;

/** Adds many jobs at once; to be called in a transaction. */
export async function insertJobs(tx: Database, jobs: readonly NewJobRow[]): Promise<void> {
  const tasks = jobs.flatMap(({ job, taskIds }) => tasksOf(job.job_id, taskIds));
  for (let from = 0; from < jobs.length; from += rowsAtOnce) {
    const rows = jobs.slice(from, from + rowsAtOnce).map(({ job }) => job);
    await tx.insertInto('jobs').values(rows).execute();
  }
  for (let from = 0; from < tasks.length; from += rowsAtOnce) {
    await tx
      .insertInto('job_tasks')
      .values(tasks.slice(from, from + rowsAtOnce))
      .execute();
  }
}

/** The tasks of a job that has not begun. */
export function tasksOf(jobId: string, taskIds: readonly string[]): JobTaskRow[] {
  return taskIds.map((taskId, position) => ({
    job_id: jobId,
    position,
    task_id: taskId,
    status: 'NotStarted',
    started_at: null,
    ended_at: null,
    message: null,
    progress_json: null,
  }));
}

export async function updateJob(db: Database, jobId: string, change: Updateable<JobRow>): Promise<void> {
  await db.updateTable('jobs').set(change).where('job_id', '=', jobId).execute();
}

/**
 * Writes for a job, provided it is this worker's: nobody takes it meanwhile, and the worker has not been taken for dead.
 * A worker's id is that of one lease. Once that is over nothing of what it still does is written, however late it comes.
 * @returns undefined when the job is not this worker's any more; then nothing is written
 */
export async function writeAsOwner<T>(
  db: Database,
  jobId: string,
  workerId: string,
  write: (tx: Database) => Promise<T>,
): Promise<{ result: T } | undefined> {
  return db.transaction().execute(async (tx) => {
    const own = tx
      .selectFrom('jobs')
      .innerJoin('workers', 'workers.worker_id', 'jobs.owner')
      .select('jobs.job_id')
      .where('jobs.job_id', '=', jobId)
      .where('jobs.owner', '=', workerId);
    if ((await lockKept(tx, own).executeTakeFirst()) === undefined) return undefined;
    return { result: await write(tx) };
  });
}

/** Writes down how a job ended; no task of it is left looking as if it ran. To be called by its owner. */
export async function endJob(
  tx: Database,
  jobId: string,
  end: Pick<JobRow, 'status'> & { ended_at: string } & Updateable<JobRow>,
): Promise<void> {
  await tx
    .updateTable('job_tasks')
    .set({ status: end.status === 'Cancelled' ? 'Cancelled' : 'Failed', ended_at: end.ended_at })
    .where('job_id', '=', jobId)
    .where('status', '=', 'InProgress')
    .execute();
  await tx.updateTable('jobs').set(end).where('job_id', '=', jobId).execute();
}

/**
 * Lets go of a job until it is to be tried again; what failed of its tasks has not begun then. To be called by its owner.
 * @param message shown beside those tasks
 */
export async function postponeJob(
  tx: Database,
  jobId: string,
  wait: Pick<JobRow, 'failures' | 'error_json' | 'property_bag_json'> & { retry_at: string },
  message: string,
): Promise<void> {
  await tx
    .updateTable('job_tasks')
    .set({ status: 'NotStarted', started_at: null, ended_at: null, progress_json: null, message })
    .where('job_id', '=', jobId)
    .where('status', 'in', ['InProgress', 'Failed'])
    .execute();
  await tx
    .updateTable('jobs')
    .set({ ...wait, owner: null })
    .where('job_id', '=', jobId)
    .execute();
}

/** Marks a job that is still running as being cancelled. @returns false when it is not running any more */
export async function markCancelling(db: Database, jobId: string): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('jobs')
    .set({ status: 'Cancelling' })
    .where('job_id', '=', jobId)
    .where('status', '=', 'InProgress')
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n;
}

export async function updateTask(
  db: Database,
  jobId: string,
  position: number,
  change: Updateable<JobTaskRow>,
): Promise<void> {
  await db
    .updateTable('job_tasks')
    .set(change)
    .where('job_id', '=', jobId)
    .where('position', '=', position)
    .execute();
}

/** Jobs that have not ended, oldest first. */
export async function listOpenJobs(db: Database): Promise<JobRow[]> {
  return db
    .selectFrom('jobs')
    .selectAll()
    .where('status', 'in', ['InProgress', 'Cancelling'])
    .where('ended_at', 'is', null)
    .orderBy('started_at')
    .execute();
}

/** How many jobs of each vault ended before a moment, but for those of one operation; vaults without any are absent. */
export async function countOldJobs(
  db: Database,
  endedBefore: string,
  except: JobRow['operation'],
): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('jobs')
    .select(({ fn }) => ['vault_id', fn.countAll<number>().as('count')])
    .where('ended_at', '<', endedBefore)
    .where('operation', '!=', except)
    .groupBy('vault_id')
    .execute();
  return new Map(rows.map((row) => [row.vault_id, Number(row.count)]));
}

/**
 * Forgets jobs of a vault that ended before a moment, with their tasks, and the operations of the API that led to them. To
 * be called in a transaction.
 * @returns how many jobs
 */
export async function purgeJobs(tx: Database, vaultId: string, endedBefore: string): Promise<number> {
  const old = tx
    .selectFrom('jobs')
    .select('job_id')
    .where('vault_id', '=', vaultId)
    .where('ended_at', '<', endedBefore);
  await tx.deleteFrom('operations').where('job_id', 'in', old).execute();
  const { numDeletedRows } = await tx
    .deleteFrom('jobs')
    .where('vault_id', '=', vaultId)
    .where('ended_at', '<', endedBefore)
    .executeTakeFirstOrThrow();
  return Number(numDeletedRows);
}

/** Forgets operations of the API that no job carried out and that began before a moment. */
export async function purgeOperations(db: Database, startedBefore: string): Promise<void> {
  await db
    .deleteFrom('operations')
    .where('job_id', 'is', null)
    .where('started_at', '<', startedBefore)
    .execute();
}

export async function insertOperation(
  db: Database,
  operation: Pick<OperationRow, 'operation_id' | 'job_id' | 'follows_job' | 'started_at'> &
    Partial<OperationRow>,
): Promise<void> {
  await db
    .insertInto('operations')
    .values({
      vault_id: null,
      result_json: null,
      ends_by: null,
      ended_at: null,
      error_json: null,
      ...operation,
    })
    .execute();
}

/** The end of an operation that no job carries out. */
export async function endOperation(
  db: Database,
  operationId: string,
  end: Pick<OperationRow, 'ended_at' | 'error_json'>,
): Promise<void> {
  await db.updateTable('operations').set(end).where('operation_id', '=', operationId).execute();
}

export async function findOperation(db: Database, operationId: string): Promise<OperationRow | undefined> {
  return db.selectFrom('operations').selectAll().where('operation_id', '=', operationId).executeTakeFirst();
}
