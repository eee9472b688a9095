import { useSyncExternalStore } from 'react';
import type { Accepted, Job, VaultAddress } from '../../../src/api/client/browser.ts';
import { client } from '../api/client.ts';
import { onJobChange } from '../api/events.ts';
import { problemOf } from '../parts/problem.tsx';

/** Something somebody has set going here, and how it went. */
export interface Notice {
  id: string;
  title: string;
  state: 'running' | 'done' | 'warning' | 'failed';
  /** What happened; for a failure also what to do. */
  detail?: string | undefined;
  /** The job that does it. */
  job?: { vault: VaultAddress; id: string } | undefined;
  at: string;
}

const maxNotices = 50;

let notices: readonly Notice[] = [];
const listeners = new Set<() => void>();

function change(next: readonly Notice[]): void {
  notices = next.slice(0, maxNotices);
  for (const listener of listeners) listener();
}

export function useNotices(): readonly Notice[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => notices,
  );
}

export const clearNotices = () => change(notices.filter((notice) => notice.state === 'running'));

export function addNotice(notice: Pick<Notice, 'title' | 'state' | 'detail'>): string {
  const id = crypto.randomUUID();
  change([{ ...notice, id, at: new Date().toISOString() }, ...notices]);
  return id;
}

export function updateNotice(id: string, update: Partial<Notice>): void {
  change(notices.map((notice) => (notice.id === id ? { ...notice, ...update } : notice)));
}

/**
 * Tells of an operation that the service has accepted: first that it runs, then of its job, and how that ends.
 * @param start begins the operation; where it throws, that is thrown on, and nothing is noted
 * @returns id of the job
 */
export async function runJob(
  title: string,
  vault: VaultAddress,
  start: () => Promise<Accepted>,
): Promise<string> {
  const accepted = await start();
  const id = addNotice({ title, state: 'running' });
  try {
    const jobId = await client.operations.jobOf(accepted);
    updateNotice(id, { job: { vault, id: jobId } });
    void followJob(id, vault, jobId);
    return jobId;
  } catch (error) {
    const { message, action } = problemOf(error);
    updateNotice(id, { state: 'failed', detail: [message, action].join(' ') });
    throw error;
  }
}

const ends: Partial<Record<Job['properties']['status'], Notice['state']>> = {
  Completed: 'done',
  CompletedWithWarnings: 'warning',
  Failed: 'failed',
  Cancelled: 'warning',
};

/** Its end comes with the other changes; the first look is for jobs that are faster than those. */
async function followJob(noticeId: string, vault: VaultAddress, jobId: string): Promise<void> {
  const take = (job: Job) => {
    const state = ends[job.properties.status];
    if (job.name !== jobId || state === undefined) return;
    stop();
    const [error] = job.properties.errorDetails ?? [];
    updateNotice(noticeId, {
      state,
      detail: error && [error.errorString, ...error.recommendations].join(' '),
    });
  };
  const stop = onJobChange(take);
  await client.jobs.get(vault, jobId).then(take, () => {});
}
