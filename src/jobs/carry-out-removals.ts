import {
  getVault,
  type ItemRow,
  inVault,
  type JobRow,
  listOpenJobs,
  listPoints,
  listSnapshots,
  updatePoint,
} from '../catalog/index.ts';
import { isHoldfastError } from '../errors/index.ts';
import type { Host } from '../machines/index.ts';
import { pointsRunFrom } from './restore-live.ts';
import type { Workshop } from './workshop.ts';

/** How fast expired layers are merged on the host; the guest's own I/O comes first. */
const mergeBytesPerSecond = 200 * 2 ** 20;

/**
 * Merges the layers of every point of this VM on the host that the catalog does not count as a snapshot: expired ones,
 * and those of a backup that died before it could note them.
 */
export async function mergeGivenUp(workshop: Workshop, item: ItemRow, signal: AbortSignal): Promise<void> {
  const host = await workshop.estate.host(item.host_name);
  const onHost = await pointsOnHost(host, item);
  // In this order: a point that is being taken is named by its open job until the catalog has it.
  const beingTaken = new Set((await listOpenJobs(workshop.db)).flatMap((job) => pointOfJob(job)));
  // Those of its VM, whichever vault they are of.
  const kept = new Set(await listSnapshots(workshop.db, item.host_name, item.vm_uuid));
  const given = onHost.filter((pointId) => !kept.has(pointId) && !beingTaken.has(pointId));
  if (given.length === 0) return;
  using _place = await workshop.merges.enter(signal, { names: [item.host_name] });
  const result = await host.expirePoints(item.vm_uuid, given, {
    bandwidthBytesPerSecond: mergeBytesPerSecond,
    signal,
  });
  for (const { pointId, reason } of result.waiting) {
    workshop.log.info({ itemId: item.item_id, pointId }, `layers are merged later: ${reason}`);
  }
}

/** None when the VM is gone: there is nothing to merge then, and nothing wrong with maintenance. */
async function pointsOnHost(host: Host, item: ItemRow): Promise<string[]> {
  try {
    return await host.listPoints(item.vm_uuid);
  } catch (error) {
    if (isHoldfastError(error, 'UserErrorVmNotFoundV2')) return [];
    throw error;
  }
}

function pointOfJob(job: JobRow): string[] {
  const { pointId, pointBefore } = JSON.parse(job.payload_json) as { pointId?: string; pointBefore?: string };
  const taken = job.operation === 'Backup' ? pointId : job.operation === 'Restore' ? pointBefore : undefined;
  return taken === undefined ? [] : [taken];
}

/** Deletes the record of every point that is leaving the vault, but those that a VM runs from: they go later. */
export async function removeLeaving(workshop: Workshop, item: ItemRow, signal: AbortSignal): Promise<void> {
  const runFrom = await pointsRunFrom(workshop.db);
  const leaving = (await listPoints(workshop.db, item.item_id)).filter(
    (point) => point.in_vault === inVault.leaving && !runFrom.has(point.point_id),
  );
  if (leaving.length === 0) return;
  const store = await workshop.estate.store(await getVault(workshop.db, item.vault_id));
  for (const point of leaving) {
    signal.throwIfAborted();
    try {
      await store.deletePoint(item.item_id, point.point_id);
    } catch (error) {
      if (!isHoldfastError(error, 'RecoveryPointNotInStore')) throw error;
    }
    await updatePoint(workshop.db, point.point_id, { in_vault: inVault.no });
  }
}
