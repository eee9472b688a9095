import { createHash } from 'node:crypto';
import type { ReplicaRow } from '../catalog/index.ts';
import { HoldfastError, isHoldfastError } from '../errors/index.ts';
import type { Store, StoreSecret } from '../store/index.ts';
import type { VaultKeys } from './vault-keys.ts';

/**
 * What the key file of a replica is kept under: its place. So a replica that was removed is opened again by the key file
 * that was made for it.
 */
export function replicaKeyId(place: string): string {
  const plain = (place.split('?')[0] ?? '').replace(/\/+$/, '');
  return `replica-${createHash('sha256').update(plain).digest('hex').slice(0, 32)}`;
}

/** Opens a replica with its key file; `open` gets the secrets it needs. @throws VaultLocked, and what `open` throws */
export async function openReplica(
  keys: VaultKeys,
  { store_path: place, encrypted }: Pick<ReplicaRow, 'store_path' | 'encrypted'>,
  open: (unlock: { unlock?: readonly StoreSecret[] }) => Promise<Store>,
): Promise<Store> {
  const id = replicaKeyId(place);
  try {
    return await keys.open({ vault_id: id, name: `replica at ${place}`, encrypted }, open);
  } catch (error) {
    if (!isHoldfastError(error, 'VaultLocked')) throw error;
    throw new HoldfastError('VaultLocked', error.message, {
      cause: error,
      target: place,
      action: `Put the key file back at ${keys.pathOf(id)} if there is a copy of it, or remove the replica and set it again with its recovery key: holdfast vault replica set --store ${place} --recovery-key-file FILE.`,
    });
  }
}
