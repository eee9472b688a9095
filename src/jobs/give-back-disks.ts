import {
  getItem,
  type ItemRow,
  inVault,
  listItemsOfVm,
  listPoints,
  listSnapshots,
  updatePoint,
} from '../catalog/index.ts';
import { isHoldfastError } from '../errors/index.ts';
import type { JobContext } from './job-context.ts';
import { removeOrLeave } from './left-layers.ts';
import type { StoredPoint } from './stored-point.ts';
import type { Workshop } from './workshop.ts';

/**
 * Gives the VM of an item its own images back, without our layers, provided every snapshot is in the vault too. A
 * snapshot that is nowhere else is a recovery point: then the layers stay, and the job warns. So it does where the host is
 * away, and the layers go when it is back.
 */
export async function giveBackDisks(
  workshop: Workshop,
  context: JobContext<{ itemId: string }>,
): Promise<'Completed' | 'CompletedWithWarnings'> {
  const item = await getItem(workshop.db, context.payload.itemId);
  await using snapshotPhase = await workshop.phases.tryEnter('snapshot', item.item_id);
  await using transferPhase = await workshop.phases.tryEnter('transfer', item.item_id);
  // Snapshots of a VM that this one took the place of are not in its disks.
  const points = (await listPoints(workshop.db, item.item_id)).filter(
    (point) => (JSON.parse(point.frozen_json) as StoredPoint).machineUuid === item.vm_uuid,
  );
  const onlyOnHost = points.filter((point) => point.in_snapshot === 1 && point.in_vault !== inVault.yes);
  if (snapshotPhase === undefined || transferPhase === undefined || onlyOnHost.length > 0) {
    await context.setError({
      code: 'UserErrorSnapshotsKept',
      message:
        onlyOnHost.length > 0
          ? `${onlyOnHost.length} recovery points of '${item.vm_name}' exist only as snapshots; its disks keep their layers.`
          : `A backup of '${item.vm_name}' is running; its disks keep their layers.`,
      action: adviceFor(item, onlyOnHost.length > 0),
    });
    return 'CompletedWithWarnings';
  }
  await context.write(async (tx) => {
    for (const point of points) await updatePoint(tx, point.point_id, { in_snapshot: 0 });
  });
  const removed = await removeOrLeave(workshop, context, item, () =>
    removeLayers(workshop, item, context.signal),
  );
  return removed ? 'Completed' : 'CompletedWithWarnings';
}

function adviceFor(item: ItemRow, isOnlyOnHost: boolean): string {
  if (item.state === 'SoftDeleted') return 'Do nothing: the layers go when the deleted data is purged.';
  if (isOnlyOnHost)
    return 'If nobody needs these recovery points, delete them ("holdfast recovery-point delete"). Or resume protection, and stop it again once they have expired.';
  return 'Stop protection again when the backup has ended.';
}

/**
 * Merges the layers of an item that the catalog does not count as snapshots. Where another item of the VM is there, in
 * another vault, the disks keep what that one needs; without one they are as they were before protection. A VM that is
 * gone has no layers.
 * @throws HostUnreachable
 */
export async function removeLayers(workshop: Workshop, item: ItemRow, signal: AbortSignal): Promise<void> {
  const { host_name: hostName, vm_uuid: vmUuid } = item;
  const isShared = (await listItemsOfVm(workshop.db, hostName, vmUuid)).length > 1;
  const host = await workshop.estate.host(hostName);
  using _place = await workshop.merges.enter(signal, { names: [hostName] });
  try {
    if (!isShared) return await host.releaseMachine(vmUuid, signal);
    const kept = new Set(await listSnapshots(workshop.db, hostName, vmUuid));
    const own = new Set((await listPoints(workshop.db, item.item_id)).map((point) => point.point_id));
    const given = (await host.listPoints(vmUuid)).filter((id) => own.has(id) && !kept.has(id));
    if (given.length > 0) await host.expirePoints(vmUuid, given, { signal });
  } catch (error) {
    if (!isHoldfastError(error, 'UserErrorVmNotFoundV2')) throw error;
  }
}
