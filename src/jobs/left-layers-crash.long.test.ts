import { expect, it } from 'vitest';
import { listLeftLayers } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { startBackup } from './backup.ts';
import { maintainAll } from './maintenance.ts';
import { stopProtection } from './stop-protection.ts';
import { allEnded, died } from './testing/deaths.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';

async function maintained(small: SmallEstate): Promise<void> {
  await maintainAll(small.workshop);
  await small.idle();
  await allEnded(small);
}

it('leaves nothing on the host whatever step the service dies after', async () => {
  for (let write = 0; ; write += 1) {
    await using small = await createSmallEstate();
    await small.settled(await startBackup(small.workshop, await small.item(), { onDemand: {} }));
    small.host.onCall = () => {
      throw new HoldfastError('HostUnreachable', 'It is away.');
    };
    const comeBack = () => {
      small.host.onCall = () => {};
    };
    small.dieAtWrite(write);
    const stopped = stopProtection(small.workshop, await small.item()).catch(() => undefined);
    const life = stopped.then(async (jobId) => {
      if (jobId !== undefined) await small.settled(jobId);
      comeBack();
      await maintained(small).catch(() => {});
    });
    await Promise.race([life, died(small)]);
    const hasDied = small.isDead();
    await small.restart();
    await allEnded(small);
    comeBack();
    const wasStopped = (await small.item()).policy_name === null;
    await maintained(small);
    if (wasStopped) expect(await small.host.listPoints(small.vmUuid)).toEqual([]);
    expect(await listLeftLayers(small.workshop.db)).toEqual([]);
    if (!hasDied) break;
  }
});
