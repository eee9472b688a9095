import { stat } from 'node:fs/promises';
import { findReplica, getVault, type ItemRow } from '../catalog/index.ts';
import type { Store } from '../store/index.ts';
import { noReplica } from './replicate.ts';
import type { StoreChoice } from './restore-plan.ts';
import type { Workshop } from './workshop.ts';

/** The store of a vault that a restore reads. */
export async function openFrom(workshop: Workshop, vaultId: string, from: StoreChoice): Promise<Store> {
  const vault = await getVault(workshop.db, vaultId);
  if (from === 'primary') return workshop.estate.store(vault);
  const replica = await findReplica(workshop.db, vaultId);
  if (replica === undefined) throw noReplica(vault);
  return workshop.estate.replica(replica);
}

/**
 * Who owns the source VM's images: a QEMU that runs as that user must be able to open what is restored. Undefined when
 * the VM or its host is not there; files then belong to whoever the directory belongs to.
 */
export async function imageOwner(
  workshop: Workshop,
  item: ItemRow,
): Promise<{ uid: number; gid: number } | undefined> {
  try {
    const host = await workshop.estate.host(item.host_name);
    const machine = await host.getMachine(item.vm_uuid);
    const image = machine.disks.find((disk) => disk.type === 'file' && disk.path !== undefined)?.path;
    return image === undefined ? undefined : await stat(image);
  } catch (error) {
    workshop.log.warn({ itemId: item.item_id, err: error }, 'the owner of the source images is not known');
    return undefined;
  }
}
