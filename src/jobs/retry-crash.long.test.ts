import { expect, it } from 'vitest';
import { listOpenJobs, listPoints } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { startBackup } from './backup.ts';
import { allEnded, died } from './testing/deaths.ts';
import { createSmallEstate } from './testing/small-estate.ts';

it('comes to one end whatever step of failing and trying again the service dies after', async () => {
  const ends = new Set<string>();
  for (let write = 0; ; write += 1) {
    await using small = await createSmallEstate();
    small.retries = true;
    let refusals = 1;
    small.host.onCall = (operation) => {
      if (operation === 'takePoint' && refusals-- > 0)
        throw new HoldfastError('HostUnreachable', 'It is away.');
    };
    small.dieAtWrite(write);
    const tryAgain = async () => {
      small.now = small.now.add({ seconds: 30 });
      await small.workshop.engine.beat();
    };
    const started = startBackup(small.workshop, await small.item(), { onDemand: {} }).catch(() => undefined);
    const life = started.then(async (jobId) => {
      if (jobId !== undefined) await small.settled(jobId);
      await tryAgain();
      await small.idle().catch(() => {});
    });
    await Promise.race([life, died(small)]);
    const hasDied = small.isDead();
    await small.restart();
    await tryAgain();
    await allEnded(small);
    const [job] = await small.workshop.db.selectFrom('jobs').selectAll().execute();
    const points = await listPoints(small.workshop.db, small.itemId);
    const onHost = await small.host.listPoints(small.vmUuid);
    expect(await listOpenJobs(small.workshop.db)).toEqual([]);
    ends.add(`${job?.status}, ${points.length} points, ${onHost.length} on the host`);
    if (job?.status === 'Failed') expect(JSON.parse(job.error_json ?? '').code).toBe('JobInterrupted');
    if (!hasDied) break;
  }
  expect([...ends].toSorted()).toEqual([
    'Completed, 1 points, 1 on the host',
    'Failed, 0 points, 0 on the host',
    'undefined, 0 points, 0 on the host',
  ]);
});
