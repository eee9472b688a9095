import type { Database } from './catalog.ts';
import { lockFree } from './row-locks.ts';
import type { JobRow, WorkerRow } from './schema.ts';

/**
 * Announces a worker. Those of the same home are gone: a home has one process at a time, and its lock says so.
 */
export async function enterWorker(db: Database, worker: WorkerRow): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx.deleteFrom('workers').where('home', '=', worker.home).execute();
    await tx.insertInto('workers').values(worker).execute();
    await leavePhasesOfTheGone(tx);
  });
}

/** @returns false when the worker was taken for dead: what it had may have gone to others */
export async function renewLease(db: Database, workerId: string, until: string): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('workers')
    .set({ lease_until: until })
    .where('worker_id', '=', workerId)
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n;
}

/** Lets go of everything a worker has; whoever comes next may take it up at once. */
export async function leaveWorker(db: Database, workerId: string): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx.deleteFrom('workers').where('worker_id', '=', workerId).execute();
    await tx.deleteFrom('phases').where('worker_id', '=', workerId).execute();
  });
}

/** Other workers whose lease holds. */
export async function listOtherWorkers(db: Database, workerId: string, now: string): Promise<WorkerRow[]> {
  return db
    .selectFrom('workers')
    .selectAll()
    .where('worker_id', '!=', workerId)
    .where('lease_until', '>=', now)
    .execute();
}

/**
 * Forgets the workers whose lease is over, and what phases they were in. That a worker is forgotten decides: one that
 * only was late finds at its next renewal that it has nothing any more.
 */
async function buryDead(tx: Database, workerId: string, now: string): Promise<void> {
  const { numDeletedRows } = await tx
    .deleteFrom('workers')
    .where('lease_until', '<', now)
    .where('worker_id', '!=', workerId)
    .executeTakeFirstOrThrow();
  if (numDeletedRows > 0n) await leavePhasesOfTheGone(tx);
}

async function leavePhasesOfTheGone(tx: Database): Promise<void> {
  await tx
    .deleteFrom('phases')
    .where('worker_id', 'not in', tx.selectFrom('workers').select('worker_id'))
    .execute();
}

/**
 * Takes open jobs that nobody works on: new ones, those to be tried again by now or to be cancelled, and those of workers
 * that died; what a person asked for comes first, then the oldest. Two workers never get the same one.
 * @param at what waits until after `latest` waits for a clock that has been set back since, and is taken, too
 * @returns the jobs as they were before: without an owner when nobody has begun them, or had begun to try them again
 */
export async function claimJobs(
  db: Database,
  workerId: string,
  at: { now: string; latest: string },
  limit: number,
): Promise<JobRow[]> {
  return db.transaction().execute(async (tx) => {
    await buryDead(tx, workerId, at.now);
    const free = tx
      .selectFrom('jobs')
      .selectAll()
      .where('ended_at', 'is', null)
      .where(({ eb, or, not, exists, selectFrom }) =>
        or([
          eb('owner', 'is', null),
          not(
            exists(
              selectFrom('workers')
                .select('workers.worker_id')
                .whereRef('workers.worker_id', '=', 'jobs.owner'),
            ),
          ),
        ]),
      )
      .where(({ eb, or }) =>
        or([
          eb('retry_at', 'is', null),
          eb('retry_at', '<=', at.now),
          eb('retry_at', '>', at.latest),
          eb('status', '=', 'Cancelling'),
        ]),
      )
      .orderBy('user_triggered', 'desc')
      .orderBy('started_at')
      .orderBy('job_id')
      .limit(limit);
    const jobs = await lockFree(tx, free).execute();
    if (jobs.length > 0) {
      const jobIds = jobs.map((job) => job.job_id);
      await tx
        .updateTable('jobs')
        .set({ owner: workerId, retry_at: null })
        .where('job_id', 'in', jobIds)
        .execute();
    }
    return jobs;
  });
}

/** Jobs of a worker that somebody asked to stop. */
export async function listCancelling(db: Database, workerId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('jobs')
    .select('job_id')
    .where('ended_at', 'is', null)
    .where('status', '=', 'Cancelling')
    .where('owner', '=', workerId)
    .execute();
  return rows.map((row) => row.job_id);
}

/** @returns whether the worker is in the phase now: nobody else is, unless its lease is over */
export async function enterPhase(
  db: Database,
  phase: string,
  subjectId: string,
  workerId: string,
  now: string,
): Promise<boolean> {
  return db.transaction().execute(async (tx) => {
    await buryDead(tx, workerId, now);
    await tx
      .insertInto('phases')
      .values({ phase, subject_id: subjectId, worker_id: workerId })
      .onConflict((conflict) => conflict.columns(['phase', 'subject_id']).doNothing())
      .execute();
    const row = await tx
      .selectFrom('phases')
      .select('worker_id')
      .where('phase', '=', phase)
      .where('subject_id', '=', subjectId)
      .executeTakeFirst();
    return row?.worker_id === workerId;
  });
}

export async function leavePhase(
  db: Database,
  phase: string,
  subjectId: string,
  workerId: string,
): Promise<void> {
  await db
    .deleteFrom('phases')
    .where('phase', '=', phase)
    .where('subject_id', '=', subjectId)
    .where('worker_id', '=', workerId)
    .execute();
}
