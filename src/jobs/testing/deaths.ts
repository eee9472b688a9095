import { setImmediate } from 'node:timers/promises';
import { listOpenJobs } from '../../catalog/index.ts';
import { maintenanceIdle } from '../maintenance.ts';
import type { SmallEstate } from './small-estate.ts';

/** Resolves when the service has died, or after the test that waits for it has given up. */
export async function died(estate: SmallEstate): Promise<void> {
  const { workshop } = estate;
  while (!estate.isDead() && !workshop.signal.aborted) await setImmediate();
}

/** Waits until every job has ended, those included that others start, or that a process which died has left. */
export async function allEnded({ workshop }: SmallEstate): Promise<void> {
  for (;;) {
    const open = await listOpenJobs(workshop.db);
    if (open.length === 0) break;
    for (const { job_id: jobId } of open) await workshop.engine.wait(jobId);
    await setImmediate();
  }
  await maintenanceIdle(workshop);
}
